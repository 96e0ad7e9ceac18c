package fn

// addForms documents what the evaluator provides itself, so that it is listed
// with everything else.
func addForms(l *library) {
	for _, d := range []Doc{
		{Name: "reduce_agg", Family: "aggregate", Signature: "reduce_agg(x, start, (state, x) -> state, (state, state) -> state)", Summary: "Runs over the values that are not NULL with a state."},
		{Name: "json_exists", Family: "json", Signature: "json_exists(input, path [passing value as name, ...] [true | false | unknown | error on error]) → boolean",
			Summary: "Tells whether an SQL/JSON path finds anything."},
		{Name: "json_value", Family: "json", Signature: "json_value(input, path [passing ...] [returning type] [null | error | default x on empty] [null | error | default x on error])",
			Summary: "Takes the one scalar that an SQL/JSON path finds."},
		{Name: "json_query", Family: "json", Signature: "json_query(input, path [passing ...] [returning type] [with [conditional] | without wrapper] [keep | omit quotes] [... on empty] [... on error])",
			Summary: "Takes what an SQL/JSON path finds as JSON text."},
		{Name: "json_array", Family: "json", Signature: "json_array(value [format json], ... [null | absent on null] [returning type]) → varchar",
			Summary: "Makes the text of a JSON array of values; NULLs are left out unless it says NULL ON NULL."},
		{Name: "json_object", Family: "json", Signature: "json_object(key value x, ... [null | absent on null] [with unique keys] [returning type]) → varchar",
			Summary: "Makes the text of a JSON object; it can also be written key : x."},
		{Name: "at time zone", Family: "operator", Signature: "time at time zone zone", Summary: "Shows a moment in another time zone."},
		{Name: "and", Family: "operator", Signature: "x and y → boolean", Summary: "Is true when both are, false when one is false, else unknown."},
		{Name: "or", Family: "operator", Signature: "x or y → boolean", Summary: "Is true when one is, false when both are false, else unknown."},
		{Name: "between", Family: "operator", Signature: "x between low and high → boolean", Summary: "Tells whether low <= x and x <= high."},
		{Name: "in", Family: "operator", Signature: "x in (y, ...) → boolean", Summary: "Tells whether x equals one of a list or of the rows of a query."},
		{Name: "is null", Family: "operator", Signature: "x is [not] null → boolean", Summary: "Tells whether a value is missing."},
		{Name: "case", Family: "conditional and conversion", Signature: "case when condition then x ... else y end", Summary: "Gives the first x whose condition is true.",
			Example: "case when 1 > 2 then 'a' else 'b' end", Result: "b"},
		{Name: "if", Family: "conditional and conversion", Signature: "if(condition, x[, y])", Summary: "Gives x when the condition is true, else y or NULL.", Example: "if(1 < 2, 'yes', 'no')", Result: "yes"},
		{Name: "coalesce", Family: "conditional and conversion", Signature: "coalesce(x, y, ...)", Summary: "Gives the first argument that is not NULL.", Example: "coalesce(null, 'a')", Result: "a"},
		{Name: "nullif", Family: "conditional and conversion", Signature: "nullif(x, y)", Summary: "Gives NULL when x equals y, else x.", Example: "nullif('-', '-') is null", Result: "true"},
		{Name: "try", Family: "conditional and conversion", Signature: "try(x)", Summary: "Gives NULL when x fails.", Example: "try(1 / 0) is null", Result: "true"},
		{Name: "cast", Family: "conditional and conversion", Signature: "cast(x as type)", Summary: "Converts a value; an error when it cannot be.", Example: "cast('42' as bigint)", Result: "42"},
		{Name: "try_cast", Family: "conditional and conversion", Signature: "try_cast(x as type)", Summary: "Converts a value; NULL when it cannot be.", Example: "try_cast('x' as bigint) is null", Result: "true"},
		{Name: "array", Family: "array", Signature: "array[x, ...]", Summary: "Makes an array.", Example: "array[1, 2]", Result: "[1, 2]"},
		{Name: "row", Family: "conditional and conversion", Signature: "row(x, ...)", Summary: "Makes a row.", Example: "row(1, 'a')", Result: "{field0=1, field1=a}"},
		{Name: "grouping", Family: "aggregate", Signature: "grouping(column, ...) → bigint", Summary: "Tells, as bits, which columns a grouping set leaves out."},
		{Name: "row_number", Family: "window", Signature: "row_number() → bigint", Summary: "Numbers the rows of a partition from 1."},
		{Name: "rank", Family: "window", Signature: "rank() → bigint", Summary: "Gives the place of a row; equal rows share one, and the next are skipped."},
		{Name: "dense_rank", Family: "window", Signature: "dense_rank() → bigint", Summary: "Gives the place of a row; equal rows share one, and none is skipped."},
		{Name: "percent_rank", Family: "window", Signature: "percent_rank() → double", Summary: "Gives the rank as a fraction from 0 to 1."},
		{Name: "cume_dist", Family: "window", Signature: "cume_dist() → double", Summary: "Gives the fraction of rows up to this one."},
		{Name: "ntile", Family: "window", Signature: "ntile(n) → bigint", Summary: "Cuts a partition into n buckets of equal size."},
		{Name: "lag", Family: "window", Signature: "lag(x[, offset[, default]])", Summary: "Gives the value of an earlier row."},
		{Name: "lead", Family: "window", Signature: "lead(x[, offset[, default]])", Summary: "Gives the value of a later row."},
		{Name: "first_value", Family: "window", Signature: "first_value(x)", Summary: "Gives the value of the first row of the frame."},
		{Name: "last_value", Family: "window", Signature: "last_value(x)", Summary: "Gives the value of the last row of the frame."},
		{Name: "nth_value", Family: "window", Signature: "nth_value(x, n)", Summary: "Gives the value of row n of the frame."},
	} {
		l.docs = append(l.docs, d)
	}
}
