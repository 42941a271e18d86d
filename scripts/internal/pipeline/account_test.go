package pipeline

import (
	"os"
	"path/filepath"
	"testing"
)

func scrape(taken, acknowledged, dropped, open float64) map[string]float64 {
	return map[string]float64{"records_taken_total": taken, "records_acknowledged_total": acknowledged,
		"records_dead_lettered_total": 0, "records_dropped_total": dropped, "records_open": open}
}

// Counters begin anew with each start of the host; a scrape that does not add up is remembered, and one that lacks a metric
// does not add up.
func TestAccount(t *testing.T) {
	a := &Account{past: map[string]float64{}}
	for _, m := range []map[string]float64{
		scrape(5, 3, 0, 2), scrape(9, 8, 1, 0),
		scrape(2, 1, 0, 1), scrape(7, 5, 2, 0), // the second life
	} {
		a.add(m)
	}
	if taken, dropped := a.Total("records_taken_total"), a.Total("records_dropped_total"); taken != 16 || dropped != 3 {
		t.Errorf("taken %v, dropped %v", taken, dropped)
	}
	if a.Scrapes() != 4 || len(a.Broken()) != 0 || a.Last()["records_taken_total"] != 7 {
		t.Errorf("%d scrapes, broken %q, last %v", a.Scrapes(), a.Broken(), a.Last())
	}
	a.add(scrape(9, 5, 2, 1))
	a.add(map[string]float64{"records_taken_total": 10})
	if b := a.Broken(); len(b) != 2 || b[0] != "1 of 9" {
		t.Errorf("broken %q", b)
	}
}

// A change that no longer fits its file is an error, not a test of something else.
func TestVariant(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.conf"), []byte("    Parsers_File p.conf\n    Grace 5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := Variant(root, "a.conf", dir, [][2]string{FilesOf(root, "a.conf"), {`(?m)^(\s*Grace\s+)\d+`, "${1}9"}})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "    Parsers_File "+root+"/p.conf\n    Grace 9\n" {
		t.Errorf("%v: %q", err, b)
	}
	if _, err := Variant(root, "a.conf", dir, [][2]string{{`Flush\s+5`, ""}}); err == nil {
		t.Error("a change of nothing is no error")
	}
}
