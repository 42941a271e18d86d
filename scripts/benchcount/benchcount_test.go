package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A function's cost is its own: the line below calls= is what the called one took.
func TestReadCallgrind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	text := `version: 1
events: Ir
positions: line

ob=(1) /lib/libc.so.6
fl=(1) memcpy.c
fn=(1) memcpy
1 100

ob=(2) bin/out_x.so
fl=(2)
fn=(2) flbgo/plugins/x.Flush
0 10
+3 5
cob=(1)
cfi=(1)
cfn=(1)
calls=4 0
* 100
cfn=(3) runtime.(*m).do
calls=1 0
-2 7
9 1
fn=(3)
0 7

totals: 223
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readCallgrind(path, "out_x.so")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["flbgo/plugins/x.Flush"] != 16 || got["runtime.(*m).do"] != 7 {
		t.Errorf("%v", got)
	}
	if _, err := readCallgrind(path, "other.so"); err == nil {
		t.Error("no error without a cost")
	}
}

func TestPerRecord(t *testing.T) {
	c := perRecord(
		map[string]int64{"flbgo/plugins/x.init": 1000, "flbgo/plugins/x.Flush": 100},
		map[string]int64{"flbgo/plugins/x.init": 1000, "flbgo/plugins/x.Flush": 1100, "runtime.memmove": 500, "runtime.mallocgc": 200, "runtime.mapaccess1": 5},
		10)
	if c.Own != 150.5 || c.Runtime != 20 || len(c.Functions) != 3 || c.Functions["plugins/x.Flush"] != 100 {
		t.Errorf("%+v", c)
	}
}

func TestCompare(t *testing.T) {
	before := Count{Own: 1000, Runtime: 60, Functions: map[string]float64{"a": 600, "b": 400}}
	f := func(after Count, more bool, want string) {
		t.Helper()
		text, got := compare("x", before, after, 1)
		if got != more || !strings.Contains(text, want) {
			t.Errorf("%v, %s", got, text)
		}
	}
	f(Count{1009, 60, nil}, false, "as recorded")
	f(Count{1011, 60, map[string]float64{"a": 600, "b": 411}}, true, "+11.0  b")
	f(Count{1000, 90, nil}, true, "MORE")
	f(Count{900, 60, map[string]float64{"a": 500, "c": 400}}, false, "fewer")
	f(Count{900, 60, map[string]float64{"a": 500, "c": 400}}, false, "-400.0  b")
}

// What is recorded is of paths that are there.
func TestRecorded(t *testing.T) {
	file := filepath.Join("..", "..", "testdata", "bench", "instructions.json")
	r, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pathNames() {
		if r.Paths[name].Own == 0 {
			t.Errorf("nothing is recorded for %s: make bench-count BENCH=-record", name)
		}
	}
	md, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".md")
	if err != nil || string(md) != r.markdown() {
		t.Errorf("the Markdown does not say what the JSON file says: make bench-count BENCH=-record; %v", err)
	}
}

func TestFlags(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: %d, %s", args, code, errs.String())
		}
	}
	f(`"kafka" is none of enrich`, "-paths", "kafka")
	f("percent from 0", "-tolerance", "-1")
	f("unexpected argument", "x")
}
