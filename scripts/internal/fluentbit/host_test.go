package fluentbit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake writes a program that answers as a Fluent Bit of that version would.
func fake(t *testing.T, answer string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fluent-bit")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+answer+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProbe(t *testing.T) {
	f := func(answer, version string, yaml, reload, stops bool) {
		t.Helper()
		h, err := Probe(t.Context(), fake(t, answer))
		if err != nil {
			t.Errorf("%s: %v", answer, err)
			return
		}
		if h.Version != version || h.YAML() != yaml || h.HotReload() != reload || h.StopsUnderLoad() != stops {
			t.Errorf("%s: version %s, YAML %v, reload %v, stops under load %v", answer, h.Version, h.YAML(), h.HotReload(), h.StopsUnderLoad())
		}
	}
	f("Fluent Bit v1.8.15", "1.8.15", false, false, false)
	f("Fluent Bit v2.0.0", "2.0.0", false, false, true)
	f("Fluent Bit v2.1.10", "2.1.10", false, true, true)
	f("Fluent Bit v3.1.0", "3.1.0", true, true, true)
	f("Fluent Bit v10.0.2-dev", "10.0.2-dev", true, true, true)
}

func TestProbeRefuses(t *testing.T) {
	for _, path := range []string{fake(t, "td-agent 1.0"), "/no/such/fluent-bit"} {
		if _, err := Probe(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Hosts fails rather than return none: a test against no host would look like a success.
func TestHosts(t *testing.T) {
	a, b := fake(t, "Fluent Bit v1.8.15"), fake(t, "Fluent Bit v5.1.1")
	t.Setenv("FLUENT_BIT", a+":"+b)
	if hosts, err := Hosts(t.Context()); err != nil || len(hosts) != 2 || hosts[0].Path != a || hosts[1].Path != b {
		t.Errorf("%v, %v", hosts, err)
	}
	t.Setenv("FLUENT_BIT", ":")
	if _, err := Hosts(t.Context()); err == nil {
		t.Error("an empty FLUENT_BIT is taken for some hosts")
	}
}
