package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestDemoServes runs cairn demo --serve, asks the server that it tells of, and interrupts it.
func TestDemoServes(t *testing.T) {
	t.Setenv("CAIRN_PG", "127.0.0.1:0")
	t.Setenv("CAIRN_HTTP", "off")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var said lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "-n", "3000", "--serve"}, strings.NewReader(""), &said, &said)
	}()
	address := regexp.MustCompile(`psql "(host=\S+ port=\d+ dbname=cairn user=\S+)"`)
	var dsn string
	for deadline := time.Now().Add(2 * time.Minute); dsn == ""; time.Sleep(10 * time.Millisecond) {
		if m := address.FindStringSubmatch(said.String()); m != nil {
			dsn = m[1]
		}
		select {
		case status := <-ended:
			t.Fatalf("the demo ended with %d: %s", status, said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not say where it serves: %s", said.String())
		}
	}
	var c *pgx.Conn
	var err error
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if c, err = pgx.Connect(ctx, dsn+" sslmode=disable"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	var n int
	if err := c.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil || n < 3000 {
		t.Errorf("%d events, %v", n, err)
	}
	c.Close(ctx)
	stop()
	select {
	case status := <-ended:
		if status != 0 {
			t.Errorf("the demo ended with %d: %s", status, said.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("the demo does not end")
	}
}
