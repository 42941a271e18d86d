// Command lint holds a work tree to the rules of this project that gofmt, vet
// and staticcheck do not know: who may import whom, where C may live, and what
// must not be left lying in the tree.
//
//	lint [folder]
//
// It prints one line per finding, `file:line: what: the rule`, and exits 1 if
// there was any. It reads the files themselves rather than asking `go list`:
// build tags, CGO_ENABLED=0 and code that does not compile yet hide nothing.
package main

import (
	"fmt"
	"os"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	found, err := check(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	for _, f := range found {
		fmt.Println(f)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}
