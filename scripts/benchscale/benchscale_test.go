package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every axis has a name of its own and cases that give something.
func TestAxes(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range axes() {
		if seen[a.name] || len(a.cases) < 2 {
			t.Errorf("%s: twice, or %d cases", a.name, len(a.cases))
		}
		seen[a.name] = true
		for _, s := range a.cases {
			if s.label == "" || s.plugin == "" || s.records < 1 || s.passes < 1 || s.tags > 1 && s.chunks > 1 {
				t.Errorf("%s: %+v", a.name, s)
			}
			if (s.plugin == enrich) != (s.workers == 0) {
				t.Errorf("%s, %s: %d workers", a.name, s.label, s.workers)
			}
		}
	}
}

func TestTable(t *testing.T) {
	a := axis{name: "tags-enrich", what: "enrich", target: 1.3, cases: []setting{{label: "1 tag"}, {label: "100 tags"}}}
	table := newTable(a, [][]cost{{{100, 5}, {200, 5}, {100, 5}}, {{150, 4}, {220, 4}, {120, 4}}})
	md := table.markdown()
	for _, want := range []string{"| 1 tag | 100 (100–200) | 1 | 5 (5–5) |", "| 100 tags | 150 (120–220) | 1.20 (1.10–1.50), target ≤ 1.3: met | 4 (4–4) |"} {
		if !strings.Contains(md, want) {
			t.Errorf("%s lacks %s", md, want)
		}
	}
	table.Lines[1].Ratio = []float64{1.4}
	if !strings.Contains(table.markdown(), "missed") {
		t.Error("1.4 is met")
	}
}

// A table that is measured again takes the place of its predecessor; the others stay, in the order of the axes.
func TestResult(t *testing.T) {
	out := filepath.Join(t.TempDir(), "scale.md")
	for _, name := range []string{"series", "tags-enrich", "series"} {
		r, err := load(out)
		if err != nil {
			t.Fatal(err)
		}
		r.put(Table{Name: name, What: "x"})
		if err := r.save(out); err != nil {
			t.Fatal(err)
		}
	}
	md, err := os.ReadFile(out)
	if err != nil || strings.Count(string(md), "\n## ") != 2 || strings.Index(string(md), "## series") < strings.Index(string(md), "## tags-enrich") {
		t.Errorf("%v\n%s", err, md)
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
	f(`"tags" is none of tags-enrich`, "-only", "tags")
	f("rounds from 1", "-rounds", "0")
	f("unexpected argument", "x")
}
