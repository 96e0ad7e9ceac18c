package fn

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/cairndb/cairn/segment/column"
)

// PostgresType is a type as Postgres' catalogue knows it.
type PostgresType struct {
	OID      int64
	Name     string // as pg_type has it: int8
	Len      int64  // bytes of a value, -1 when it varies
	Category string
	Elem     int64 // of an array
	Array    int64 // the array of it
	Kind     string
	Long     string // as people write it: bigint
}

// One type a line: OID, name, length, category, element, array, kind, long name.
// The numbers are part of the protocol and never change.
//
//go:embed pgtypes.txt
var pgTypesText string

type pgTypes struct {
	list   []PostgresType
	byOID  map[int64]*PostgresType
	byName map[string]*PostgresType
}

var postgresTypes = sync.OnceValue(func() *pgTypes {
	t := &pgTypes{byOID: map[int64]*PostgresType{}, byName: map[string]*PostgresType{}}
	for line := range strings.Lines(pgTypesText) {
		p := PostgresType{}
		if _, err := fmt.Sscan(line, &p.OID, &p.Name, &p.Len, &p.Category, &p.Elem, &p.Array, &p.Kind); err != nil {
			panic("fn: pgtypes.txt: " + line)
		}
		p.Long = strings.Join(strings.Fields(line)[7:], " ")
		t.list = append(t.list, p)
	}
	for i := range t.list {
		p := &t.list[i]
		t.byOID[p.OID], t.byName[p.Name] = p, p
	}
	for i := range t.list { // a short name wins over a long one: char
		if p := &t.list[i]; t.byName[p.Long] == nil {
			t.byName[p.Long] = p
		}
	}
	for short, name := range map[string]string{"int": "int4", "decimal": "numeric", "float": "float8", "double": "float8", "string": "text"} {
		t.byName[short] = t.byName[name]
	}
	return t
})

// PostgresTypes are the types that Postgres' catalogue shows, in order of their OIDs.
func PostgresTypes() []PostgresType { return postgresTypes().list }

// PostgresTypeByOID returns a type by its OID.
func PostgresTypeByOID(oid int64) (PostgresType, bool) {
	if t := postgresTypes().byOID[oid]; t != nil {
		return *t, true
	}
	return PostgresType{}, false
}

// PostgresTypeByName returns a type by one of its names, which may have pg_catalog
// and a dot in front and [] behind.
func PostgresTypeByName(name string) (PostgresType, bool) {
	name = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "pg_catalog.")
	types := postgresTypes()
	if name == `"char"` {
		return *types.byName["char"], true
	}
	if elem, ok := strings.CutSuffix(name, "[]"); ok {
		if t := types.byName[elem]; t != nil && t.Array != 0 {
			return *types.byOID[t.Array], true
		}
		return PostgresType{}, false
	}
	if open := strings.IndexByte(name, '('); open > 0 && strings.HasSuffix(name, ")") {
		name = strings.TrimSpace(name[:open])
	}
	if t := types.byName[name]; t != nil {
		return *t, true
	}
	return PostgresType{}, false
}

// PostgresOID returns the type that clients of Postgres are told for values of t:
// structured ones are jsonb to them, times are points in time.
func PostgresOID(t *column.Type) int64 {
	if t.Alias != "" {
		if p := postgresTypes().byName[t.Alias]; p != nil {
			return p.OID
		}
	}
	name := "text"
	switch t.Kind {
	case column.Boolean:
		name = "bool"
	case column.TinyInt, column.SmallInt:
		name = "int2"
	case column.Integer:
		name = "int4"
	case column.BigInt:
		name = "int8"
	case column.Real:
		name = "float4"
	case column.Double:
		name = "float8"
	case column.Decimal:
		name = "numeric"
	case column.Varbinary:
		name = "bytea"
	case column.Date:
		name = "date"
	case column.Time:
		name = "time"
	case column.Timestamp, column.TimestampTZ:
		name = "timestamptz"
	case column.IntervalDay, column.IntervalMonth:
		name = "interval"
	case column.UUID:
		name = "uuid"
	case column.JSON, column.Array, column.Map, column.Row:
		name = "jsonb"
	}
	return postgresTypes().byName[name].OID
}

// PostgresMod returns the modifier that goes with [PostgresOID], -1 for none.
func PostgresMod(t *column.Type) int64 {
	if t.Kind == column.Decimal {
		return int64(t.Precision)<<16 | int64(t.Scale) + 4
	}
	return -1
}

// Carrier returns the type of the lake that carries values of a Postgres type, nil
// for types that have none.
func Carrier(name string) *column.Type {
	p, ok := PostgresTypeByName(name)
	if !ok {
		return nil
	}
	return carriers()[p.Name]
}

var carriers = sync.OnceValue(func() map[string]*column.Type {
	alias := func(t *column.Type, name string) *column.Type {
		c := *t
		c.Alias = name
		return &c
	}
	out := map[string]*column.Type{
		"bool": column.BooleanType, "bytea": column.VarbinaryType, "int8": column.BigIntType, "int2": column.SmallIntType,
		"int4": column.IntegerType, "text": column.VarcharType, "varchar": column.VarcharType, "bpchar": column.VarcharType,
		"json": column.JSONType, "jsonb": column.JSONType, "float4": column.RealType, "float8": column.DoubleType,
		"date": column.DateType, "time": column.TimeType, "timestamp": column.TimestampType, "timestamptz": column.TimestampTZType,
		"interval": column.IntervalDayType, "numeric": column.DecimalOf(maxDecimalDigits, 0), "uuid": column.UUIDType,
		"inet": column.IPAddressType, "unknown": column.UnknownType, "anyarray": column.VarcharType,
	}
	for _, name := range []string{"oid", "xid", "cid", "regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator",
		"regnamespace", "regrole", "regcollation"} {
		out[name] = alias(column.BigIntType, name)
	}
	for _, name := range []string{"name", "char", "tid", "aclitem", "pg_node_tree", "cstring", "record"} {
		out[name] = alias(column.VarcharType, name)
	}
	out["int2vector"] = alias(column.ArrayOf(column.SmallIntType), "int2vector")
	out["oidvector"] = alias(column.ArrayOf(out["oid"]), "oidvector")
	for _, t := range PostgresTypes() {
		if elem, ok := PostgresTypeByOID(t.Elem); ok && t.Category == "A" && out[t.Name] == nil && out[elem.Name] != nil {
			out[t.Name] = alias(column.ArrayOf(out[elem.Name]), t.Name)
		}
	}
	return out
})
