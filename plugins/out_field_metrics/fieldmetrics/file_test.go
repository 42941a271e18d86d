package fieldmetrics

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One file for each thing that can be wrong with a rule. It ends with what is said about it, a comment a line; the error
// is that and nothing else, with the file's name and the line.
func TestInvalidFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			content, want, _ := strings.Cut(string(b), "# error: ")
			// The comments are no part of what is read: they stand in no place where YAML minds.
			path := filepath.Join(t.TempDir(), "metrics.yaml")
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err = readMetrics(path)
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), path+":", "")
			if strings.Count(err.Error(), path+":") < strings.Count(err.Error(), "\n")+1 {
				t.Errorf("a line does not begin with the file: %v", err)
			}
			want = strings.ReplaceAll(strings.TrimSpace(want), "\n# error: ", "\n")
			if *update {
				content += "# error: " + strings.ReplaceAll(got, "\n", "\n# error: ") + "\n"
				if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Whatever is in a file, reading it ends soon, and either way is complete: metrics that a start can use, or errors that
// say where.
func FuzzReadMetrics(f *testing.F) {
	for _, glob := range []string{"testdata/invalid/*.yaml", "testdata/golden/*/metrics.yaml", "../../../conf/metrics.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", glob, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(b))
		}
	}
	f.Fuzz(func(t *testing.T, content string) {
		file := filepath.Join(t.TempDir(), "metrics.yaml")
		write(t, file, content)
		rules, err := readMetrics(file)
		if err != nil {
			if rules != nil || !strings.HasPrefix(err.Error(), file+":") {
				t.Errorf("%d metrics, and: %v", len(rules), err)
			}
			return
		}
		for i := range rules {
			if rules[i].MaxSeries > 10_000 { // the table is allocated as it grows, the initial series are not many
				rules[i].MaxSeries = 10_000
			}
		}
		p, err := newPlugin(slog.New(slog.DiscardHandler), &instanceConfig{Rules: rules, TraceField: path(t, "trace_id"), SpanField: path(t, "span_id")})
		if err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		data := events(rec("level", "info", "status", 503, "v", "12ms", "trace_id", trace), rec("status", "x"))
		p.count(data, "app.web")
		if _, err := p.registry.Gather(); err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
	})
}
