// Package fn is the library of SQL functions: scalar functions and operators,
// aggregates, casts, and what every operator of a query needs to know about
// values: how they compare, hash and read as text. The semantics are Trino's.
//
// # Using it
//
// The planner looks a function up by name, binds it to the types of its
// arguments and learns the types to cast them to and the type of the result:
//
//	f := fn.LookupScalar("date_trunc")
//	b, err := f.Bind([]*column.Type{column.VarcharType, column.TimestampType})
//	…
//	out, err := b.Eval(ctx, args, n) // once per batch, any number of times
//
// Operators are scalars under their symbols: =, <>, <, <=, >, >=, +, -, *, /, %,
// ||, and negate, not, like, subscript, "is distinct from". AND, OR, CASE, IF,
// COALESCE, NULLIF and TRY decide what to evaluate, so they are forms of the
// evaluator; here they have only their documentation.
//
// Functions that take lambdas are found with [LookupHigher]; the evaluator
// hands in each lambda as a function over vectors. What has clauses or a syntax
// of its own is made for the call: [NewArray], [NewRow], [NewRange],
// [NewJSONPath] and [NewJSONMembers].
//
// # How functions are built
//
// One file holds one family. A function is a [Doc] and a list of overloads,
// each a pattern of argument types ("array(T), bigint"), a result pattern
// ("T") and a kernel. Kernels work on whole vectors: the generic adapters in
// kernel.go turn a plain Go function of int64, float64 or string values into
// one, without boxing a value. Around every kernel stands the same guard: it
// answers for constant NULLs, computes a constant once, and marks the result
// NULL where an argument is.
//
// Patterns (LIKE, regular expressions, JSON paths, date formats) are compiled
// once and kept in bounded caches, so a constant pattern costs one look-up for
// each batch.
//
// # Ends of queries
//
// One value can be 16 MiB of text or a million elements, so kernels ask in the
// midst of a value whether their query has ended ([Context] Live), about once for
// every 64 KiB worked on. A loop does so through a pacer; where a function gives
// no errors, tick panics and the guard around the kernel gives the error back.
// Libraries are given a long text piece by piece or through a reader; a
// backtracking match, which can be neither, goes on beside the caller until its
// time limit of a second.
//
// # Concurrency
//
// Everything here may be used from many goroutines, except accumulators, which
// belong to one goroutine at a time.
//
// # Differences from Trino
//
// Times have at most microseconds, and literals of them at least milliseconds. JSON numbers keep
// the spelling of their source. Hash values (checksum) are our own. A [Doc] says
// where a single function differs.
package fn
