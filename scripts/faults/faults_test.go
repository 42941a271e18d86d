package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/kafkacheck"
	"flbgo/scripts/internal/pipeline"
)

// A line that no class explains fails the run; one that is explained does not.
func TestAccount(t *testing.T) {
	found := func(n uint64) kafkacheck.Finding {
		return kafkacheck.Finding{N: n, Examples: []string{"zap seq 7"}}
	}
	for name, c := range map[string]struct {
		class   Class
		output  string
		report  kafkacheck.Report
		refused uint64
		because map[string]uint64
		broken  []string
		lost    uint64
		problem string // "" for none
	}{
		"all there":                      {class: NoneLost, report: kafkacheck.Report{Written: 9}},
		"one lost":                       {class: NoneLost, report: kafkacheck.Report{Written: 9, Lost: found(1)}, lost: 1, problem: "1 lines are lost, and none may be: zap seq 7"},
		"lost though counted as refused": {class: NoneLost, report: kafkacheck.Report{Written: 9, Lost: found(1)}, refused: 1, problem: "none may be"},
		"lost by the host":               {class: HostBound("Grace"), report: kafkacheck.Report{Written: 9, Lost: found(2)}, lost: 2},
		"host, and a limit":              {class: HostBound("Grace"), report: kafkacheck.Report{Written: 9, Lost: found(3)}, refused: 1, lost: 2},
		"host, counted what is there":    {class: HostBound("Grace"), report: kafkacheck.Report{Written: 9, Lost: found(1)}, refused: 2, problem: "2 lines were counted as refused"},
		"host, and each has a reason":    {class: HostBound("disk"), report: kafkacheck.Report{Written: 9, Lost: found(3)}, because: map[string]uint64{"full": 2, "taken": 1}, lost: 3},
		"host, and one has none":         {class: HostBound("disk"), report: kafkacheck.Report{Written: 9, Lost: found(3)}, because: map[string]uint64{"full": 2}, lost: 3, problem: "3 lines are missing, and 2 of them are explained: zap seq 7"},
		"host, and no reason was needed": {class: HostBound("disk"), report: kafkacheck.Report{Written: 9}, because: map[string]uint64{"full": 0}},
		"refused, all counted":           {class: RefusedByLimit("size"), report: kafkacheck.Report{Written: 9, Lost: found(3)}, refused: 3},
		"refused, one not counted":       {class: RefusedByLimit("size"), report: kafkacheck.Report{Written: 9, Lost: found(3)}, refused: 2, lost: 1, problem: "3 lines are missing and 2 were counted"},
		"refused, one that is there":     {class: RefusedByLimit("size"), report: kafkacheck.Report{Written: 9, Lost: found(1)}, refused: 2, problem: "1 lines are missing and 2 were counted"},
		"a copy":                         {class: NoneLost, report: kafkacheck.Report{Written: 9, Copies: found(1)}, problem: "1 lines are there again"},
		"a copy that may be":             {class: NoneLost.WithCopies(), report: kafkacheck.Report{Written: 9, Copies: found(1)}},
		"a copy with another id":         {class: NoneLost.WithCopies(), report: kafkacheck.Report{Written: 9, Copies: found(1), CopiesOtherID: found(1)}, problem: "another record_id"},
		"never written":                  {class: HostBound("Grace"), report: kafkacheck.Report{Written: 9, Unknown: found(1)}, problem: "were not written"},
		"another field":                  {class: HostBound("Grace"), report: kafkacheck.Report{Written: 9, Diffs: map[string]kafkacheck.Finding{"level": found(1)}}, problem: "differ from their line in level"},
		"damaged by the host":            {class: HostBound("unmapped").WithTorn(), report: kafkacheck.Report{Written: 9, Unidentified: found(1), Diffs: map[string]kafkacheck.Finding{"message": found(1)}}},
		"one Java event in two":          {class: NoneLost, report: kafkacheck.Report{Written: 9, Unidentified: found(1), Diffs: map[string]kafkacheck.Finding{"message": {N: 1, Examples: []string{"java seq 7: message is"}}}}},
		"one other event in two":         {class: NoneLost, report: kafkacheck.Report{Written: 9, Unidentified: found(1), Diffs: map[string]kafkacheck.Finding{"message": found(1)}}, problem: "differ from their line"},
		"damaged, and it may not":        {class: HostBound("Grace"), report: kafkacheck.Report{Written: 9, Unidentified: found(1)}, problem: "no stream or sequence number"},
		"a scrape that does not add up":  {class: NoneLost, report: kafkacheck.Report{Written: 9}, broken: []string{"1 of 9"}, problem: "unaccounted for: 1 of 9"},
		"nothing written":                {class: NoneLost, problem: "nothing was tested"},
		"the built-in output":            {class: NoneLost, output: builtIn, report: kafkacheck.Report{Written: 9, Lost: found(4), Copies: found(1), WithoutID: found(5)}, lost: 4},
	} {
		t.Run(name, func(t *testing.T) {
			o := &Outcome{Class: c.class, Output: c.output, Scrapes: 3, Broken: c.broken, Attributed: c.because}
			if o.Output == "" {
				o.Output = ours
			}
			if c.refused > 0 {
				o.Refused = map[string]uint64{"records_dropped_total": c.refused}
			}
			o.account(c.report)
			if o.Lost != c.lost {
				t.Errorf("%d lost, want %d", o.Lost, c.lost)
			}
			if all := strings.Join(o.Problems, "\n"); (c.problem == "") != (all == "") || !strings.Contains(all, c.problem) {
				t.Errorf("problems %q, want %q", all, c.problem)
			}
		})
	}
}

// A run without a single scrape has not held kafka_batch to its law.
func TestAccountWithoutScrapes(t *testing.T) {
	o := &Outcome{Class: NoneLost, Output: ours}
	o.account(kafkacheck.Report{Written: 1})
	if !o.Failed() {
		t.Error("no scrape, and no problem")
	}
}

// What was skipped and what failed is named at the end, with its reason, and in the report; a report keeps what is not
// repeated.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	f := Fault{Name: "sigkill", Group: 1, Title: "killed", Class: Always(NoneLost)}
	old, err := loadReport(dir, "9.9.9")
	if err != nil {
		t.Fatal(err)
	}
	if err := old.put(&Outcome{Fault: "gone", Output: ours, Title: "from before", Written: 5}); err != nil {
		t.Fatal(err)
	}
	rep, err := loadReport(dir, "9.9.9")
	if err != nil {
		t.Fatal(err)
	}
	b := &suiteRun{}
	skipped := b.outcome(f, fluentbit.Host{Version: "9.9.9"}, builtIn, "no output kafka")
	failed := b.outcome(f, fluentbit.Host{Version: "9.9.9"}, ours, "")
	failed.Written = 7
	failed.fail("3 lines are lost")
	for _, o := range []*Outcome{skipped, failed} {
		if err := rep.put(o); err != nil {
			t.Fatal(err)
		}
	}
	if n := rep.failed(); n != 1 {
		t.Errorf("%d failed", n)
	}
	for what, text := range map[string]string{"summary": rep.summary(), "markdown": rep.markdown()} {
		for _, want := range []string{"skipped: ", "no output kafka", "FAILED"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s does not say %q:\n%s", what, want, text)
			}
		}
	}
	if !strings.Contains(rep.summary(), "1 runs, 1 failed, 1 skipped") {
		t.Errorf("summary:\n%s", rep.summary())
	}
	again, err := loadReport(dir, "9.9.9")
	if err != nil || len(again.all) != 3 || !strings.Contains(again.markdown(), "from before") {
		t.Errorf("%v: the report in %s has %d runs:\n%s", err, filepath.Base(again.path), len(again.all), again.markdown())
	}
}

func TestStandstills(t *testing.T) {
	start := time.Now()
	at := func(ms int, input, second float64) sample {
		return sample{start.Add(time.Duration(ms) * time.Millisecond), input, second, true}
	}
	all := []sample{at(0, 1, 1), at(100, 2, 1), at(200, 3, 2), {at: start.Add(300 * time.Millisecond)}, at(400, 3, 3), at(500, 4, 4)}
	input, second := standstills(all, start, start.Add(600*time.Millisecond))
	if input != 300*time.Millisecond || second != 200*time.Millisecond {
		t.Errorf("input %v, second %v", input, second)
	}
	// Nothing known is a standstill from one end to the other.
	if input, _ := standstills(nil, start, start.Add(time.Second)); input != time.Second {
		t.Errorf("input %v", input)
	}
}

// Names are what -only takes and what a report is kept by.
func TestSuite(t *testing.T) {
	all := suite()
	seen := map[string]bool{}
	for _, f := range all {
		if f.Name == "" || f.Title == "" || f.Class == nil || f.Run == nil || f.Group < 1 || f.Group > 10 || seen[f.Name] {
			t.Errorf("%q is not whole, or there twice", f.Name)
		}
		seen[f.Name] = true
	}
	if !slices.IsSortedFunc(all, func(a, b Fault) int { return a.Group - b.Group }) {
		t.Error("the suite is not in the order of its groups")
	}
	for args, want := range map[string]int{"-only nosuch": 2, "-parallel 0": 2, "surplus": 2, "-help": 0} {
		var out bytes.Buffer
		if got := run(t.Context(), strings.Fields(args), &out); got != want || out.Len() == 0 {
			t.Errorf("%s: exit code %d, want %d; it says %q", args, got, want, out.String())
		}
	}
}

// An error of a fault is in its outcome, and the run fails.
func TestErrorFailsRun(t *testing.T) {
	b := &suiteRun{out: &bytes.Buffer{}}
	f := Fault{Name: "x", Class: Always(NoneLost), Run: func(context.Context, *Run) error { return errors.New("broke") }}
	if out := b.one(t.Context(), fluentbit.Host{}, one{f, ours}); !out.Failed() || !strings.Contains(out.Problems[0], "broke") {
		t.Errorf("%+v", out)
	}
	f.Needs = []Need{{Name: "real Kafka", Missing: func(context.Context, fluentbit.Host) string { return "no Java" }}}
	if out := b.one(t.Context(), fluentbit.Host{}, one{f, ours}); out.Skipped != "real Kafka: no Java" || out.Failed() {
		t.Errorf("%+v", out)
	}
}

// The table in README.md is that of the recorded result.
func TestReadme(t *testing.T) {
	root, err := pipeline.Root()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := loadReport(filepath.Join(root, "testdata", "faults"), "5.1.1")
	if err != nil {
		t.Fatal(err)
	}
	want := beside(rep.all)
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want == "" || !strings.Contains(string(b), want) {
		t.Errorf("README.md has another table than testdata/faults, which makes:\n%s", want)
	}
	md, err := os.ReadFile(rep.path + ".md")
	if err != nil || string(md) != rep.markdown() {
		t.Errorf("%s.md is not what its JSON makes (%v)", rep.path, err)
	}
	for _, o := range rep.all {
		if o.Failed() || o.Short {
			t.Errorf("the recorded run of %s with %s is of the short form, or failed: %v", o.Fault, o.Output, o.Problems)
		}
	}
}

// What grows with every reload is found, and what a runtime needs once is not.
func TestLeaks(t *testing.T) {
	before := usage{rss: 100e6, threads: 30, files: 150, listens: 3}
	for want, after := range map[string]usage{
		"":                            {rss: 120e6, threads: 34, files: 160, listens: 3},
		"4 listeners, before 3":       {rss: 100e6, threads: 30, files: 150, listens: 4},
		"75 threads, before 30":       {rss: 100e6, threads: 75, files: 150, listens: 3},
		"195 descriptors, before 150": {rss: 100e6, threads: 30, files: 195, listens: 3},
		"190 MB, before 100":          {rss: 190e6, threads: 30, files: 150, listens: 3},
	} {
		if got := before.leaks(after); got != want {
			t.Errorf("%v: %q, want %q", after, got, want)
		}
	}
	u, err := usageOf(os.Getpid())
	if err != nil || u.rss == 0 || u.threads == 0 || u.files == 0 {
		t.Errorf("%v of this process: %v", u, err)
	}
}
