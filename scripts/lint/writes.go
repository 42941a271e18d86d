package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

const modeRule = "what plugins write is for their own user alone: os.OpenFile or os.WriteFile with mode 0o600, folders with 0o700, os.CreateTemp and os.MkdirTemp"

// modeAt says which argument of a function of package os is the mode, and what it has to be; -1 where the mode cannot be
// said, and others may read the file.
var modeAt = map[string]struct {
	arg  int
	mode int64
}{
	"Create": {-1, 0}, "OpenFile": {2, 0o600}, "WriteFile": {2, 0o600}, "Mkdir": {1, 0o700}, "MkdirAll": {1, 0o700}, "Chmod": {1, 0o600},
}

// fileModes reports files that the product would write for more than its own user. Tests may.
func fileModes(file string, content []byte) []finding {
	product := (under(file, "plugins") || under(file, "shared")) && !under(file, "shared/testkit")
	if !product || strings.HasSuffix(file, "_test.go") {
		return nil
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, content, 0)
	if err != nil {
		return nil // goImports has said so, or the compiler will
	}
	var found []finding
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		of, ok := f.X.(*ast.Ident)
		want, writes := modeAt[f.Sel.Name]
		if !ok || of.Name != "os" || !writes {
			return true
		}
		if want.arg >= 0 && want.arg < len(call.Args) {
			if lit, ok := call.Args[want.arg].(*ast.BasicLit); ok {
				if mode, err := strconv.ParseInt(lit.Value, 0, 64); err == nil && mode == want.mode {
					return true
				}
			}
		}
		found = append(found, finding{file, fset.Position(call.Pos()).Line, "os." + f.Sel.Name, modeRule})
		return true
	})
	return found
}
