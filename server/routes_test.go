package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestRoutesAreInTheTable: whatever the HTTP listener answers is made from the table of routes, where
// each has a rule, and nowhere else; what the socket of this machine answers belongs to control, which
// asks the system who is at the other end.
func TestRoutesAreInTheTable(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	made := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(fset, file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			ofControl := false
			if f, ok := decl.(*ast.FuncDecl); ok {
				ofControl = f.Name.Name == "openControl" || f.Recv != nil && receiver(f) == "control"
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || f.Sel.Name != "Handle" && f.Sel.Name != "HandleFunc" || ofControl {
					return true
				}
				pattern, ok := call.Args[0].(*ast.SelectorExpr)
				if !ok || pattern.Sel.Name != "Pattern" {
					t.Errorf("%s: a route is made that is not in the table of routes, where it would have a rule", fset.Position(call.Pos()))
				}
				made++
				return true
			})
		}
	}
	if made != 1 {
		t.Errorf("routes are made at %d places: this test looks for them the wrong way, or there is another one", made)
	}
}

// receiver is the name of the type that a method belongs to.
func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}
