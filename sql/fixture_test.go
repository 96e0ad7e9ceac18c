package sql_test

import "github.com/cairndb/cairn/sql/sqltest"

// The tables of the logic tests, and what they are made with.
var (
	text       = sqltest.Texts
	ints       = sqltest.Ints
	rowOf      = sqltest.RowOf
	tableOf    = sqltest.TableOf
	bigTable   = sqltest.BigTable
	fixture    = sqltest.Fixture
	joinTables = sqltest.JoinTables
)
