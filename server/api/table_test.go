package api_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cairndb/cairn/server/api"
)

var rewrite = flag.Bool("rewrite", false, "write API.md anew")

// TestTable holds the table of operations against server/API.md:
//
//	go test ./server/api -run Table -rewrite
func TestTable(t *testing.T) {
	const path = "../API.md"
	page := api.Page()
	if *rewrite {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != page {
		t.Errorf("server/API.md is not what the table is (%v): go test ./server/api -run Table -rewrite", err)
	}
	for _, r := range api.Rules() {
		if r.Action == 0 {
			t.Errorf("%s has no rule", r.Operation)
		}
	}
}
