package sqltest

import (
	"fmt"
	"math"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// This file has the tables that the logic tests of package sql ask, which lakes
// are asked too.

// Texts makes a flat vector of strings; nil is NULL.
func Texts(values ...any) *column.Vector {
	v := column.New(column.VarcharType, len(values))
	for i, x := range values {
		if x == nil {
			v.SetNull(i)
		} else {
			v.Str[i] = x.(string)
		}
	}
	return v
}

// Ints makes a flat vector of a type kept as integers, from numbers, booleans and
// times; nil is NULL.
func Ints(t *column.Type, values ...any) *column.Vector {
	v := column.New(t, len(values))
	for i, x := range values {
		switch x := x.(type) {
		case nil:
			v.SetNull(i)
		case int:
			v.I64[i] = int64(x)
		case bool:
			if x {
				v.I64[i] = 1
			}
		case time.Time:
			v.I64[i] = x.UnixMicro()
		}
	}
	return v
}

// Doubles makes a flat vector of floats; nil is NULL.
func Doubles(values ...any) *column.Vector {
	v := column.New(column.DoubleType, len(values))
	for i, x := range values {
		if x == nil {
			v.SetNull(i)
		} else {
			v.F64[i] = x.(float64)
		}
	}
	return v
}

var stringMap = column.MapOf(column.VarcharType, column.VarcharType)

// Maps makes a vector of maps: nil, or keys and values in turn.
func Maps(values ...[]any) *column.Vector {
	v := column.New(stringMap, len(values))
	keys, vals := column.NewAppender(column.VarcharType, 0), column.NewAppender(column.VarcharType, 0)
	for i, m := range values {
		if m == nil {
			v.SetNull(i)
		}
		for k := 0; k < len(m); k += 2 {
			keys.Append(Texts(m[k]), 0)
			vals.Append(Texts(m[k+1]), 0)
		}
		v.Offsets[i+1] = int32(keys.Len())
	}
	v.Children = []*column.Vector{keys.Vector(), vals.Vector()}
	return v
}

// RowOf makes a vector of rows; the rows in null are NULL.
func RowOf(names []string, null []int, children ...*column.Vector) *column.Vector {
	t := &column.Type{Kind: column.Row}
	for i, c := range children {
		t.Fields = append(t.Fields, column.Field{Name: names[i], Type: c.Type})
	}
	v := &column.Vector{Type: t, Len: children[0].Len, Children: children}
	for _, i := range null {
		v.SetNull(i)
	}
	return v
}

// TableOf makes a table of flat vectors in one unit.
func TableOf(name string, names []string, data ...*column.Vector) *Table {
	cols := make([]plan.Column, len(data))
	for i, v := range data {
		cols[i] = plan.Column{Name: names[i], Type: v.Type}
	}
	return NewTable(name, cols, data, Layout{})
}

// Fixture are the tables that the logic tests ask.
func Fixture() Catalog {
	return Catalog{smallEvents(), numbers(), BigTable(10_000), TableOf("empty", []string{"a", "b"}, Texts(), Ints(column.BigIntType)), other()}
}

func smallEvents() *Table {
	at := func(day, h, m int) time.Time { return time.Date(2026, 3, day, h, m, 0, 0, time.UTC) }
	arn := func(s string) string { return "arn:aws:iam::111122223333:user/" + s }
	identity := RowOf([]string{"type", "arn", "username", "sessioncontext"}, []int{9},
		Texts("IAMUser", "IAMUser", "Root", "AssumedRole", "AssumedRole", "IAMUser", "AWSService", "AssumedRole", "IAMUser", nil, "Root", "IAMUser"),
		Texts(arn("ana"), arn("ben"), "arn:aws:iam::111122223333:root", "arn:aws:sts::1:assumed-role/dev/cy", "arn:aws:sts::1:assumed-role/dev/cy",
			arn("ana"), nil, "arn:aws:sts::1:assumed-role/ops/di", arn("ben"), nil, "arn:aws:iam::111122223333:root", arn("Ana")),
		Texts("ana", "ben", nil, nil, nil, "ana", nil, nil, "ben", nil, nil, "Ana"),
		RowOf([]string{"attributes", "sourceidentity"}, []int{0, 1, 2, 5, 6, 8, 9, 10, 11},
			RowOf([]string{"mfaauthenticated", "creationdate"}, []int{6},
				Texts(nil, nil, nil, "true", "false", nil, nil, "false", nil, nil, nil, nil),
				Ints(column.TimestampType, nil, nil, nil, at(1, 7, 0), at(1, 7, 0), nil, nil, at(2, 8, 30), nil, nil, nil, nil)),
			Texts(nil, nil, nil, "cy", nil, nil, nil, "", nil, nil, nil, nil)))
	t := TableOf("events",
		[]string{"eventid", "eventtime", "eventname", "eventsource", "readonly", "errorcode", "sourceipaddress", "useridentity", "requestparameters", "bytes", "eventjson"},
		Texts("e01", "e02", "e03", "e04", "e05", "e06", "e07", "e08", "e09", "e10", "e11", "e12"),
		Ints(column.TimestampType, at(1, 8, 0), at(1, 8, 5), at(1, 9, 0), at(1, 23, 59), at(2, 0, 0), at(2, 10, 0), at(2, 10, 0), at(2, 12, 0), at(3, 6, 0), at(3, 7, 0), at(3, 7, 30), at(4, 0, 0)),
		Texts("ConsoleLogin", "ListBuckets", "ConsoleLogin", "RunInstances", "StopInstances", "GetObject", "GetObject", "CreateUser", "ListBuckets", "GetObject", "ConsoleLogin", "DeleteTrail"),
		Texts("signin.amazonaws.com", "s3.amazonaws.com", "signin.amazonaws.com", "ec2.amazonaws.com", "ec2.amazonaws.com", "s3.amazonaws.com", "s3.amazonaws.com", "iam.amazonaws.com", "s3.amazonaws.com", "s3.amazonaws.com", "signin.amazonaws.com", "cloudtrail.amazonaws.com"),
		Ints(column.BooleanType, false, true, false, false, false, true, true, false, true, nil, false, false),
		Texts(nil, "AccessDenied", "Failure", nil, "UnauthorizedOperation", nil, "AccessDenied", nil, nil, nil, nil, "AccessDenied"),
		Texts("198.51.100.7", "198.51.100.7", "203.0.113.9", "192.0.2.44", "192.0.2.44", "198.51.100.7", "s3.amazonaws.com", "192.0.2.45", "198.51.100.8", nil, "203.0.113.9", "198.51.100.7"),
		identity,
		Maps(nil, []any{"Host", "s3.amazonaws.com"}, []any{}, []any{"instanceType", "t3.micro", "ipPermissions", `{"items":[{"cidr":"0.0.0.0/0"}]}`},
			[]any{"force", "true"}, []any{"bucketName", "logs", "key", "a/b.json"}, []any{"bucketName", "logs", "key", nil}, []any{"userName", "eve"},
			nil, []any{"bucketName", "data"}, []any{}, []any{"name", "main"}),
		Ints(column.BigIntType, 120, nil, 300, 40, 40, 1000, 0, -5, nil, 1000, 7, 12),
		Texts(`{"n":1}`, `{"n":2,"a":{"b":[10,20]}}`, `{"n":3}`, `{"n":4}`, `{"n":5}`, `not json`, `{"n":7}`, `{"n":8}`, nil, `{"n":10}`, `{"n":11}`, `{"n":12}`))
	cols := t.Columns()
	cols[6].Aliases = []string{"ip"}
	cols[7].FieldAliases = map[string]string{"usrename": "username"}
	return t
}

// numbers has every special value.
func numbers() *Table {
	nan, inf := math.NaN(), math.Inf(1)
	return TableOf("nums", []string{"id", "i", "d", "s", "b", "dec", "day"},
		Ints(column.IntegerType, 1, 2, 3, 4, 5, 6, 7, 8),
		Ints(column.BigIntType, 10, nil, 0, -7, 7, 10, 9223372036854775807, nil),
		Doubles(1.5, nil, nan, inf, -inf, 0.0, 1e-9, 1.5),
		Texts("a", "", nil, "B", "b", "ä", "a", "z%_"),
		Ints(column.BooleanType, true, false, nil, true, false, nil, true, false),
		Ints(column.DecimalOf(5, 2), 150, -25, nil, 0, 150, 99999, 1, 2),
		Ints(column.DateType, 20514, 20513, nil, 0, -1, 20514, 20515, 20516))
}

// BigTable has n rows, with columns of many and of few values.
func BigTable(n int) *Table {
	i, k, name, v, at, few := column.New(column.BigIntType, n), column.New(column.VarcharType, n), column.New(column.VarcharType, n),
		column.New(column.DoubleType, n), column.New(column.TimestampType, n), column.New(column.VarcharType, n)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for r := range n {
		i.I64[r] = int64(r)
		k.Str[r] = fmt.Sprintf("k%03d", r*7%97)
		name.Str[r] = fmt.Sprintf("unique-%05d", (r*7919)%n)
		v.F64[r] = float64(r%1000) / 4
		at.I64[r] = start + int64(r)*1_000_000
		few.Str[r] = []string{"x", "y", "z"}[r%3]
		if r%11 == 0 {
			few.SetNull(r)
		}
		if r%13 == 0 {
			v.SetNull(r)
		}
	}
	return TableOf("big", []string{"i", "k", "name", "v", "at", "few"}, i, k, name, v, at, few)
}

func other() *Table {
	return TableOf("other", []string{"eventname", "total"},
		Texts("ConsoleLogin", "PutObject", nil), Ints(column.IntegerType, 5, 6, 7))
}

// JoinTables are the tables that the tests of joins use: keys that are NULL,
// that come more than once on either side, and that the other side lacks.
func JoinTables() Catalog {
	at := func(m int) time.Time { return time.Date(2026, 3, 1, 8, m, 0, 0, time.UTC) }
	return Catalog{
		TableOf("ja", []string{"id", "k", "n", "d", "s"},
			Ints(column.BigIntType, 1, 2, 3, 4, 5, 6, 7, 8, 9),
			Texts("a", "b", nil, "b", "c", "d", nil, "é", ""),
			Ints(column.IntegerType, 10, 20, 30, nil, 20, 5, 10, 20, nil),
			Doubles(0.5, 1.5, nil, 2.5, 1.5, -0.5, 0.5, nil, 7.5),
			Ints(column.TimestampType, at(0), at(10), at(20), at(30), nil, at(50), at(10), at(10), at(59))),
		TableOf("jb", []string{"id", "k", "m", "d", "s"},
			Ints(column.IntegerType, 1, 1, 3, 4, nil, 6, 11, 12, 9, 4),
			Texts("b", "a", "b", nil, "c", "x", nil, "b", "", "é"),
			Ints(column.BigIntType, 20, 10, 7, 10, 20, nil, 1, 30, nil, 20),
			Doubles(1.5, 0.5, nil, 2.5, 7.5, 1.5, -0.5, nil, 0.5, 3.5),
			Ints(column.TimestampType, at(5), at(10), at(25), nil, at(30), at(10), at(1), at(45), at(59), at(0))),
		TableOf("jc", []string{"k", "w"},
			Texts("a", "b", "b", "z", nil),
			Ints(column.BigIntType, 100, 200, 201, 900, 0)),
		TableOf("jz", []string{"id", "k", "n"},
			Ints(column.BigIntType), Texts(), Ints(column.IntegerType)),
	}
}
