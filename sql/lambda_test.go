package sql_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqltest"
)

// nestedTable has arrays, maps and what lambdas may capture, with NULLs at every
// level.
func nestedTable(r *rand.Rand, n int) *sqltest.Table {
	id, k, s := column.New(column.BigIntType, n), column.New(column.BigIntType, n), column.New(column.VarcharType, n)
	arrays := column.New(column.ArrayOf(column.BigIntType), n)
	elems := column.NewAppender(column.BigIntType, 0)
	tags := column.New(column.MapOf(column.VarcharType, column.VarcharType), n)
	keys, values := column.NewAppender(column.VarcharType, 0), column.NewAppender(column.VarcharType, 0)
	for i := range n {
		id.I64[i], k.I64[i] = int64(i), int64(r.IntN(4))
		s.Str[i] = string(rune('a' + r.IntN(3)))
		if r.IntN(6) == 0 {
			k.SetNull(i)
		}
		if r.IntN(7) == 0 {
			arrays.SetNull(i)
			tags.SetNull(i)
		} else {
			for range r.IntN(5) {
				if r.IntN(5) == 0 {
					elems.Null()
				} else {
					elems.Append(ints(column.BigIntType, r.IntN(5)), 0)
				}
			}
			for _, key := range []string{"a", "b", "c"}[:r.IntN(4)] {
				keys.Append(text(key), 0)
				if r.IntN(4) == 0 {
					values.Null()
				} else {
					values.Append(text(string(rune('a'+r.IntN(3)))), 0)
				}
			}
		}
		arrays.Offsets[i+1], tags.Offsets[i+1] = int32(elems.Len()), int32(keys.Len())
	}
	arrays.Children[0] = elems.Vector()
	tags.Children = []*column.Vector{keys.Vector(), values.Vector()}
	return tableOf("nested", []string{"id", "k", "s", "xs", "m"}, id, k, s, arrays, tags)
}

// TestLambdaLayouts wants the same of a lambda whatever the layout of what it
// gets and captures, and the same as for one row at a time.
func TestLambdaLayouts(t *testing.T) {
	exprs := []string{
		"filter(xs, x -> x > k)", "transform(xs, x -> x * k + id)", "transform(xs, x -> coalesce(x, k, -1))",
		"any_match(xs, x -> x = k)", "all_match(xs, x -> x < k)", "none_match(xs, x -> x = k)",
		"any_match(xs, x -> 6 / x > k)", "try(transform(xs, x -> 6 / x))", "transform(xs, x -> try(6 / x))",
		"reduce(xs, k, (a, x) -> a + coalesce(x, 1), a -> a * 2)", "reduce(xs, '', (a, x) -> a || s, a -> a)",
		"zip_with(xs, filter(xs, x -> x > 1), (x, y) -> x - coalesce(y, k))",
		"array_sort(xs, (x, y) -> case when x is null then 1 when y is null then -1 when x > y then -1 when x < y then 1 else 0 end)",
		"map_filter(m, (a, v) -> v = s or a = s)", "transform_values(m, (a, v) -> v || s || a)", "transform_keys(m, (a, v) -> a || s)",
		"map_zip_with(m, map_filter(m, (a, v) -> v > 'a'), (a, v, u) -> coalesce(u, v, s))",
		"transform(xs, x -> filter(xs, y -> y > x and y <> k))", "transform(xs, x -> transform(map_keys(m), a -> a || s || cast(x as varchar)))",
		"transform(xs, x -> row(x, k, s))", "transform(filter(xs, x -> x is not null), x -> array[x, k][2])",
		"transform(xs, x -> case when x > k then s when x is null then 'none' end)", "regexp_replace(s || 'ab', '([ab])', g -> g[1] || s)",
		"array[k, id]", "row(k, s, xs)", "json_array(k, s, xs)", "json_value(json_format(cast(m as json)), 'lax $.a' default s on empty)",
		"json_exists(json_format(cast(xs as json)), 'lax $[*] ? (@ > $k)' passing k as k)", "(k, s) in ((1, 'a'), (2, 'b'), (null, 'c'))", "cast(xs as json)",
	}
	layouts := []sqltest.Layout{{}, {UnitRows: 1}, {UnitRows: 7, Dict: true, MapsAsDict: true}, {Dict: true, NullEntry: true, Extra: 2, MapsAsDict: true}}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 5))
		base := sqltest.Catalog{nestedTable(r, 1+r.IntN(60))}
		for _, e := range exprs {
			for _, form := range []string{"SELECT id, %s FROM nested ORDER BY id", "SELECT count(*) FROM nested WHERE %s IS NULL", "SELECT id, %s AS v FROM nested WHERE k = 1 OR s = 'b' ORDER BY id"} {
				q := fmt.Sprintf(form, e)
				var want []string
				var failed string
				for i, l := range layouts {
					res, err := runner(base.With(l), 2)(q)
					got, now := []string(nil), ""
					if err != nil {
						now = sqltest.ErrorText(err, q)
					} else {
						got = res.Text()
					}
					if i == 0 {
						want, failed = got, now
						continue
					}
					if !slices.Equal(got, want) || now != failed {
						t.Errorf("seed %d, layout %+v: %s\ngives %q %s\nwant  %q %s", seed, l, q, got, now, want, failed)
					}
				}
			}
		}
	}
}
