//go:build contract

package contract

import (
	"fmt"
	"testing"
	"time"

	"flbgo/shared/testkit/chunks"
)

// On a reload newer hosts register the library again before the old instances are gone: new Register, old ExitCtx, old
// Unregister, new Init. The library is never unloaded, so whatever outlives an instance is met again; the port that
// the old instance listens on, for example, must be free when the new one starts.
func TestReload(t *testing.T) {
	t.Parallel()
	for _, g := range []generation{v2_1, v2_2} {
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			opts := map[string][]string{
				"faulty":            {"workers=2"},
				"out_kafka_batch":   append([]string{"workers=2"}, options["out_kafka_batch"]...),
				"out_field_metrics": {"workers=1", "metric_name=records_total", fmt.Sprintf("listen=127.0.0.1:%d", port)},
			}
			want := map[string]string{"faulty": "ok", "out_kafka_batch": "retry", "out_field_metrics": "ok"}
			h := startHost(t, g)
			h.chunk("c", small)
			h.open("filter_enrich")
			h.filter("filter-0", "filter_enrich", options["filter_enrich"]...)
			for name := range opts {
				h.open(name)
				h.output(name+"-0", name, opts[name]...)
			}
			for round := 1; round <= 3; round++ {
				old, now := fmt.Sprint("-", round-1), fmt.Sprint("-", round)
				for name := range opts {
					if got := h.flushed(name+old, "ok", "c"); got != want[name] {
						t.Errorf("%s, round %d: answered %s", name, round, got)
					}
				}
				if done := h.wait(h.apply("filter"+old, "ok", "c")); done.number("modified") != 1 {
					t.Errorf("filter, round %d: %v", round, done.fields)
				}
				before := func(name string) string {
					if round == 1 {
						return name
					}
					return name + old
				}
				for name := range opts {
					h.do("load", name+now, library(t, name))
					h.do("register", name+now)
				}
				h.do("load", "filter"+now, library(t, "filter_enrich"))
				h.do("native", "filter"+now, "filter_enrich_plugin")
				h.do("end", "filter"+old)
				for name := range opts {
					h.do("exit", name+old)
				}
				for name := range opts {
					h.do("unregister", before(name))
				}
				h.filter("filter"+now, "filter"+now, options["filter_enrich"]...)
				for name := range opts {
					h.output(name+now, name+now, opts[name]...)
				}
			}
			if n := len(h.log("panic")); n != 0 {
				t.Errorf("%q", h.log("panic"))
			}
		})
	}
}

// The first SIGHUP or SIGCONT makes the host install its own fault handlers over those of the Go runtimes: without
// SA_ONSTACK, and they abort. A nil dereference that was a recovered panic before is then the end of the process,
// unless the plugin puts the handlers back. With several runtimes the last one's handlers are in place; a fault in the
// first one's code must still find its way.
func TestPanicAfterReload(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		for _, alone := range []bool{true, false} {
			t.Run(fmt.Sprintf("alone %v", alone), func(t *testing.T) {
				h := startHost(t, g)
				h.open("faulty")
				if !alone {
					h.open("filter_enrich")
					h.open("out_field_metrics")
					h.open("out_kafka_batch")
				}
				h.output("o", "faulty", "workers=2")
				if !alone {
					h.filter("e", "filter_enrich", options["filter_enrich"]...)
					h.output("m", "out_field_metrics", options["out_field_metrics"]...)
					h.output("k", "out_kafka_batch", options["out_kafka_batch"]...)
				}
				h.chunk("c", small)
				for round := range 3 {
					for _, tag := range []string{"nil", "divide"} {
						if got := h.flushed("o", tag, "c"); got != "retry" {
							t.Errorf("%s, round %d: answered %s", tag, round, got)
						}
					}
					h.do("signals")
					if !alone && round == 1 {
						// The others put their own idea of the handlers back first.
						h.wait(h.apply("e", "ok", "c"))
						h.flushed("m", "ok", "c")
						h.flushed("k", "ok", "c")
					}
				}
			})
		}
	})
}

// The same for a filter, which is called on other threads and by other entries.
func TestFilterPanicAfterReload(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.do("native", "faulty", "filter_faulty_plugin")
	h.filter("f", "faulty")
	h.chunk("c", small)
	for range 3 {
		h.do("signals")
		for _, thread := range []string{"thread=-1", "thread=0", "thread=1"} {
			if done := h.wait(h.apply("f", "nil", "c", thread)); done.number("notouch") != 1 {
				t.Errorf("%s: %v", thread, done.fields)
			}
		}
	}
}

// After Grace old hosts unmap chunks that workers still read; and the file below a chunk may be cut. Either is a
// fault in the middle of a flush, at an address that is no nil pointer, which recover alone does not catch. The answer
// is RETRY whatever the plugin says about panics: the chunk is not to blame.
func TestChunkIsTakenBackDuringFlush(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		for _, how := range []string{"unmap", "truncate"} {
			t.Run(how, func(t *testing.T) {
				if how == "truncate" && len(emulator()) > 0 {
					t.Skip("qemu-user gives a SIGBUS the address 0, which Go calls a nil pointer")
				}
				h := startHost(t, g)
				h.open("faulty")
				h.output("o", "faulty", "workers=1", "isolate=")
				h.chunk("c", chunks.New().Record("msg", make([]byte, 100_000)).Bytes())
				job := h.flush("o", "late", "c")
				h.reaches("faulty", "faultyWaiting", 1)
				h.do(how, "c")
				h.do("call", "faulty", "faultyOpen")
				if got := verdict(h.wait(job)); got != "retry" {
					t.Errorf("answered %s", got)
				}
				if len(h.log("took a chunk's memory back")) != 1 || len(h.log("panic")) != 0 {
					t.Errorf("logged %q", h.log(""))
				}
				h.chunk("next", small)
				if got := h.flushed("o", "ok", "next"); got != "ok" {
					t.Errorf("the next chunk: answered %s", got)
				}
			})
		}
	})
}

// The same with the real plugins, whose chunk is gone before they begin; and with the filters, which then leave the
// chunk as it is and keep nothing.
func TestChunkIsGone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.chunk("c", small)
		h.chunk("good", small)
		h.do("unmap", "c")
		h.open("filter_enrich")
		h.filter("f", "filter_enrich", options["filter_enrich"]...)
		if done := h.wait(h.apply("f", "app.log", "c", "thread=0")); done.number("notouch") != 1 || done.number("stray") != 0 {
			t.Errorf("filter: %v", done.fields)
		}
		if done := h.wait(h.apply("f", "app.log", "good", "thread=0")); done.number("modified") != 1 {
			t.Errorf("filter, the next chunk: %v", done.fields)
		}
		for _, name := range []string{"out_field_metrics", "out_kafka_batch"} {
			h.open(name)
			h.output(name, name, append([]string{"workers=1"}, options[name]...)...)
			if got := h.flushed(name, "app.log", "c"); got != "retry" {
				t.Errorf("%s: answered %s", name, got)
			}
			h.do("exit", name)
		}
		if live := h.do("memory").number("live"); live != 0 {
			t.Errorf("%d blocks are still held", live)
		}
	})
}

// A filter that is in the middle of a chunk when it goes.
func TestChunkIsTakenBackDuringFilter(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.do("native", "faulty", "filter_faulty_plugin")
	h.filter("f", "faulty")
	h.chunk("c", chunks.New().Record("msg", make([]byte, 100_000)).Bytes())
	job := h.apply("f", "late", "c", "thread=0")
	h.reaches("faulty", "faultyWaiting", 1)
	h.do("unmap", "c")
	h.do("call", "faulty", "faultyOpen")
	if done := h.wait(job); done.number("notouch") != 1 || done.number("stray") != 0 {
		t.Errorf("%v", done.fields)
	}
	if live := h.do("memory").number("live"); live != 0 {
		t.Errorf("%d blocks are still held", live)
	}
}

// With -d or Daemon On the host forks after it has loaded the plugins: of each Go runtime only one thread is left, and
// the first call that needs another one waits for ever. So the plugin must refuse without asking Go, and say why, and
// the exits that the host goes on to call must return.
func TestDaemonMode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("filter_enrich")
		h.open("out_field_metrics")
		h.open("out_kafka_batch")
		h.do("daemon")
		begin := time.Now()
		for _, name := range []string{"out_field_metrics", "out_kafka_batch"} {
			if ret := h.do(append([]string{"output", name, name}, options[name]...)...).number("ret"); ret != -1 {
				t.Errorf("%s: its start answered %d", name, ret)
			}
			if ret := h.do("exit", name).number("ret"); ret != 1 {
				t.Errorf("%s: its exit answered %d", name, ret)
			}
			h.do("unregister", name)
		}
		if ret := h.do(append([]string{"filter", "f", "filter_enrich"}, options["filter_enrich"]...)...).number("ret"); ret != -1 {
			t.Errorf("the filter's start answered %d", ret)
		}
		h.do("end", "f")
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, prefix := range []string{"[output:field_metrics] ", "[output:kafka_batch] ", "[filter:enrich] "} {
			if n := len(h.log(prefix + "cannot run in daemon mode")); n != 1 {
				t.Errorf("%s says so %d times: %q", prefix, n, h.log(""))
			}
		}
		if n := len(h.log("")); n != 3 {
			t.Errorf("%d lines logged, want one for each plugin: %q", n, h.log(""))
		}
	})
}

// Before 2.2 the host ends each instance with the handle of the last one that it started. So the first exit ends them
// all: which one is meant nobody can tell. Workers of the others may still flush; their chunks are to be retried, in the
// host's next life.
func TestWrongHandleAtExit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("faulty")
		h.chunk("c", small)
		for _, id := range []string{"a", "b", "c"} {
			h.output(id, "faulty", "workers=1")
		}
		waiting := h.flush("b", "gate", "c") // in the middle of a flush when a ends
		h.reaches("faulty", "faultyWaiting", 1)
		h.do("exit", "a")
		closed, after := 3, "retry"
		if g == v2_2 {
			closed, after = 1, "ok"
		}
		if n := len(h.log("closed")); n != closed {
			t.Errorf("the first exit closed %d, want %d", n, closed)
		}
		if got := h.flushed("c", "ok", "c"); got != after {
			t.Errorf("a flush of the last instance answered %s, want %s", got, after)
		}
		h.do("call", "faulty", "faultyOpen")
		if got := verdict(h.wait(waiting)); got != "ok" {
			t.Errorf("the flush that was under way answered %s", got)
		}
		for _, id := range []string{"b", "c"} {
			if ret := h.do("exit", id).number("ret"); ret != 1 {
				t.Errorf("exit %s answered %d", id, ret)
			}
		}
		if n := len(h.log("closed")); n != 3 {
			t.Errorf("%d were closed, want each one once", n)
		}
	})
}
