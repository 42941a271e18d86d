package kafkacheck

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A track against a plain map, for random batches, losses and copies.
func TestTrackAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		tr := newTrack("s", 1<<20)
		written, seen := map[uint64]bool{}, map[uint64]int{}
		var copies, latencies uint64
		next, ns := uint64(1)+r.Uint64N(3*pageSize), int64(1000)
		var open []uint64
		for range 1500 {
			if r.IntN(3) > 0 {
				n := 1 + r.Uint64N(80)
				tr.wrote(next, next+n-1, ns)
				for range n {
					written[next] = true
					if seen[next] > 0 {
						latencies++ // it came before it was announced
					} else {
						open = append(open, next)
					}
					next++
				}
			}
			for range r.IntN(60) {
				seq := next + r.Uint64N(20) // not announced yet
				if len(open) > 0 && r.IntN(50) > 0 {
					i := r.IntN(min(len(open), 200))
					seq = open[i]
					if r.IntN(30) > 0 { // else it comes again
						open = slices.Delete(open, i, i+1)
					}
				}
				before := seen[seq]
				v := tr.saw(seq, seq, ns+5)
				seen[seq]++
				if before > 0 {
					copies++
					if v != sawCopy {
						t.Fatalf("seq %d for the second time: %v", seq, v)
					}
					continue
				}
				if v != sawFirst {
					t.Fatalf("seq %d for the first time: %v", seq, v)
				}
				if written[seq] {
					latencies++
				}
			}
			ns++
		}
		var lost, unknown []uint64
		for seq := range written {
			if seen[seq] == 0 {
				lost = append(lost, seq)
			}
		}
		for seq := range seen {
			if !written[seq] {
				unknown = append(unknown, seq)
			}
		}
		slices.Sort(lost)
		slices.Sort(unknown)
		if got := tr.lost(1 << 30); !slices.Equal(got, lost) || tr.written-tr.arrived != uint64(len(lost)) {
			t.Fatalf("lost %d and %d, want %d", len(got), tr.written-tr.arrived, len(lost))
		}
		if got := tr.unknown(1 << 30); !slices.Equal(got, unknown) || tr.distinct-tr.arrived != uint64(len(unknown)) {
			t.Fatalf("unknown %d and %d, want %d", len(got), tr.distinct-tr.arrived, len(unknown))
		}
		if tr.written != uint64(len(written)) || tr.distinct != uint64(len(seen)) || tr.copies != copies || tr.rewritten != 0 {
			t.Fatalf("written %d distinct %d copies %d rewritten %d; want %d %d %d 0", tr.written, tr.distinct, tr.copies, tr.rewritten, len(written), len(seen), copies)
		}
		if tr.latency.n != latencies {
			t.Fatalf("%d latencies, want %d", tr.latency.n, latencies)
		}
		if len(lost) > 2 && len(tr.lost(2)) != 2 {
			t.Fatal("the bound on examples does not hold")
		}
	}
}

// Batches that have arrived are forgotten, also behind one that never does.
func TestSpansAreForgotten(t *testing.T) {
	tr := newTrack("s", 1)
	for seq := uint64(1); seq < 100_000; seq += 10 {
		tr.wrote(seq, seq+9, 1)
		for i := range uint64(10) {
			if seq+i != 5 {
				tr.saw(seq+i, 0, 2)
			}
		}
	}
	if len(tr.spans) > 200 {
		t.Errorf("%d batches are remembered, one is missing something", len(tr.spans))
	}
	if got := tr.lost(10); !slices.Equal(got, []uint64{5}) {
		t.Errorf("lost %v, want 5", got)
	}
}

func TestIDsAreBounded(t *testing.T) {
	tr := newTrack("s", 2*pageSize)
	for seq := range uint64(5 * pageSize) {
		tr.saw(seq, seq+1, 0)
	}
	kept := 0
	for _, p := range tr.pages {
		if p.ids != nil {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("%d pages with ids, want 2", kept)
	}
	for seq, want := range map[uint64]verdict{0: sawCopyNoID, 5*pageSize - 1: sawCopy} {
		if got := tr.saw(seq, seq+1, 0); got != want {
			t.Errorf("seq %d again: %v, want %v", seq, got, want)
		}
	}
	// A page that was forgotten does not begin anew with half of its ids.
	if tr.saw(3, 99, 0) != sawCopyNoID || tr.pages[0].ids != nil {
		t.Error("a forgotten page remembers again")
	}
}

// Damaged numbers do not cost a page each.
func TestStraySequenceNumbers(t *testing.T) {
	tr := newTrack("s", 1)
	tooFar := 0
	for i := range uint64(1000) {
		if tr.saw(1<<40+i*10*pageSize, 1, 0) == sawTooFar {
			tooFar++
		}
	}
	if tooFar != 1000-maxStrayPages || len(tr.pages) != maxStrayPages {
		t.Errorf("%d refused, %d pages; want %d and %d", tooFar, len(tr.pages), 1000-maxStrayPages, maxStrayPages)
	}
	// What is written is never refused.
	tr.wrote(1<<50, 1<<50, 1)
	if v := tr.saw(1<<50, 1, 0); v != sawFirst {
		t.Errorf("a written event: %v", v)
	}
}

func TestLedgerOfTwoRuns(t *testing.T) {
	tr := newTrack("s", 1)
	tr.wrote(1, 10, 1)
	tr.wrote(5, 12, 2)
	tr.saw(6, 0, 3)
	if tr.rewritten != 6 || tr.written != 12 || len(tr.lost(20)) != 11 {
		t.Errorf("rewritten %d written %d lost %d", tr.rewritten, tr.written, len(tr.lost(20)))
	}
}

func TestLatencySince(t *testing.T) {
	c, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	empty := c.Mark()
	if l := c.LatencySince(empty); l != (Latency{}) {
		t.Errorf("nothing has arrived: %+v", l)
	}
	a, b := c.track("a"), c.track("b")
	a.latency.add(int64(time.Hour))
	b.latency.add(int64(time.Minute))
	then := c.Mark()
	if l := c.LatencySince(then); l.N != 0 || l.P99 != 0 || l.Max != 0 {
		t.Errorf("nothing has arrived since: %+v", l)
	}
	for range 99 {
		a.latency.add(int64(time.Millisecond))
	}
	b.latency.add(int64(time.Second))
	if l := c.LatencySince(then); l.N != 100 || l.P50.Round(100*time.Microsecond) != time.Millisecond || l.P99 != l.P50 || l.Max < time.Second || l.Max > time.Second*102/100 {
		t.Errorf("%+v", l)
	}
	if l := c.LatencySince(empty); l.N != 102 || l.Max < time.Hour {
		t.Errorf("since the beginning: %+v", l)
	}
}

func TestHistogram(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var h, a, b histogram
	if h.latency() != (Latency{}) {
		t.Errorf("empty: %+v", h.latency())
	}
	var all []int64
	for i := range 20_000 {
		ns := r.Int64N(int64(1) << (1 + r.IntN(62)))
		all = append(all, ns)
		h.add(ns)
		if i%2 == 0 {
			a.add(ns)
		} else {
			b.add(ns)
		}
	}
	slices.Sort(all)
	a.merge(&b)
	for _, q := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 1} {
		exact := float64(all[int(q*float64(len(all))+0.5)-1])
		got := float64(h.quantile(q))
		if got < exact || got > exact*1.016+1 {
			t.Errorf("quantile %v: %v, exact %v", q, got, exact)
		}
		if a.quantile(q) != h.quantile(q) {
			t.Errorf("quantile %v: %v merged, %v at once", q, a.quantile(q), h.quantile(q))
		}
	}
	for _, v := range []int64{0, 1, 127, 128, 129, 1<<63 - 1} {
		if k := bucket(v); k >= histogramN || upper(k) < v || k > 0 && upper(k-1) >= v {
			t.Errorf("%d is in bucket %d, which ends at %d", v, k, upper(k))
		}
	}
	var back histogram
	back.add(-5)
	if l := back.latency(); l.N != 1 || l.Max != time.Duration(0) {
		t.Errorf("a clock that stepped back: %+v", l)
	}
}
