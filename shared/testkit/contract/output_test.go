//go:build contract

package contract

import (
	"fmt"
	"strings"
	"testing"

	"flbgo/shared/testkit/chunks"
)

var small = chunks.New().Record("msg", "hello", "level", "info").Record("msg", "there").Bytes()

// An error's kind decides what the host does with the chunk.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("faulty")
		h.output("o", "faulty", "workers=1")
		h.chunk("c", small)
		for tag, want := range map[string]string{"ok": "ok", "retry": "retry", "permanent": "error", "panic": "retry", "read.all": "ok"} {
			if got := h.flushed("o", tag, "c"); got != want {
				t.Errorf("%s: answered %s, want %s", tag, got, want)
			}
		}
	})
}

// Without Workers the host flushes on its engine, and a slow flush stalls every input. That is worth one warning.
func TestFlushOnTheEngineWarnsOnce(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.output("engine", "faulty")
	h.output("workers", "faulty", "workers=2")
	h.chunk("c", small)
	for range 3 {
		h.flushed("workers", "ok", "c")
		h.flushed("engine", "ok", "c")
	}
	if got := h.log("set Workers"); len(got) != 1 || !strings.HasPrefix(got[0], "[output:faulty:faulty.0]") {
		t.Errorf("warned %q", got)
	}
}

// Several instances, each flushed by several threads at once: no call reaches another instance, and each is closed
// once.
func TestInstancesInParallel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		const instances, workers, times = 3, 4, 50
		h := startHost(t, g)
		h.open("faulty")
		h.chunk("c", small)
		for i := range instances {
			h.output(fmt.Sprint(i), "faulty", fmt.Sprintf("workers=%d", workers))
		}
		jobs := map[int]string{}
		for i := range instances * workers {
			tag := []string{"ok", "retry", "permanent"}[i%instances]
			jobs[h.flush(fmt.Sprint(i%instances), tag, "c", fmt.Sprintf("times=%d", times))] = tag
		}
		for job, tag := range jobs {
			done := h.wait(job)
			verdict := map[string]string{"ok": "ok", "retry": "retry", "permanent": "error"}[tag]
			if done.number(verdict) != times {
				t.Errorf("%s: %v", tag, done.fields)
			}
		}
		for i := range instances {
			if ret := h.do("exit", fmt.Sprint(i)).number("ret"); ret != 1 {
				t.Errorf("exit answered %d", ret)
			}
		}
		if n := len(h.log("closed")); n != instances {
			t.Errorf("%d instances closed, want %d", n, instances)
		}
	})
}

// A chunk at which an output panicked twice is gone through record by record, the third time. It is known by its bytes
// and its tag: the host's pointers are not identities. Another chunk is not under suspicion.
func TestThirdAttemptIsolates(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.output("o", "faulty", "workers=2", "isolate=on")
	poison := chunks.New().Record("msg", "poison").Bytes()
	h.chunk("first", poison)
	h.chunk("again", poison) // the same chunk at another address
	h.chunk("healthy", small)
	steps := []struct{ tag, chunk, want string }{
		{"a", "first", "retry"},
		{"a", "healthy", "ok"},
		{"a", "again", "retry"},
		{"b", "first", "retry"}, // another tag, another chunk
		{"a", "first", "ok"},
		{"a", "again", "retry"}, // answered, so forgotten: what comes now is new
	}
	for i, s := range steps {
		if got := h.flushed("o", s.tag, s.chunk); got != s.want {
			t.Errorf("step %d, %s %s: answered %s, want %s", i, s.tag, s.chunk, got, s.want)
		}
	}
	if n := len(h.log("record by record")); n != 1 {
		t.Errorf("isolated %d times, want once", n)
	}
}

// A panic's stack is logged once, repetitions are counted at powers of two: an output that panics at every chunk does
// not fill the disk with it.
func TestPanicsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.output("o", "faulty", "workers=1")
	h.chunk("c", small)
	if done := h.wait(h.flush("o", "nil", "c", "times=10")); done.number("retry") != 10 {
		t.Errorf("answered %v", done.fields)
	}
	if n := len(h.log("outputLogic).Flush")); n != 1 {
		t.Errorf("%d stacks logged, want one", n)
	}
	for _, times := range []string{"times=2", "times=4", "times=8"} {
		if len(h.log(times)) != 1 {
			t.Errorf("%s is not logged", times)
		}
	}
	if n := len(h.log("panic in flush")); n != 4 {
		t.Errorf("%d lines about panics, want 4: %q", n, h.log("panic in flush"))
	}
}

// A host whose time is taken flushes as any other, on one stack for each thread.
func TestMeasure(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.do("measure")
	h.open("faulty")
	h.output("o", "faulty", "workers=2")
	h.chunk("c", small)
	for range 2 {
		if done := h.wait(h.flush("o", "ok", "c", "times=100")); done.number("ok") != 100 || done.number("stack") != 0 {
			t.Errorf("%v", done.fields)
		}
	}
}
