// Package catalog shows a lake as PostgreSQL's clients expect a database to look:
// pg_catalog and information_schema are tables of the SQL engine like any other, and
// the functions that go with them (format_type, pg_table_is_visible …) have somebody
// to ask. Nothing looks at the text of a query.
//
// # Using it
//
//	cat := catalog.New(stores, catalog.Info{User: "ann", Settings: settings})
//	rows, err := sql.Query(ctx, cat, "SELECT relname FROM pg_class", nil, sql.Options{Dialect: sql.Postgres})
//
// A [Catalog] stands in front of the catalogue of stores. Whom it is made for sees
// the stores that this one gives and no others, so a principal's view needs nothing
// more here. It is made for one query or one transaction; tables are filled when a
// query reads them.
//
// # What is there
//
// One database, cairn, with the schemas public (the stores), pg_catalog and
// information_schema. Names are found without a schema in the order of Postgres'
// search path, with one exception: a store wins over a table of the catalogue that
// is not called pg_ something. columns.txt lists the tables and their columns as
// PostgreSQL 15 has them; those that tell of things a lake does not have (indexes,
// triggers, sequences) are empty.
//
// Columns of stores have the types that the wire tells for them, fn.PostgresOID:
// varchar is text, times are timestamptz, rows, maps and arrays are jsonb.
//
// # Numbers
//
// Types and the catalogue's own tables have PostgreSQL's OIDs. A store's comes from
// its ID, a function's from its name, so they are the same in every session and
// after a restart. Ranges:
//
//	0x10000000 – 0x1fffffff  functions
//	0x20000000 – 0x2fffffff  stores
//	0x30000000 – 0x3fffffff  roles
//	0x40000000 – 0x4fffffff  tables and views without a number of their own
//
// # What may run concurrently
//
// A Catalog may be used from many goroutines.
package catalog

import (
	"cmp"
	"context"
	_ "embed"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Database is the name of the one database.
const Database = "cairn"

// The schemas and their numbers.
const (
	publicOID      = 2200
	pgCatalogOID   = 11
	infoSchemaOID  = 13000
	databaseOID    = 16384
	tablespaceOID  = 1663
	heapOID        = 2
	defaultCollate = 100
	languageOID    = 12
)

// Ranges of OIDs.
const (
	functionRange = 0x10000000
	storeRange    = 0x20000000
	roleRange     = 0x30000000
	tableRange    = 0x40000000
	rangeSize     = 0x0fffffff
)

// Setting is a setting of the session.
type Setting struct{ Name, Value, Description string }

// Settings are those of a session.
type Settings interface {
	// Get returns the value of a setting, whose name has any case.
	Get(name string) (string, bool)
	// Set changes a setting, with local until the end of the transaction, and returns
	// its value.
	Set(name, value string, local bool) (string, error)
	// All are the settings in order of their names.
	All() []Setting
}

// Info tells of the session that a catalogue is made for. The zero value is a session
// of nobody without settings.
type Info struct {
	User    string // who has signed in
	Admin   bool   // and may do everything
	Version string // what version() gives
	PID     int64
	// Application is what the client calls itself.
	Application string
	Settings    Settings
}

// Catalog implements plan.SessionCatalog.
type Catalog struct {
	stores plan.Catalog
	info   Info

	mu     sync.Mutex
	loaded []store
	err    error
	ready  bool
}

// store is an event data store as a table.
type store struct {
	oid   int64
	name  string
	cols  []plan.Column
	rows  int64 // -1 when nobody knows
	about string
	view  bool
}

// New returns a catalogue in front of that of the stores.
func New(stores plan.Catalog, info Info) *Catalog {
	return &Catalog{stores: stores, info: info}
}

// hashed returns a number in a range that depends on a name alone.
func hashed(in int64, name string) int64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return in + int64(h.Sum32())&rangeSize
}

// Table implements plan.Catalog.
func (c *Catalog) Table(ctx context.Context, name string) (plan.Table, error) {
	lower := strings.ToLower(name)
	if rest, ok := strings.CutPrefix(lower, Database+"."); ok && strings.Contains(rest, ".") {
		lower, name = rest, name[len(Database)+1:]
	}
	schema, _, qualified := strings.Cut(lower, ".")
	if qualified {
		switch schema {
		case "pg_catalog", "information_schema":
			return c.own(ctx, lower), nil
		case "public":
			return c.stores.Table(ctx, name[len("public."):])
		}
	}
	if t := c.own(ctx, "pg_catalog."+lower); t != nil {
		return t, nil
	}
	return c.stores.Table(ctx, name)
}

// TableNames implements plan.Catalog: the stores, which are what people look for.
func (c *Catalog) TableNames(ctx context.Context) ([]string, error) { return c.stores.TableNames(ctx) }

// own returns a table of the catalogue, nil when there is none.
func (c *Catalog) own(ctx context.Context, name string) plan.Table {
	if def := definitions().byName[name]; def != nil {
		return &table{cat: c, def: def, ctx: ctx, data: make([]*column.Vector, len(def.cols))}
	}
	return nil
}

// all returns the stores that the session sees, in order of their names.
func (c *Catalog) all(ctx context.Context) ([]store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ready {
		return c.loaded, c.err
	}
	c.loaded, c.err = c.load(ctx)
	c.ready = ctx.Err() == nil
	return c.loaded, c.err
}

func (c *Catalog) load(ctx context.Context) ([]store, error) {
	names, err := c.stores.TableNames(ctx)
	if err != nil {
		return nil, err
	}
	type keyed struct {
		store
		key string
	}
	var list []keyed
	for _, name := range names {
		t, err := c.stores.Table(ctx, name)
		if err != nil {
			return nil, err
		}
		if t == nil {
			continue // removed in between
		}
		k := keyed{store{name: t.Name(), rows: -1}, strings.ToLower(t.Name())}
		_, k.view = t.(plan.QueryTable)
		if id, ok := t.(interface{ ID() string }); ok {
			k.key = id.ID()
		}
		if n, ok := t.(plan.RowCounter); ok {
			k.rows = n.RowCount()
		}
		if d, ok := t.(interface{ Description() string }); ok {
			k.about = d.Description()
		}
		for _, col := range t.Columns() {
			if !col.Hidden {
				k.cols = append(k.cols, col)
			}
		}
		list = append(list, k)
	}
	// Two stores whose IDs give one number: the later ID takes the next free one.
	slices.SortFunc(list, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	taken := map[int64]bool{}
	for i := range list {
		oid := hashed(storeRange, list[i].key)
		for taken[oid] {
			oid++
		}
		taken[oid] = true
		list[i].oid = oid
	}
	slices.SortFunc(list, func(a, b keyed) int { return cmp.Compare(a.name, b.name) })
	out := make([]store, len(list))
	for i := range list {
		out[i] = list[i].store
	}
	return out, nil
}

// Session implements plan.SessionCatalog.
func (c *Catalog) Session() fn.Session { return session{c} }

// columns.txt has one table a line: its name, its OID (0 for none of its own), r or v,
// then name:type for every column.
//
//go:embed columns.txt
var columnsText string

// definition is a table of the catalogue.
type definition struct {
	name   string // with its schema
	schema string
	table  string
	oid    int64
	kind   string
	cols   []plan.Column
	types  []fn.PostgresType
	index  map[string]int
}

type definitionSet struct {
	list   []*definition
	byName map[string]*definition
}

var definitions = sync.OnceValue(func() *definitionSet {
	set := &definitionSet{byName: map[string]*definition{}}
	for line := range strings.Lines(columnsText) {
		f := strings.Fields(line)
		d := &definition{name: f[0], kind: f[2], index: map[string]int{}}
		for _, r := range f[1] {
			d.oid = d.oid*10 + int64(r-'0')
		}
		d.schema, d.table, _ = strings.Cut(d.name, ".")
		if d.oid == 0 {
			d.oid = hashed(tableRange, d.name)
		}
		columns := append(f[3:], "tableoid:oid")
		if d.kind == "r" {
			columns = append(columns, "xmin:xid", "xmax:xid", "cmin:cid", "cmax:cid", "ctid:tid")
		}
		for _, col := range columns {
			name, typ, _ := strings.Cut(col, ":")
			t := fn.Carrier(typ)
			p, ok := fn.PostgresTypeByName(typ)
			if t == nil || !ok {
				panic("catalog: columns.txt: no type " + typ)
			}
			d.index[name] = len(d.cols)
			d.types = append(d.types, p)
			d.cols = append(d.cols, plan.Column{Name: name, Type: t, Hidden: slices.Contains(systemColumns, name)})
		}
		if d.kind != "f" {
			set.list = append(set.list, d)
		}
		set.byName[d.name] = d
	}
	return set
})

// systemColumns are those that every table has and SELECT * leaves out.
var systemColumns = []string{"tableoid", "xmin", "xmax", "cmin", "cmax", "ctid"}

// none is the error for what this catalogue cannot do.
func none(format string, args ...any) error {
	return sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, format, args...)
}
