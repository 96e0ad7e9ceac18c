package sql

import (
	"context"

	"github.com/cairndb/cairn/sql/exec"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// ParseQuery reads the text of one query without parameters, in Trino's dialect.
func ParseQuery(text string) (q *QueryTree, err error) {
	defer guard(&err)
	tree, params, err := parse.Parse(text, parse.Options{})
	if err != nil {
		return nil, err
	}
	q, ok := tree.(*parse.Query)
	switch {
	case !ok:
		return nil, sqlerr.New(sqlerr.FeatureNotSupported, sqlerr.Pos{}, "this is not a query").WithHint("begin with SELECT")
	case params > 0:
		return nil, sqlerr.New(sqlerr.UndefinedParameter, sqlerr.Pos{}, "the query has parameters").WithHint("write the values into the text")
	}
	return q, nil
}

// NewView makes a view of a grouped aggregate over one table of the catalogue. What
// cannot be a view is refused with the reason and what would work.
func NewView(ctx context.Context, cat Catalog, name string, number uint32, text string) (v *View, err error) {
	defer guard(&err)
	q, err := ParseQuery(text)
	if err != nil {
		return nil, err
	}
	return plan.NewView(ctx, cat, name, number, q)
}

// Groups gives the groups of a view for the rows of a table: batches with columns of the
// types that v.Types gives.
func Groups(ctx context.Context, v *View, t Table, opt Options) (rows *Rows, err error) {
	defer guard(&err)
	return exec.Start(ctx, v.Plan(t), exec.Options{Memory: opt.Memory, Workers: opt.Workers, Timeout: opt.Timeout,
		Files: opt.Files, Disk: opt.Disk, Turn: opt.Turns.Enter()})
}
