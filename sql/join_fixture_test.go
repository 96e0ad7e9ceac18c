package sql_test

import (
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqltest"
)

// joinTables are the tables that the tests of joins use: keys that are NULL,
// that come more than once on either side, and that the other side lacks.
func joinTables() sqltest.Catalog {
	at := func(m int) time.Time { return time.Date(2026, 3, 1, 8, m, 0, 0, time.UTC) }
	return sqltest.Catalog{
		tableOf("ja", []string{"id", "k", "n", "d", "s"},
			ints(column.BigIntType, 1, 2, 3, 4, 5, 6, 7, 8, 9),
			text("a", "b", nil, "b", "c", "d", nil, "é", ""),
			ints(column.IntegerType, 10, 20, 30, nil, 20, 5, 10, 20, nil),
			doubles(0.5, 1.5, nil, 2.5, 1.5, -0.5, 0.5, nil, 7.5),
			ints(column.TimestampType, at(0), at(10), at(20), at(30), nil, at(50), at(10), at(10), at(59))),
		tableOf("jb", []string{"id", "k", "m", "d", "s"},
			ints(column.IntegerType, 1, 1, 3, 4, nil, 6, 11, 12, 9, 4),
			text("b", "a", "b", nil, "c", "x", nil, "b", "", "é"),
			ints(column.BigIntType, 20, 10, 7, 10, 20, nil, 1, 30, nil, 20),
			doubles(1.5, 0.5, nil, 2.5, 7.5, 1.5, -0.5, nil, 0.5, 3.5),
			ints(column.TimestampType, at(5), at(10), at(25), nil, at(30), at(10), at(1), at(45), at(59), at(0))),
		tableOf("jc", []string{"k", "w"},
			text("a", "b", "b", "z", nil),
			ints(column.BigIntType, 100, 200, 201, 900, 0)),
		tableOf("jz", []string{"id", "k", "n"},
			ints(column.BigIntType), text(), ints(column.IntegerType)),
	}
}
