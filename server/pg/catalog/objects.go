package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/cairndb/cairn/sql/fn"
)

// role is who may sign in, as far as the session needs to know.
type role struct {
	oid   int64
	name  string
	super bool
}

// owner is whom everything belongs to.
const owner = "cairn"

// ownerOID is the OID that Postgres gives to its first role.
const ownerOID = 10

// roles are the owner and who has signed in; of others the session is not told.
func (c *Catalog) roles() []role {
	out := []role{{ownerOID, owner, true}}
	if u := c.info.User; u != "" && u != owner {
		out = append(out, role{hashed(roleRange, u), u, c.info.Admin})
	}
	return out
}

// function is a function of the engine.
type function struct {
	oid          int64
	name         string
	kind         string // f, a or w
	args, result string
	about        string
	resultOID    int64
	argOIDs      []int64
}

type functionSet struct {
	list   []*function
	byOID  map[int64]*function
	byName map[string]*function
}

var functions = sync.OnceValue(func() *functionSet {
	set := &functionSet{byOID: map[int64]*function{}, byName: map[string]*function{}}
	add := func(f *function) {
		if set.byName[f.name] != nil {
			return
		}
		f.oid = hashed(functionRange, f.name)
		for set.byOID[f.oid] != nil {
			f.oid++
		}
		set.byName[f.name], set.byOID[f.oid] = f, f
		set.list = append(set.list, f)
	}
	aggregates := map[string]bool{}
	for _, a := range fn.Aggregates() {
		aggregates[a.Name] = true
	}
	for _, d := range fn.All() {
		if d.Name[0] < 'a' || d.Name[0] > 'z' || strings.Contains(d.Name, " ") || d.Family == "operator" {
			continue
		}
		kind := "f"
		switch {
		case aggregates[d.Name]:
			kind = "a"
		case d.Family == "window":
			kind = "w"
		}
		args, result := signature(d.Signature)
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			f := &function{name: name, kind: kind, args: args, result: result, about: d.Summary, resultOID: anyOID}
			if t, ok := fn.PostgresTypeByName(result); ok {
				f.resultOID = t.OID
			}
			if args != "" {
				f.argOIDs = slices.Repeat([]int64{anyOID}, 1+strings.Count(args, ","))
			}
			add(f)
		}
	}
	for _, name := range fn.PostgresFunctions() {
		add(&function{name: name, kind: "f", result: "any", resultOID: anyOID})
	}
	for _, name := range []string{"array_in", "array_out"} {
		if set.byName[name] == nil {
			add(&function{name: name, kind: "f", result: "any", resultOID: anyOID})
		}
	}
	slices.SortFunc(set.list, func(a, b *function) int { return strings.Compare(a.name, b.name) })
	return set
})

// anyOID is the type of arguments that may have several.
const anyOID = 2276

// signature splits "substr(string, start[, length]) → varchar" at its parts.
func signature(s string) (args, result string) {
	call, result, _ := strings.Cut(s, " → ")
	if open := strings.IndexByte(call, '('); open >= 0 {
		args = strings.TrimSuffix(call[open+1:], ")")
	}
	return args, strings.TrimSpace(result)
}
