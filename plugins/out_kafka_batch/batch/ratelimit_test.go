package batch

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// At 1,000 records a second, 3,000 take two seconds more than the burst, whatever the chunks' size, and none is lost.
func TestRateLimit(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs(), "rate_limit", "1000", "rate_limit_burst", "500")
	flush(t, o, chunkOf("warm", 1), "app")
	began := time.Now()
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprint("c", i))
		flush(t, o, chunkOf(names[i], 200), "app")
	}
	// The burst, and the last chunk's debt, are not waited for.
	if d := time.Since(began); d < 1200*time.Millisecond || d > 4*time.Second {
		t.Errorf("2,000 records took %v", d)
	}
	got := consume(t, c.ListenAddrs())
	if n := len(got.records); n != 2001 {
		t.Errorf("%d records arrived", n)
	}
}

// A chunk of more than the whole burst goes all the same, and what it is in debt then others wait for: beyond
// flush_timeout with RETRY, at once, and with nothing used up.
func TestRateLimitDebt(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs(), "rate_limit_bytes", "10000", "flush_timeout", "200ms")
	flush(t, o, largeEvent("large", 15_000), "app")
	began := time.Now()
	tries := 0
	for ; ; tries++ {
		err := o.Flush(chunkOf("next", 1), "app", false)
		if err == nil || errors.Is(err, errTimeout) { // it was taken, with little time left
			break
		}
		if !errors.Is(err, errRate) || time.Since(began) > 5*time.Second {
			t.Fatalf("error %v after %v", err, time.Since(began))
		}
		time.Sleep(time.Millisecond)
	}
	if d := time.Since(began); d < 300*time.Millisecond || d > 2*time.Second || tries < 10 {
		t.Errorf("the next chunk went after %v and %d attempts, its debt is half a second", d, tries)
	}
	if o.stats.limited.Load() != int64(tries) {
		t.Errorf("%d were counted, not %d", o.stats.limited.Load(), tries)
	}
	eventually(t, "both are there", func() bool { return len(consume(t, c.ListenAddrs()).records) == 2 })
}
