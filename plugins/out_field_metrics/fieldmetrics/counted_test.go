package fieldmetrics

import (
	"net"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Kafka was away, Fluent Bit was reloaded, and everything that Kafka had not taken was handed to all outputs once more:
// the new instance counts what the old one had not.
func TestChunksOfBeforeAReload(t *testing.T) {
	address := freeAddr(t)
	reload := func(old *Plugin, s settings) *Plugin {
		t.Helper()
		if old != nil {
			old.Close()
		}
		s["listen"] = address
		return start(t, s)
	}
	f := func(p *Plugin, metric string, counts, repeated float64) {
		t.Helper()
		for _, r := range p.rules {
			if r.Name == metric {
				if got := testutil.ToFloat64(r.own.records[counted]); got != counts {
					t.Errorf("%s: %v records are counted, want %v", metric, got, counts)
				}
				if got := testutil.ToFloat64(r.own.repeated); got != repeated {
					t.Errorf("%s: %v chunks are repeated, want %v", metric, got, repeated)
				}
			}
		}
	}
	a, b, c := events(rec("v", 1)), events(rec("v", 2), rec("v", 3)), events(rec("v", 4))

	p := reload(nil, settings{"metric_name": "a_total"})
	flushed(t, p, a)
	flushed(t, p, a) // another chunk that looks the same: lines of whole seconds do
	flushed(t, p, b)
	f(p, "a_total", 4, 0)

	p = reload(p, settings{"metric_name": "a_total"})
	flushed(t, p, a)
	flushed(t, p, a)
	f(p, "a_total", 0, 2)
	flushed(t, p, a) // the third one is new
	flushed(t, p, c)
	f(p, "a_total", 2, 2)
	if err := p.Flush(b, "other.tag", false); err != nil { // another chunk
		t.Fatal(err)
	}
	f(p, "a_total", 4, 2)

	// b was not handed out again and may still be owed
	p = reload(p, settings{"metric_name": "a_total"})
	flushed(t, p, b)
	flushed(t, p, c)
	f(p, "a_total", 0, 2)

	// a metric that is new counts what the old one had
	file := t.TempDir() + "/metrics.yaml"
	write(t, file, "metrics: [{name: a_total}, {name: b_total}]")
	p = reload(p, settings{"metrics_file": file})
	flushed(t, p, c)
	f(p, "a_total", 0, 1)
	f(p, "b_total", 1, 0)

	// two sections in place of one
	p.Close()
	one, two := start(t, settings{"metric_name": "a_total", "listen": address}), start(t, settings{"metric_name": "b_total", "listen": address})
	flushed(t, one, c)
	flushed(t, two, c)
	f(one, "a_total", 0, 1)
	f(two, "b_total", 0, 1)
	one.Close()
	two.Close()
}

func TestCountedIsBounded(t *testing.T) {
	var now countedNow
	for i := range uint64(maxCounted + 10) {
		now.add(i)
	}
	if len(now.hashes) != maxCounted || now.hashes[0] != maxCounted || now.hashes[10] != 10 {
		t.Errorf("%d are kept, from %d", len(now.hashes), now.hashes[0])
	}
	for range 2 * maxLeft {
		leave([]string{"nobody's"}, []uint64{1})
	}
	if n := len(leftBehind.list); n > maxLeft {
		t.Errorf("%d instances are remembered", n)
	}
	for range maxLeft {
		takeOver([]string{"nobody's"})
	}
	if n := len(leftBehind.list); n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

// A worker still drains its queue while its instance closes: what it adds to the ring is not what is being sorted for the
// instance to come.
func TestCloseWhileFlushing(t *testing.T) {
	address := freeAddr(t)
	var all sync.WaitGroup
	for range 4 {
		p := start(t, settings{"metric_name": "a_total", "listen": address})
		for w := range 4 {
			all.Go(func() {
				for i := range 200 {
					_ = p.Flush(events(rec("v", i, "w", w)), "app", false)
				}
			})
		}
		p.Close()
		next := start(t, settings{"metric_name": "a_total", "listen": address})
		for i := range 200 {
			flushed(t, next, events(rec("v", i, "w", 0)))
		}
		next.Close()
	}
	all.Wait()
}

// Chunks that an instance before counted and nobody handed out again, and more of its own than are remembered: the oldest
// ones are given up, not the last ones, which are those that another output may still owe.
func TestTheLastChunksAreRemembered(t *testing.T) {
	address := freeAddr(t)
	p := start(t, settings{"metric_name": "a_total", "listen": address})
	const before, all, last = 50, maxCounted + 100, 40
	for i := range all {
		if i == before {
			p.Close()
			p = start(t, settings{"metric_name": "a_total", "listen": address})
		}
		flushed(t, p, events(rec("v", i)))
	}
	p.Close()
	p = start(t, settings{"metric_name": "a_total", "listen": address})
	for i := all - last; i < all; i++ {
		flushed(t, p, events(rec("v", i)))
	}
	if got := testutil.ToFloat64(p.rules[0].own.repeated); got != last {
		t.Errorf("%v of the last %d chunks are known", got, last)
	}
}
