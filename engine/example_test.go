package engine_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
)

const exampleEvent = `{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","userName":"ann"},"eventTime":"2026-03-01T09:30:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","requestParameters":{"userName":"bob"},"eventID":"6f6a9d3e-6a5a-4d0a-9d6e-0c0f4b1f2a11","readOnly":false}`

// In a program of your own, leave FS out: the lake is then a directory on disk.
func ExampleOpen() {
	ctx := context.Background()
	lake, err := engine.Open("audit", &engine.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer lake.Close()

	store, err := lake.CreateStore(ctx, "events")
	if err != nil {
		log.Fatal(err)
	}
	verdicts, err := store.Append(ctx, [][]byte{[]byte(exampleEvent), []byte(exampleEvent), []byte(`{"eventVersion":"1.09"}`)})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range verdicts {
		fmt.Printf("%s %q\n", v.Status, v.Reason)
	}
	// Output:
	// stored ""
	// duplicate ""
	// refused "missing eventTime"
}

func ExampleLake_Query() {
	ctx := context.Background()
	lake, err := engine.Open("audit", &engine.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer lake.Close()
	store, err := lake.CreateStore(ctx, "events")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Append(ctx, [][]byte{[]byte(exampleEvent)}); err != nil {
		log.Fatal(err)
	}

	rows, err := lake.Query(ctx, `SELECT userIdentity.userName, eventName, element_at(requestParameters, 'userName')
		FROM events WHERE readOnly = false AND eventTime > ?`, "2026-01-01 00:00:00")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		for row := range batch.Len {
			for _, col := range batch.Cols {
				values, i := col.Leaf(row)
				fmt.Print(values.Str[i], " ")
			}
			fmt.Println()
		}
	}
	// Output:
	// ann CreateUser bob
}

func ExampleStore_Lookup() {
	ctx := context.Background()
	lake, err := engine.Open("audit", &engine.Options{FS: vfs.NewMem()})
	if err != nil {
		log.Fatal(err)
	}
	defer lake.Close()
	store, err := lake.CreateStore(ctx, "events")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Append(ctx, [][]byte{[]byte(exampleEvent)}); err != nil {
		log.Fatal(err)
	}

	found, err := store.Lookup(ctx, engine.LookupRequest{Attributes: map[string]string{"Username": "ann"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range found.Events {
		fmt.Println(e.EventTime.Format("15:04"), e.EventName, len(e.Record), "bytes")
	}
	// Output:
	// 09:30 CreateUser 297 bytes
}
