package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// N lines in, N distinct records out, field by field what was written, and without a fault each exactly once.
func TestEveryLineArrivesOnceAndWhole(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		r.write(loggen.Config{Rate: 4000, Count: 14000, Seed: 7, MaxGinLatency: time.Millisecond})
		report := r.await(30 * time.Second)
		r.mustBeWhole(report, 14000)
		if report.Copies.N > 0 {
			t.Errorf("%d copies without a fault: %v", report.Copies.N, report.Copies.Examples)
		}
	})
}

// Files are renamed and created anew several times while they are written, as log rotation does.
func TestRotationUnderLoad(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		r.write(loggen.Config{Rate: 4000, Count: 16000, Seed: 8, RotateEvery: 500})
		r.mustBeWhole(r.await(30*time.Second), 16000)
	})
}

// Fluent Bit is stopped in the middle and started again; lines are written and files rotated while it is away. Hosts that
// lose lines at a stop under load get theirs in a pause of the writing.
func TestStoppedAndStarted(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		part := loggen.Config{Rate: 2500, Seed: 9, RotateInterval: 1500 * time.Millisecond}
		part.Count, part.StartSeq = 5000-5000%7, 1
		next := func() loggen.Config {
			p := part
			part.StartSeq += part.Count / 7
			return p
		}
		done := r.writing(next())
		if h.StopsUnderLoad() {
			time.Sleep(1500 * time.Millisecond)
		} else {
			finish(t, done)
			time.Sleep(time.Second)
		}
		if err := r.Host().Stop(15 * time.Second); err != nil {
			t.Fatal(err)
		}
		if h.StopsUnderLoad() {
			finish(t, done)
		}
		r.write(next())
		r.startHost()
		r.write(next())
		r.mustBeWhole(r.await(30*time.Second), 3*part.Count)
	})
}

func finish(t *testing.T, done <-chan error) {
	t.Helper()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Fluent Bit is killed with SIGKILL, and comes back while the broker is away.
func TestKilledAndBrokerAway(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		done := r.writing(loggen.Config{Rate: 2000, Count: 16000, Seed: 10})
		time.Sleep(2 * time.Second)
		r.Host().Kill()
		r.killed = true
		if r.OwnBroker() {
			r.StopBroker()
		}
		r.startHost()
		time.Sleep(3 * time.Second)
		if r.OwnBroker() {
			if err := r.StartBroker(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.mustBeWhole(r.await(60*time.Second), 16000)
	})
}

// Reloads under load: SIGHUP replaces every instance of every plugin in the running process.
//
// The outputs run without workers here, unlike in what is shipped. 5.1.1 starts the workers of a Go output twice; at a
// reload the first pool is not stopped and goes on using what was freed, until the host dies of it, whatever the plugin
// does. So the shipped configuration has hot reload off, and this test is about the plugins' part of it.
func TestHotReloadUnderLoad(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		if !h.HotReload() {
			t.Skipf("%s has no hot reload", h)
		}
		r := newRig(t, h, reloadable(t, conf))
		r.startHost()
		const reloads = 3
		done := r.writing(loggen.Config{Rate: 1500, Count: 15000, Seed: 11})
		for n := range reloads {
			time.Sleep(2500 * time.Millisecond)
			if err := r.Host().Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			r.waitForStarts(n + 2)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.mustBeWhole(r.await(30*time.Second), 15000)
	})
}

// reloadable is a variant of a configuration with hot reload and without workers.
func reloadable(t *testing.T, conf string) string {
	t.Helper()
	return variant(t, conf, [][2]string{
		{`(?mi)^(\s*hot_reload:?\s+)off\b`, "${1}on"},
		{`(?mi)^(\s*workers:?\s+)\d+`, "${1}0"},
		{`(?mi)^(\s*(?:parsers|plugins)_file:?\s+)`, "${1}" + filepath.Join(root, "conf") + "/"},
	})
}

// waitForStarts waits until kafka_batch has started n times in this process.
func (r *rig) waitForStarts(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		starts := 0
		for _, l := range r.Host().Lines() {
			if strings.Contains(l, "kafka] started") {
				starts++
			}
		}
		if starts >= n {
			return
		}
		select {
		case <-r.Host().Done():
			r.t.Fatalf("Fluent Bit ended at a reload: %v", r.Host().Err())
		default:
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("kafka_batch started %d times, want %d", starts, n)
		}
	}
}
