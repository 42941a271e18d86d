package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flbgo/scripts/internal/ledger"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.jsonl")
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{
		"-dir", filepath.Join(dir, "new", "logs"), "-streams", "zap,java", "-count", "100", "-rate", "0",
		"-rotate-every", "20", "-start-seq", "11", "-ledger", path, "-ledger-full",
	}, &out, &errOut)
	if code != 0 || errOut.Len() > 0 || !strings.Contains(out.String(), "loggen: 100 lines") {
		t.Fatalf("exit status %d, printed %s%s", code, out.String(), errOut.String())
	}
	files, err := filepath.Glob(filepath.Join(dir, "new", "logs", "*"))
	if err != nil || len(files) != 6 {
		t.Errorf("files %v, %v; want three of each stream", files, err)
	}
	last := map[string]uint64{"zap": 10, "java": 10}
	if err := ledger.ReadFile(path, func(e ledger.Entry) error {
		if e.Seq != last[e.Stream]+1 || len(e.Expect) == 0 {
			t.Errorf("%s: %d after %d", e.Stream, e.Seq, last[e.Stream])
		}
		last[e.Stream] = e.Seq
		return nil
	}); err != nil || last["zap"] != 60 || last["java"] != 60 {
		t.Errorf("ledger ends at %v, %v", last, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var out, errOut bytes.Buffer
	if code := run(ctx, []string{"-dir", t.TempDir(), "-quiet"}, &out, &errOut); code != 0 || out.Len()+errOut.Len() > 0 {
		t.Errorf("exit status %d, printed %q %q", code, out.String(), errOut.String())
	}
}

func TestCommandLineErrors(t *testing.T) {
	full := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(full, "zap.log")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "-dir /tmp/logs", nil},
		{2, `"log4j" is none of zap`, []string{"-dir", full, "-streams", "zap,log4j"}},
		{2, `"more"`, []string{"-dir", full, "more"}},
		{2, "-rate", []string{"-rate", "fast"}},
		{1, "stream zap", []string{"-dir", full, "-streams", "zap", "-count", "5", "-rate", "0"}},
		{0, "-rotate-every", []string{"-help"}},
	} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), c.args, &out, &errOut); code != c.code || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%q: exit status %d, printed %q; want %d and %q", c.args, code, errOut.String(), c.code, c.want)
		}
	}
}
