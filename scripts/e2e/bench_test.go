package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A short bench has all rows, with numbers in every one of them. How large they are is no test's business.
func TestBenchPeers(t *testing.T) {
	want := []string{"kafka_batch", "kafka_batch_worker", "kafka_batch_ids", "enrich", "enrich_modify", "enrich_lua",
		"field_metrics", "field_metrics_timer", "whole", "whole_tuned",
		"kafka_batch_small", "enrich_small", "field_metrics_small", "whole_small",
		"kafka_batch_large", "enrich_large", "field_metrics_large", "whole_large"}
	dir := t.TempDir()
	program := filepath.Join(dir, "bench")
	if out, err := exec.Command("go", "build", "-o", program, "flbgo/scripts/bench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program, "-lines", "20000", "-rounds", "1", "-check", "200", "-latency", "1s", "-out", dir)
			cmd.Env = append(os.Environ(), "FLUENT_BIT="+h.Path, "TMPDIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			b, err := os.ReadFile(filepath.Join(dir, "peers-"+h.Version+".json"))
			if err != nil {
				t.Fatal(err)
			}
			type stat struct{ Median float64 }
			var rows []struct {
				Name, Skipped, Same string
				Ours, Builtin       []struct {
					CPU float64 `json:"cpu_seconds"`
				}
				Measures []struct {
					Name          string
					Ours, Builtin stat
				}
			}
			if err := json.Unmarshal(b, &rows); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range rows {
				names = append(names, r.Name)
				if len(r.Ours) != 1 || r.Ours[0].CPU <= 0 {
					t.Errorf("%s: no run of ours: %+v", r.Name, r)
				}
				if r.Skipped != "" {
					t.Logf("%s: peer skipped: %s", r.Name, r.Skipped)
				} else if len(r.Builtin) != 1 || r.Builtin[0].CPU <= 0 {
					t.Errorf("%s: no run of the built-in, which is not said to be skipped", r.Name)
				}
				if strings.HasPrefix(r.Same, "NOT") {
					t.Errorf("%s: %s", r.Name, r.Same)
				}
				for _, m := range r.Measures {
					// With so few lines the cost above the null run may be lost in it.
					if m.Name != "CPU per record" && (m.Ours.Median <= 0 || r.Skipped == "" && m.Builtin.Median <= 0) {
						t.Errorf("%s: %s: ours %v, built-in %v", r.Name, m.Name, m.Ours.Median, m.Builtin.Median)
					}
				}
			}
			if !slices.Equal(names, want) {
				t.Errorf("rows %v", names)
			}
		})
	}
}
