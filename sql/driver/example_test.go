package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cairndb/cairn/engine"
	_ "github.com/cairndb/cairn/sql/driver"
)

// A lake that a program has filled is asked through database/sql.
func Example() {
	dir, err := os.MkdirTemp("", "lake")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit")
	if err := fillExample(path); err != nil {
		log.Fatal(err)
	}

	db, err := sql.Open("cairn", path) // or cairn://anna:password@db.example.com:5433/
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(context.Background(),
		"SELECT eventName, count(*) FROM events WHERE awsRegion = ? GROUP BY eventName ORDER BY 2 DESC", "eu-west-1")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, n)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// GetObject 2
	// PutObject 1
}

func fillExample(path string) error {
	lake, err := engine.Open(path, nil)
	if err != nil {
		return err
	}
	defer lake.Close()
	ctx := context.Background()
	store, err := lake.CreateStore(ctx, "events")
	if err != nil {
		return err
	}
	_, err = store.Append(ctx, [][]byte{event(0), event(1), event(2)})
	return err
}
