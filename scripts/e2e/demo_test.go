package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flbgo/scripts/internal/prometheus"
)

// The demo with a Prometheus beside it, in a short form: it prints where to look, what the rules made of the run, and
// ends as the demo does.
func TestDemoFull(t *testing.T) {
	t.Parallel()
	need(t, prometheus.Program)
	h := hosts[len(hosts)-1]
	demo := filepath.Join(t.TempDir(), "demo")
	build := exec.Command("go", "build", "-o", demo, "./demo")
	build.Dir = filepath.Join(root, "scripts")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), demo, "-prometheus", "-duration", "10s", "-rate", "300")
	run.Dir = root
	run.Env = append(os.Environ(), "FLUENT_BIT="+h.Path)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range []string{
		"Prometheus at http://127.0.0.1:", "conf/grafana/dashboard.json",
		"service:http_request_duration_seconds:p99_30s", "instance:kafka_batch_records:unaccounted                  0.000", "Nothing was lost.",
	} {
		if !strings.Contains(string(out), text) {
			t.Errorf("it does not print %q:\n%s", text, out)
		}
	}
}
