package enrich

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is a file of testdata/golden: one behaviour, with records before and after.
type golden struct {
	About   string
	Tag     string
	Options []string // "name value"
	Records []struct{ In, Out json.RawMessage }
}

// Each behaviour on whole records: names, values and their order. A second pass changes nothing.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(text, &g); err != nil {
				t.Fatal(err)
			}
			f := newFilter(t, g.Options...)
			for i := range g.Records {
				r := &g.Records[i]
				in := msgpackOf(t, string(r.In))
				for _, modern := range []bool{true, false} {
					once := apply(f, chunkOf(modern, in), g.Tag)
					if twice := apply(f, once, g.Tag); string(twice) != string(once) {
						t.Errorf("%s: a second pass changes % x to % x", r.In, once, twice)
					}
				}
				got := applyJSON(t, f, g.Tag, string(r.In))
				if *update {
					r.Out = json.RawMessage(got)
				} else if want := compact(t, string(r.Out)); got != want {
					t.Errorf("%s\ngives    %s\nexpected %s", r.In, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(path, g.text(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// text is the golden file.
func (g *golden) text() []byte {
	var b strings.Builder
	quote := func(s string) string {
		var q strings.Builder
		e := json.NewEncoder(&q)
		e.SetEscapeHTML(false)
		_ = e.Encode(s) // a string cannot fail
		return strings.TrimSuffix(q.String(), "\n")
	}
	fmt.Fprintf(&b, "{\n  \"about\": %s,\n  \"tag\": %s,\n  \"options\": [", quote(g.About), quote(g.Tag))
	for i, o := range g.Options {
		b.WriteString(strings.Repeat(",", min(i, 1)) + "\n    " + quote(o))
	}
	if len(g.Options) > 0 {
		b.WriteString("\n  ")
	}
	b.WriteString("],\n  \"records\": [\n")
	for i, r := range g.Records {
		fmt.Fprintf(&b, "    {\n      \"in\":  %s,\n      \"out\": %s\n    }%s\n", r.In, r.Out, strings.Repeat(",", min(1, len(g.Records)-1-i)))
	}
	b.WriteString("  ]\n}\n")
	return []byte(b.String())
}
