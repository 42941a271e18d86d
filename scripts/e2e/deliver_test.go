package e2e

import (
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

// Fluent Bit is stopped in the middle and started again; lines are written and files rotated while it is away.
func TestStoppedAndStarted(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		done := r.writing(loggen.Config{Rate: 2500, Count: 15000, Seed: 9, RotateInterval: 2500 * time.Millisecond})
		time.Sleep(2 * time.Second)
		if err := r.Host().Stop(15 * time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.startHost()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.mustBeWhole(r.await(30*time.Second), 15000)
	})
}

// Fluent Bit is killed with SIGKILL, and comes back while the broker is away.
func TestKilledAndBrokerAway(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		done := r.writing(loggen.Config{Rate: 2000, Count: 16000, Seed: 10})
		time.Sleep(2 * time.Second)
		r.Host().Kill()
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

// A reload under load: SIGHUP replaces every instance of every plugin in the running process.
func TestHotReloadUnderLoad(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		if !h.HotReload() {
			t.Skipf("%s has no hot reload", h)
		}
		r := newRig(t, h, conf)
		r.startHost()
		done := r.writing(loggen.Config{Rate: 2000, Count: 12000, Seed: 11})
		time.Sleep(2 * time.Second)
		for range 2 {
			if err := r.Host().Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		r.mustBeWhole(r.await(30*time.Second), 12000)
	})
}
