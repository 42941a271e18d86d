package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What grows between two calms after the same fault fails the run, and so does a calm that is none.
func TestSoakJudges(t *testing.T) {
	f := func(want string, change func(calms []calm)) {
		t.Helper()
		var calms []calm
		for _, after := range []string{"the start", "SIGKILL", "broker gone", "resets", "broker gone", "resets"} {
			calms = append(calms, calm{after: after, p50: 100 * time.Millisecond, p99: 300 * time.Millisecond, lines: 1000,
				memory: []float64{100e6, 101e6, 500e6}, files: []float64{300}, goroutines: []float64{22, 23}})
		}
		calms[0].memory = []float64{300e6} // of another process
		change(calms)
		s := soak{Run: &Run{Output: ours, out: &Outcome{}}, rate: 1000, grow: 1.1, slack: 10e6, calms: calms}
		s.judge()
		switch got := strings.Join(s.out.Problems, "\n"); {
		case want == "" && got != "":
			t.Errorf("problems: %s", got)
		case want != "" && (len(s.out.Problems) != 1 || !strings.Contains(got, want)):
			t.Errorf("problems: %q, want one with %q", got, want)
		}
	}
	last := func(calms []calm) *calm { return &calms[len(calms)-1] }
	f("", func([]calm) {})
	f("", func(calms []calm) { last(calms).memory = []float64{119e6} })
	f("resident memory grew", func(calms []calm) { last(calms).memory = []float64{125e6} })
	f("", func(calms []calm) { last(calms).files = []float64{316} })
	f("descriptors grew", func(calms []calm) { last(calms).files = []float64{320} })
	f("goroutines grew", func(calms []calm) { last(calms).goroutines = []float64{40} })
	f("after broker gone: p99 of the latency is 1.5s", func(calms []calm) { calms[2].p99 = 1500 * time.Millisecond })
	f("after resets: nothing was measured", func(calms []calm) { calms[3].lines = 0 })
	f("", func(calms []calm) { slices.Reverse(calms[2:4]) })
}
