package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// module is the product's. scripts/ is a module of its own, whose packages are
// under the same prefix, so that a package's path is always its folder's.
const module = "flbgo/"

var (
	// cgoFiles are the only Go files that may import "C".
	cgoFiles = regexp.MustCompile(`^(plugins/[^/]+/exports\.go|shared/host/native\.go|shared/testkit/.+\.go)$`)
	// cFiles are the only C sources; headers may lie beside them.
	cFiles = regexp.MustCompile(`^((plugins/[^/]+|shared/host)/(native\.c|[^/]+\.h)|shared/testkit/.+)$`)
	// foreign is everything that cgo would compile or link beside Go.
	foreign = regexp.MustCompile(`\.(c|h|cc|cpp|cxx|hh|hpp|hxx|m|s|S|sx|syso|f|F|for|f90|swig|swigcxx)$`)
)

const cgoRule = "C lives only in plugins/*/{exports.go,native.c}, shared/host/native.{go,c} and shared/testkit"

// cSource reports C sources outside the files that may hold C.
func cSource(file string) []finding {
	if foreign.MatchString(file) && !cFiles.MatchString(file) {
		return []finding{{file, 0, "C source", cgoRule}}
	}
	return nil
}

// goImports reports the imports of one Go file that break a rule, and the file
// itself if its imports cannot be read.
func goImports(file string, content []byte) []finding {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, content, parser.ImportsOnly)
	if err != nil {
		return []finding{{file, 0, "not Go", err.Error()}}
	}
	var found []finding
	for _, spec := range parsed.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser accepts only what unquotes
		}
		if rule := brokenRule(file, target); rule != "" {
			found = append(found, finding{file, fset.Position(spec.Pos()).Line, fmt.Sprintf("imports %q", target), rule})
		}
	}
	return found
}

// brokenRule names the rule that file breaks by importing target, or is empty.
// The arrows: plugins/x → its logic packages → shared/{chunk,record,option,…};
// plugins/x → shared/host. Tests follow the same arrows, and testkit besides.
func brokenRule(file, target string) string {
	if target == "C" {
		if cgoFiles.MatchString(file) {
			return ""
		}
		return cgoRule
	}
	to, ours := strings.CutPrefix(target, module)
	if !ours {
		return ""
	}
	from := path.Dir(file)
	fromPlugin, logic := plugin(from)
	toPlugin, _ := plugin(to)
	switch {
	case toPlugin != "" && under(from, "shared"):
		return "shared never imports plugins"
	case toPlugin != "" && fromPlugin != "" && toPlugin != fromPlugin:
		return "a plugin never imports another plugin"
	case under(to, "shared/host") && fromPlugin != "" && logic:
		return "logic never imports shared/host; only the plugin's own main package does"
	case under(to, "shared/host") && under(from, "shared") && !under(from, "shared/host") && !under(from, "shared/testkit"):
		return "what logic imports never imports shared/host"
	case under(to, "shared/testkit") && !strings.HasSuffix(file, "_test.go") && !under(from, "shared/testkit") && !under(from, "scripts"):
		return "shared/testkit is for tests"
	case under(to, "scripts") && !under(from, "scripts"):
		return "scripts is a module of its own; the product never imports it"
	}
	return ""
}

// plugin returns the plugin that a package folder belongs to, "" for none, and
// whether the folder is one of its logic packages.
func plugin(folder string) (name string, logic bool) {
	rest, ok := strings.CutPrefix(folder, "plugins/")
	if !ok {
		return "", false
	}
	name, _, logic = strings.Cut(rest, "/")
	return name, logic
}

// under tells whether folder is top or lies below it.
func under(folder, top string) bool {
	return folder == top || strings.HasPrefix(folder, top+"/")
}
