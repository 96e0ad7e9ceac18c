package plan

import "strings"

// Rule is one of the rewritings that make plans cheaper. None of them changes
// what a query gives, nor whether and how it fails, so each can be left out
// ([Options] Off): tests compare the answers with and without.
type Rule uint8

// The rules, in the order in which they are applied.
const (
	// FoldConstants computes expressions of constants once.
	FoldConstants Rule = iota
	// InlineItems binds WITH items anew where they are cheap, or named once.
	InlineItems
	// MergeWindows serves window functions of different orders by one sort.
	MergeWindows
	// SortFirst puts a sort with a small limit below the projection.
	SortFirst
	// SemiJoins makes joins of IN and EXISTS that are conditions.
	SemiJoins
	// Lookups answers correlated sub-queries for all rows by one run.
	Lookups
	// PushFilters moves conditions down to the tables.
	PushFilters
	// ImpliedFilters asks of one side of an equality what is asked of the other.
	ImpliedFilters
	// StrengthenJoins makes outer joins inner ones where conditions drop the
	// padded rows.
	StrengthenJoins
	// OrderJoins begins inner joins with the smallest table.
	OrderJoins
	// EmptyInputs takes away what cannot give a row.
	EmptyInputs
	// PushLimits moves limits into unions and the left side of left joins.
	PushLimits
	// MergeProjections takes away projections that only rename.
	MergeProjections
	// PruneColumns reads and computes the columns that somebody needs, no others.
	PruneColumns
	// OrderFilters asks cheap conditions first.
	OrderFilters
	// StorageTerms tells storage which rows need not be read.
	StorageTerms
	// BestRows tells windows how many rows of each partition count.
	BestRows
	// RegroupOnce groups rows where groups would be grouped again.
	RegroupOnce
	// UseViews takes groups from views where a table keeps them.
	UseViews
	// KeepInner keeps the rows of a sub-query that is run per combination, so that its
	// tables are read once.
	KeepInner
	ruleCount
)

var ruleNames = [ruleCount]string{
	"fold constants", "inline WITH items", "merge windows", "sort first", "semi-joins", "lookups", "push filters", "implied filters",
	"strengthen joins", "order joins", "empty inputs", "push limits",
	"merge projections", "prune columns", "order filters", "storage terms", "best rows", "regroup once", "use views", "keep inner",
}

// String returns the name of the rule.
func (r Rule) String() string { return ruleNames[r] }

// Rules is a set of rules.
type Rules uint32

// AllRules are all rules that there are.
const AllRules = Rules(1<<ruleCount - 1)

// RulesOf returns the set of some rules.
func RulesOf(list ...Rule) Rules {
	var s Rules
	for _, r := range list {
		s |= 1 << r
	}
	return s
}

// Has reports whether a rule is in the set.
func (s Rules) Has(r Rule) bool { return s&(1<<r) != 0 }

// List returns the rules of the set.
func (s Rules) List() []Rule {
	var list []Rule
	for r := range ruleCount {
		if s.Has(r) {
			list = append(list, r)
		}
	}
	return list
}

// String names the rules of the set.
func (s Rules) String() string {
	var names []string
	for _, r := range s.List() {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}
