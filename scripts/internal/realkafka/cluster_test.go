package realkafka

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flbgo/scripts/internal/pipeline"
)

// What a machine lacks is said in one line, and told from a failure. That the nodes do what they are told is for the fault
// suite to show.
func TestPrepareSaysWhatIsMissing(t *testing.T) {
	root, err := pipeline.Root()
	if err != nil {
		t.Fatal(err)
	}
	f := func(java, want string) {
		t.Helper()
		home := t.TempDir()
		if java != "" {
			if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte("#!/bin/sh\necho '"+java+"' >&2\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("JAVA_HOME", home)
		err := Prepare(t.Context(), root)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Java says %q: %v", java, err)
		}
	}
	f("", "found none")
	f(`openjdk version "11.0.22" 2024-01-16`, "found 11")
	f(`java version "1.8.0_401"`, "found 1")
}
