package segment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestEachLeaf compares a walk over leaves with the records.
func TestEachLeaf(t *testing.T) {
	ctx := context.Background()
	places := []LeafPlace{
		{Path: []string{"resources"}, Key: "ARN"}, {Path: []string{"params", "ids"}}, {Path: []string{"params", "key"}}, {Path: []string{"user", "arn"}},
		{Path: []string{"eventName"}}, {Path: []string{"n"}}, {Path: []string{"assumed", "arn"}}, {Path: []string{"message"}},
		{Path: []string{"owner"}}, {Path: []string{"user", "team"}}, {Path: []string{"user", "mfa"}}, {Path: []string{"nowhere", "at", "all"}}, {Path: []string{"nowhere"}, Key: "x"},
		{Path: []string{"a"}}, {Path: []string{"a"}, Key: "b"}, {Path: []string{"b"}}, {Path: []string{"b"}, Key: "a"}, {Path: []string{"c", "d"}}, {Path: []string{"c"}, Key: "d"},
	}
	for _, o := range []Options{{}, {MaxColumns: 30}, {MaxShapes: 20}, {MaxElements: 3}} {
		records := modelRecords(11, 2*BlockRows+700)
		r := seal(t, o, records)
		got := make([][]string, len(records))
		odd := make([]bool, len(records))
		type value struct{ column, code int }
		texts := map[value]string{}
		found := make([]int, len(places))
		err := r.EachLeaf(ctx, places, func(l *Leaf) error {
			raw, err := l.Raw()
			if err != nil {
				return err
			}
			if l.Code >= 0 {
				v := value{l.Column, l.Code}
				if have, ok := texts[v]; ok && have != string(raw) || l.Code >= l.Codes {
					t.Fatalf("%+v is %s and %s", v, have, raw)
				}
				texts[v] = string(raw)
			}
			if l.Place < 0 {
				odd[l.Row] = true
				return nil
			}
			found[l.Place]++
			got[l.Row] = append(got[l.Row], fmt.Sprint(l.Place, l.Kind, string(raw)))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		many := 0
		for row, rec := range records {
			if odd[row] {
				many++
				continue
			}
			var want []string
			for i, p := range places {
				want = append(want, modelLeaves(i, p, rec)...)
			}
			slices.Sort(want)
			slices.Sort(got[row])
			if !slices.Equal(got[row], want) {
				t.Fatalf("%+v, row %d: %q, should be %q\n%s", o, row, got[row], want, rec)
			}
		}
		if o.MaxColumns == 0 && o.MaxShapes == 0 && o.MaxElements == 0 {
			if many > len(records)/100 {
				t.Errorf("%d of %d rows are text", many, len(records))
			}
			for i, n := range found {
				if n == 0 && places[i].Path[0] != "nowhere" {
					t.Errorf("nothing was found at %v", places[i])
				}
			}
		} else if many == 0 {
			t.Errorf("%+v: no rows are text", o)
		}
	}
	r := seal(t, Options{}, modelRecords(12, 500))
	stop, n := errors.New("stop"), 0
	if err := r.EachLeaf(ctx, places, func(*Leaf) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("after %d leaves: %v", n, err)
	}
}

// modelLeaves returns the leaves that a record has at a place.
func modelLeaves(number int, p LeafPlace, rec []byte) (out []string) {
	leaf := func(v []byte) {
		switch kind := kindOf(v); kind {
		case String:
			out = append(out, fmt.Sprint(number, kind, string(v[1:len(v)-1])))
		case Number, Bool:
			out = append(out, fmt.Sprint(number, kind, string(v)))
		}
	}
	member := func(v []byte, key string, fn func(v []byte)) {
		if kindOf(v) == Object {
			eachMember(v, func(k, v []byte) {
				if string(Unescape(nil, k)) == key {
					fn(v)
				}
			})
		}
	}
	elements := func(v []byte, fn func(v []byte)) {
		var list []json.RawMessage
		if kindOf(v) == Array && json.Unmarshal(v, &list) == nil {
			for _, e := range list {
				fn(e)
			}
		}
	}
	var below func(v []byte, path []string)
	below = func(v []byte, path []string) {
		switch {
		case len(path) > 0:
			member(v, path[0], func(v []byte) { below(v, path[1:]) })
		case p.Key != "":
			elements(v, func(v []byte) { member(v, p.Key, leaf) })
		default:
			leaf(v)
			elements(v, leaf)
		}
	}
	below(rec, p.Path)
	return out
}
