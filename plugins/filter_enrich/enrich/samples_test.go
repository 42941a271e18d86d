package enrich

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

// The lines of testdata/trace, of real loggers and in documented forms, get the ids that stand beside them: as the JSON
// that a parser makes of them, and as text in the field log, as container runtimes have it.
func TestSamples(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/trace/*.log")
	if err != nil || len(paths) < 10 {
		t.Fatal("samples are missing", paths, err)
	}
	filter := newFilter(t, "from_message log")
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		read := func(path string) []string {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		}
		lines, ids := read(path), read(strings.TrimSuffix(path, "log")+"ids")
		if len(lines) != len(ids) {
			t.Errorf("%s: %d lines, %d ids", name, len(lines), len(ids))
			continue
		}
		check := func(form, line, want string, body []byte) {
			t.Helper()
			once := apply(filter, chunkOf(true, body), "t")
			out := bodiesOf(once)[0]
			get := func(name string) string {
				v, _ := mustPath(name).Find(out)
				if text := string(v.AppendText(nil)); text != "" && strings.Trim(text, "0") != "" {
					return text
				}
				return "-"
			}
			if got := get("trace_id") + " " + get("span_id"); got != want {
				t.Errorf("%s as %s: %s, want %s\n%s\n%s", name, form, got, want, line, record.AppendJSON(nil, out))
			}
			if twice := apply(filter, once, "t"); string(twice) != string(once) {
				t.Errorf("%s as %s: a second pass changes %s", name, form, line)
			}
		}
		for i, line := range lines {
			check("text", line, ids[i], msgp.AppendString([]byte("\x81\xa3log"), line))
			if strings.HasPrefix(line, "{") {
				check("JSON", line, ids[i], msgpackOf(t, line))
			}
		}
	}
}
