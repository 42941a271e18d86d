package batch

import (
	"errors"
	"testing"
	"time"
)

// A broker takes requests and never answers. The first flush waits for as long as a flush may; those behind it know
// that there is nothing to wait for, or a host that stops would wait for each of them, one after the other, and then for
// Close: 14 s with Fluent Bit 5.1.1, whose grace is 5 s. When the broker answers again flushes wait as before.
func TestFlushesDoNotWaitForASilentBroker(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "1s")
	flush(t, o, chunkOf("before", 1), "app")
	release := n.holdAll()
	defer release()

	took := func(name string) time.Duration {
		t.Helper()
		start := time.Now()
		if err := o.Flush(chunkOf(name, 10), "app", false); !errors.Is(err, errTimeout) {
			t.Fatalf("%s: %v, want %v", name, err, errTimeout)
		}
		return time.Since(start)
	}
	if d := took("first"); d < time.Second {
		t.Errorf("the first flush was answered after %v: the broker could have been slow", d)
	}
	for _, name := range []string{"second", "first", "third"} {
		if d := took(name); d > 200*time.Millisecond {
			t.Errorf("flush %s waited %v for a broker that hangs", name, d)
		}
	}
	// One worker of the host has many that wait for it.
	start := time.Now()
	for range 20 {
		took("third")
	}
	if d := time.Since(start); d > 500*time.Millisecond {
		t.Errorf("20 flushes took %v", d)
	}

	release()
	for _, name := range []string{"first", "second", "third"} {
		flush(t, o, chunkOf(name, 10), "app")
	}
	if o.silent() {
		t.Error("the broker answers, and is still taken for silent")
	}
	release = n.holdAll()
	defer release()
	if d := took("slow"); d < time.Second {
		t.Errorf("after the broker was back a flush waited for %v only", d)
	}
	time.Sleep(50 * time.Millisecond)
	start = time.Now()
	o.Close()
	if d := time.Since(start); d > time.Second {
		t.Errorf("Close waited %v for a broker that hangs", d)
	}
	release()
	got := consume(t, c.ListenAddrs())
	for name, want := range map[string]int{"before": 1, "first": 10, "second": 10, "third": 10} {
		if len(got.chunks[name]) != want {
			t.Errorf("chunk %s has %d records, want %d", name, len(got.chunks[name]), want)
		}
	}
}
