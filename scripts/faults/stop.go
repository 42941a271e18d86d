package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// grace is what the configuration gives a stop. The host counts it in whole seconds, and then waits for what its workers
// have begun.
const (
	grace   = 5 * time.Second
	overdue = grace + 4*time.Second
)

// stopFaults: Fluent Bit is asked to stop, or to read its configuration again.
var stopFaults = []Fault{{
	Name: "sigterm", Group: 2, Short: true,
	Title: "SIGTERM under load, 10 times: gone within Grace and a bit",
	Class: stopped,
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, Setup{}); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 2}, func(ctx context.Context) error {
			for range r.times(10, 3) {
				if err := sleep(ctx, r.between(time.Second, 3*time.Second)); err != nil {
					return err
				}
				if err := r.stopHost("under load"); err != nil {
					return err
				}
				if err := r.StartHost(); err != nil {
					return err
				}
				r.Mended()
			}
			return nil
		})
	},
}, {
	Name: "sigterm-outage", Group: 2, Short: true, BuiltIn: true,
	Title: "SIGTERM while the broker is away, and while it stands still: gone within Grace and a bit",
	Class: Always(NoneLost.WithCopies()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, Setup{}); err != nil {
			return err
		}
		for i, how := range []string{"broker away", "broker standing still"} {
			// Nothing is written while it stops: what hosts before 2.0 lose then is the fault above.
			if err := r.Write(ctx, loggen.Config{Count: 4000, StartSeq: uint64(1 + 2000*i), Seed: 2}); err != nil {
				return err
			}
			if err := sleep(ctx, time.Second); err != nil {
				return err
			}
			mend, err := func() error { return r.StartBroker(ctx) }, error(nil)
			if i == 0 {
				err = r.KillBroker()
			} else {
				mend, err = r.FreezeBroker()
			}
			if err != nil {
				return err
			}
			if err := r.Written(); err != nil {
				return err
			}
			if err := sleep(ctx, 1500*time.Millisecond); err != nil { // read, on disk, tried
				return err
			}
			if err := r.stopHost(how); err != nil {
				return err
			}
			if err := mend(); err != nil {
				return err
			}
			if err := r.StartHost(); err != nil {
				return err
			}
			r.Mended()
		}
		return nil
	},
}, {
	Name: "reload", Group: 2, Alone: true, Needs: []Need{hotReload},
	Title: "hot reload 50 times under load: no port, goroutine, file or memory leak, and a panic after it is contained",
	Class: Always(NoneLost.WithCopies()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.beginReloadable(ctx); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 2}, func(ctx context.Context) error {
			before, err := r.reloads(ctx, r.times(50, 10))
			if err != nil {
				return err
			}
			return r.mustNotLeak(ctx, before)
		})
	},
}, {
	Name: "reload-outage", Group: 2, Alone: true, Needs: []Need{hotReload},
	Title: "hot reload 50 times with the broker away",
	Class: Always(NoneLost.WithCopies()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.beginReloadable(ctx); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 2, Rate: 300}, func(ctx context.Context) error {
			if err := r.KillBroker(); err != nil {
				return err
			}
			before, err := r.reloads(ctx, r.times(50, 10))
			if err != nil {
				return err
			}
			if err := r.StartBroker(ctx); err != nil {
				return err
			}
			r.Mended()
			// Every chunk that waits takes two descriptors.
			if err := r.recovered(ctx); err != nil {
				return err
			}
			return r.mustNotLeak(ctx, before)
		})
	},
}}

var hotReload = Need{Name: "hot reload", Missing: func(_ context.Context, h fluentbit.Host) string {
	if h.HotReload() {
		return ""
	}
	return h.String() + " has none"
}}

func stopped(h fluentbit.Host) Class {
	if h.StopsUnderLoad() {
		return NoneLost.WithCopies()
	}
	return HostBound("hosts before 2.0 pause inputs from another thread: what tail has just read is refused, and its offset saved").WithCopies()
}

// times is n, or the short form's.
func (r *Run) times(n, short int) int {
	if r.Short {
		return short
	}
	return n
}

// stopHost stops Fluent Bit and holds it to Grace.
func (r *Run) stopHost(when string) error {
	start := time.Now()
	if err := r.Pipeline.Host().Stop(time.Minute); err != nil {
		if r.Output == ours {
			return err
		}
		r.Note("not gone in a minute, and killed: %v", err)
	}
	took := time.Since(start)
	r.Note("gone %.1f s after SIGTERM, %s", took.Seconds(), when)
	if took > overdue {
		r.Fail("gone %v after SIGTERM, %s; Grace is %v", took.Round(100*time.Millisecond), when, grace)
	}
	return nil
}

// beginReloadable starts with hot reload on and no workers. 2.2 to 5.1.1 start the workers of a Go output twice; at a reload
// the first pool goes on using what was freed, until the host dies of it, whatever a plugin does. Beside the pipeline
// there is an output that follows a nil pointer at every flush.
func (r *Run) beginReloadable(ctx context.Context) error {
	r.Note("without Workers: with them hosts from 2.2 to 5.1.1 crash at a reload, whatever a Go output does, and what is shipped has hot reload off")
	faulty, err := r.buildFaulty(ctx)
	if err != nil {
		return err
	}
	return r.Begin(ctx, Setup{Args: []string{"-e", faulty}, Changes: [][2]string{
		{`(?mi)^(\s*hot_reload\s+)off\b`, "${1}on"},
		{`(?mi)^(\s*workers\s+)\d+`, "${1}0"},
		{`(?m)^(\s*Grace\s+)\d+`, "${1}2"}, // a reload waits for it as long as a chunk is tried again, and one always is
		{`(?m)^(\s*Flush_Timeout\s+)\S+`, "${1}1s"},
		{`(?m)^(\s*Match\s+)\*$`, "${1}a*"}, // all tags but that of the panics
		{`(?m)\z`, "\n[INPUT]\n    Name dummy\n    Tag nil.pointer\n\n[OUTPUT]\n    Name faulty\n    Match nil.*\n"},
	}})
}

// reloads sends SIGHUP n times, and returns what the host held after the first few of them.
func (r *Run) reloads(ctx context.Context, n int) (before usage, err error) {
	const warm = 5 // until the allocators of four runtimes have what they use
	for i := range n {
		if err := sleep(ctx, r.between(100*time.Millisecond, 700*time.Millisecond)); err != nil {
			return before, err
		}
		if err := r.Pipeline.Host().Signal(syscall.SIGHUP); err != nil {
			return before, err
		}
		if err := r.waitForSaid(ctx, "kafka] started", i+2); err != nil {
			return before, err
		}
		if i+1 == warm {
			if before, err = usageOf(r.Pipeline.Host().PID()); err != nil {
				return before, err
			}
		}
	}
	r.Note("%d reloads; after %d of them %v", n, warm, before)
	return before, nil
}

// mustNotLeak holds the host, after its reloads, to what it had before most of them, and to containing one more panic.
func (r *Run) mustNotLeak(ctx context.Context, before usage) error {
	panics := r.said("panic in flush")
	if err := sleep(ctx, 3*time.Second); err != nil { // a chunk for the output that panics comes once a second
		return err
	}
	after, err := usageOf(r.Pipeline.Host().PID())
	if err != nil {
		return err
	}
	r.Note("at the end %v, %d panics contained after the last reload", after, r.said("panic in flush")-panics)
	if leak := before.leaks(after); leak != "" {
		r.Fail("the reloads leak: %s", leak)
	}
	if _, err := sum(ctx, "http://"+r.Metrics+"/metrics", "log_records_total"); err != nil {
		r.Fail("field_metrics' port after the reloads: %v", err)
	}
	if _, err := r.Scrape(ctx); err != nil {
		r.Fail("kafka_batch's port after the reloads: %v", err)
	}
	if r.said("panic in flush") == panics {
		r.Fail("no panic after the reloads: it was not tested whether it is contained")
	}
	return nil
}

// waitForSaid waits until the host has said a text n times.
func (r *Run) waitForSaid(ctx context.Context, text string, n int) error {
	for deadline := time.Now().Add(30 * time.Second); r.said(text) < n; {
		select {
		case <-r.Pipeline.Host().Done():
			return fmt.Errorf("the Fluent Bit under test ended by itself: %v", r.Pipeline.Host().Err())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the Fluent Bit under test said %q %d times, want %d", text, r.said(text), n)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
