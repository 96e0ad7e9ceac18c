package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/cairndb/cairn"

// leaves may be imported by everyone and import nothing of ours, except that
// event describes its tables in the types of column.
var leaves = []string{"engine/event", "segment/column", "engine/proof", "engine/crypt", "engine/crypt/keeper"}

// A rule says what packages of this module a package may import, leaves aside.
// The first rule whose pattern fits a package holds for it. Patterns are those
// of path.Match; a trailing /... fits the package and all below it.
var rules = []struct {
	pkg string
	may []string
	why string
}{
	{"segment/column", nil, "column is a leaf: the shape of values must not depend on who stores them"},
	{"engine/event/generate", nil, "sample events are made from nothing, so that tests of every layer may use them"},
	{"engine/event", []string{"segment/column"}, "event is a leaf; only its table schemas are written in column types"},
	{"engine/proof", nil, "proof is a leaf: an auditor must be able to read it alone"},
	{"engine/crypt/keeper", nil, "keepers are used by whoever reads a bundle, without lakes"},
	{"engine/crypt", []string{"engine/crypt/keeper"}, "crypt is a leaf: it lies below every file"},

	{"wal", nil, "the log takes and gives bytes and knows nothing of what is in them"},
	{"index", nil, "index does not know its storage siblings; engine brings them together"},
	{"segment", nil, "segment does not know its storage siblings; engine brings them together"},

	{"sql/sqlerr", nil, "errors are below every SQL stage"},
	{"sql/parse", []string{"sql/sqlerr"}, "the front end knows text and trees only"},
	{"sql/fn", []string{"sql/sqlerr"}, "functions know values only"},
	{"sql/plan", []string{"sql/sqlerr", "sql/parse", "sql/fn"}, "the planner sees storage only through its own Table interface"},
	{"sql/exec/spill", []string{"sql/sqlerr"}, "what is put aside is columns; who keeps the files is asked through an interface"},
	{"sql/exec", []string{"sql/sqlerr", "sql/plan", "sql/fn", "sql/exec/spill"}, "operators run plans, they do not parse"},
	{"sql/driver", []string{"engine", "sql", "sql/fn"}, "the driver opens lakes for other programs, and reaches servers by their protocol alone"},
	{"sql/...", []string{"sql/..."}, "SQL must run over any table, without a store"},

	{"engine/enginetest/crashmem", nil, "tests of every layer crash files with it"},
	{"engine/enginetest", []string{"testdata/samples", "engine", "engine/...", "wal", "segment", "index", "sql"}, "the crash harness is test code"},
	{"engine/memtable", []string{"segment"}, "rows not yet sealed are read as segments are"},
	{"engine/archive", []string{"engine/digest"}, "an archive is verified without storage"},
	{"engine/trail", []string{"engine/digest"}, "a trail asks for what it needs through its own interface"},
	{"engine/insight/simulate", []string{"engine/insight"}, "the measurement sees the detector from outside"},
	{"engine/*", nil, "the parts of the engine know neither the engine nor each other"},
	{"engine", []string{"engine/*", "wal", "segment", "index", "sql", "sql/plan", "sql/sqlerr", "sql/exec/spill"}, "engine is where storage and SQL meet, through the front door of each"},

	{"server/auth", []string{"engine"}, "protocols and sign-in do not know each other"},
	{"server/pg/catalog", []string{"sql/plan", "sql/fn", "sql/sqlerr"}, "the catalogue stands in front of any catalogue of tables"},
	{"server/api", []string{"engine", "engine/trail", "engine/insight", "engine/logfile", "engine/mapping", "server/auth", "sql", "sql/sqlerr", "sql/fn", "testdata/samples"}, "the protocol of AWS's clients speaks of everything that the engine does"},
	{"server/*", []string{"engine", "server/auth", "sql", "sql/plan", "sql/sqlerr", "sql/fn"}, "protocol packages do not import each other"},
	{"server", []string{"engine", "engine/mapping", "server/*", "server/pg/catalog", "sql"}, "the server composes"},

	{"cmd/cairn-verify", []string{"engine/digest", "engine/archive"}, "the verifier must be auditable alone"},
	{"testdata/samples", nil, "the sample queries are text"},
	{"cmd/cairn", []string{"testdata/samples", "engine", "engine/archive", "engine/digest", "engine/bucket", "engine/topic", "engine/trail", "engine/event/generate", "engine/insight", "engine/insight/simulate", "engine/logfile", "engine/mapping", "server", "server/api", "server/auth", "sql", "sql/driver", "sql/sqlerr", "sql/fn"}, "the program turns flags into calls and results into text"},
}

// outside says which packages may import a library directly, where not all may.
var outside = []struct {
	lib string
	may []string
	why string
}{
	{"github.com/pingcap/tidb/pkg/parser/...", []string{"sql/parse"}, "only the front end knows whose grammar carries ours"},
	{"github.com/cockroachdb/pebble/v2/vfs/...", nil, ""}, // the one file system interface, for all
	{"github.com/cockroachdb/pebble/v2/...", []string{"engine/lsm"}, "only lsm knows the key-value store"},
	{"gocloud.dev/...", []string{"engine/bucket", "engine/topic", "cmd/*"}, "buckets and key services are reached through interfaces of ours"},
	{"github.com/spf13/cobra", []string{"cmd/*"}, "flags are the program's business"},
}

func fits(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	ok, _ := path.Match(pattern, pkg)
	return ok
}

func anyFits(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if fits(p, pkg) {
			return true
		}
	}
	return false
}

// TestImports holds the package map of DESIGN.md against what the packages
// really import, test files aside.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		pkg := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imp := range p.Imports {
			if why, ok := allowed(pkg, imp); !ok {
				t.Errorf("%s imports %s: %s", pkg, strings.TrimPrefix(imp, module+"/"), why)
			}
		}
	}
	if seen < 10 {
		t.Errorf("go list names %d packages; is the module whole?", seen)
	}
}

func allowed(pkg, imp string) (why string, ok bool) {
	own, isOurs := strings.CutPrefix(imp, module+"/")
	if !isOurs {
		for _, o := range outside {
			if fits(o.lib, imp) {
				return o.why, o.may == nil || anyFits(o.may, pkg)
			}
		}
		return "", true
	}
	if fits("engine/enginetest/...", own) {
		return "test code must not become part of the product", false
	}
	for _, r := range rules {
		if fits(r.pkg, pkg) {
			return r.why, anyFits(r.may, own) || (anyFits(leaves, own) && !anyFits(leaves, pkg))
		}
	}
	return "no rule speaks of this package; give it one here and a line in DESIGN.md", false
}

// TestImportRules makes sure that the rules can say no.
func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		pkg, imp string
		ok       bool
	}{
		{"engine", module + "/segment", true},
		{"segment", module + "/index", false},
		{"wal", module + "/engine/event", true},
		{"engine/event", module + "/engine/proof", false},
		{"engine/memtable", module + "/engine", false},
		{"engine/memtable", module + "/segment", true},
		{"sql/exec", module + "/sql/parse", false},
		{"sql/plan", module + "/engine", false},
		{"sql/plan", "github.com/pingcap/tidb/pkg/parser/ast", false},
		{"engine", "github.com/cockroachdb/pebble/v2", false},
		{"engine", "github.com/cockroachdb/pebble/v2/vfs", true},
		{"cmd/cairn", module + "/engine/enginetest", false},
		{"engine/crypt", module + "/engine/enginetest/crashmem", false},
		{"sql/driver", module + "/engine", true},
		{"sql/driver", module + "/server/pg", false},
		{"sql/exec", module + "/sql/driver", false},
		{"engine", module + "/sql/driver", false},
		{"attic", module + "/engine", false},
	} {
		if _, ok := allowed(c.pkg, c.imp); ok != c.ok {
			t.Errorf("%s importing %s: allowed = %v, want %v", c.pkg, c.imp, ok, c.ok)
		}
	}
}
