//go:build contract

package contract

import (
	"fmt"
	"reflect"
	"testing"
)

// The host's logger looks at no level, so the plugin asks the thread that calls it.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("faulty")
		h.output("o", "faulty", "workers=2")
		h.chunk("c", small)
		lines := []string{"an error", "a warning", "an info", "a debug"}
		said := map[string]int{}
		for level, shown := range []int{0, 1, 2, 3, 4, 4} {
			h.do("level", fmt.Sprint(level))
			h.flushed("o", "levels", "c")
			for i, text := range lines {
				if i < shown {
					said[text]++
				}
				if n := len(h.log(text)); n != said[text] {
					t.Errorf("level %d: %q was said %d times so far, want %d", level, text, n, said[text])
				}
			}
		}
	})
}

// Lines have the host's form and levels.
func TestLogForm(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.output("o", "faulty", "workers=1")
	h.chunk("c", small)
	h.do("level", "4")
	h.flushed("o", "levels", "c")
	for level, want := range map[int][]string{
		1: {"[output:faulty:faulty.0] an error"},
		2: {"[output:faulty:faulty.0] a warning count=2"},
		3: {"[output:faulty:faulty.0] started version=test", `[output:faulty:faulty.0] an info text="two words"`},
		4: {"[output:faulty:faulty.0] a debug"},
	} {
		if got := h.logsAt(level); !reflect.DeepEqual(got, want) {
			t.Errorf("level %d: %q, want %q", level, got, want)
		}
	}
}

// What a goroutine logs while the host waits for a call comes out with that call.
func TestGoroutineLogsDuringCall(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.output("o", "faulty", "workers=1")
	h.chunk("c", small)
	h.flushed("o", "goroutine", "c")
	if n := len(h.log("from a goroutine, in time")); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// On a thread that the host does not know, its logger writes to stderr and past Log_File. So what a goroutine says
// waits: for the next call of any kind, an exit too.
func TestGoroutineLogsWaitForTheNextCall(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"flush", "exit"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			h := startHost(t, v2_2)
			h.open("faulty")
			h.output("o", "faulty", "workers=1")
			h.chunk("c", small)
			h.flushed("o", "afterwards", "c")
			h.reaches("faulty", "faultyWaiting", 1)
			h.do("call", "faulty", "faultyOpen")
			h.reaches("faulty", "faultySaid", 1)
			if n := len(h.log("from a goroutine, afterwards")); n != 0 {
				t.Errorf("logged %d times, by nobody's thread", n)
			}
			if next == "flush" {
				h.flushed("o", "ok", "c")
			} else {
				h.do("exit", "o")
			}
			if n := len(h.log("from a goroutine, afterwards")); n != 1 {
				t.Errorf("logged %d times, want once", n)
			}
		})
	}
}
