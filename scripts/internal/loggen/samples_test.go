package loggen

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write the samples in testdata/logs anew")

// The samples are what the generator writes from the given moment on, at three
// lines a second and stream, with seed 42. In a synctest bubble the clock is
// false, for the loggers and for gin's measurements as well, so the files come
// out the same to the byte on every machine.
func TestSamples(t *testing.T) {
	samples := filepath.Join("..", "..", "..", "testdata", "logs")
	dir := t.TempDir()
	for _, stream := range Streams {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Date(2026, 11, 20, 20, 31, 0, 123456789, time.UTC)
			time.Sleep(time.Until(begin))
			generate(t, Config{
				Dir: dir, Streams: []string{stream}, Seed: 42, Count: 40, Rate: 3,
				MaxGinLatency: time.Hour,
				Ledger:        filepath.Join(dir, "ledger.jsonl"), LedgerFull: true,
			})
		})
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != len(Streams)+1 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, n := range names {
		got, err := os.ReadFile(filepath.Join(dir, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(samples, n.Name())
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what loggen writes; if that is meant, run this test with -update, and look at what else reads the samples", path)
		}
	}
}
