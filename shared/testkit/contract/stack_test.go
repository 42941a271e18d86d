//go:build contract

package contract

import (
	"strings"
	"testing"

	"flbgo/shared/testkit/chunks"
)

// stackLimit is half of a coroutine's stack in old hosts, so that a host or a libc that takes more than this one leaves
// a plugin alive.
const stackLimit = 24576 / 2

// A coroutine's stack in old hosts has 24,576 bytes, of which the host's own logger takes a good 4,096 whenever a
// plugin logs. Here it ends at a page that cannot be touched, and what was used of it is measured.
func TestFlushLeavesTheCoroutineItsStack(t *testing.T) {
	t.Parallel()
	big := chunks.New()
	for i := range 500 {
		big.Record("msg", strings.Repeat("x", 200), "level", "info", "n", i)
	}
	h := startHost(t, v1_8)
	h.chunk("small", small)
	h.chunk("big", big.Bytes())
	h.chunk("damaged", chunks.New().Record("msg", "a").Damage(0xc1, 0xc1).Record("msg", "b").Bytes())
	h.do("level", "5")
	for _, name := range []string{"out_field_metrics", "out_kafka_batch", "faulty"} {
		h.open(name)
		h.output(name, name, append([]string{"workers=2"}, options[name]...)...)
		tags := []string{"app.log"}
		if name == "faulty" {
			tags = []string{"nil", "levels", "goroutine", "garbage"}
		}
		for _, tag := range tags {
			for _, c := range []string{"small", "big", "damaged"} {
				used := h.wait(h.flush(name, tag, c, "times=5")).number("stack")
				if used <= 0 || used > stackLimit {
					t.Errorf("%s, %s %s: %d bytes used", name, tag, c, used)
				}
				t.Logf("%s, %s %s: %d bytes used", name, tag, c, used)
			}
		}
	}
}

// C that wants a large frame runs on the coroutine's stack, not on the goroutine's: here it ends the host. That is
// what the plugins must never do, and this shows that it would be seen.
func TestLargeFrameEndsTheHost(t *testing.T) {
	t.Parallel()
	h := startHost(t, v1_8)
	h.open("faulty")
	h.output("o", "faulty", "workers=1")
	h.chunk("c", small)
	h.ask("flush", "o", "deep", "c")
	last := h.fatal()
	if len(last) == 1 && last[0].word == "fatal" && last[0].text("signal") == "SIGSEGV" {
		return
	}
	if !strings.Contains(h.stderr.String(), "SIGSEGV") {
		t.Errorf("the host said %v, and on stderr:\n%s", last, h.stderr.String())
	}
}
