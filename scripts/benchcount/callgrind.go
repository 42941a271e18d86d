package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// readCallgrind returns the instructions of a run by function of the object with this file name, each function's own
// without what it calls. The format: valgrind's manual, "Callgrind Format Specification".
func readCallgrind(path, object string) (map[string]int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	objects, functions := names{}, names{}
	counts := map[string]int64{}
	var function string
	inObject, ofCall := false, false
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		key, value, _ := strings.Cut(line, "=")
		switch {
		case key == "ob":
			inObject = filepath.Base(objects.of(value)) == object
		case key == "fn":
			function = functions.of(value)
		case key == "cob":
			objects.of(value)
		case key == "cfn":
			functions.of(value)
		case key == "calls":
			ofCall = true // the next line is the cost of what was called
		case line == "" || line[0] != '+' && line[0] != '-' && line[0] != '*' && (line[0] < '0' || line[0] > '9'):
		case ofCall:
			ofCall = false
		default:
			_, cost, ok := strings.Cut(line, " ")
			n, err := strconv.ParseInt(cost, 10, 64)
			if !ok || err != nil {
				return nil, fmt.Errorf("%s: %q is no cost line", path, line)
			}
			if inObject {
				counts[function] += n
			}
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if len(counts) == 0 {
		return nil, fmt.Errorf("%s has no instructions of %s", path, object)
	}
	return counts, nil
}

// names undoes the compression of names: "(3) a name" at first, "(3)" from then on.
type names map[string]string

func (n names) of(value string) string {
	id, name, full := strings.Cut(value, ") ")
	id = strings.TrimSuffix(id, ")")
	if full {
		n[id] = name
	}
	return n[id]
}
