package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

// Killed three times with SIGKILL under load: everything arrives, copies across lives share their record_id, within a
// life the producer writes nothing twice, every scrape of every life adds up, and neither connections nor descriptors
// grow.
func TestKafkaBatchKilledThreeTimes(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		r := newRig(t, h, "conf/fluent-bit.conf")
		r.killed = true
		const rate, count = 1500, 14000
		r.startHost()
		done := r.writing(loggen.Config{Rate: rate, Count: count, Seed: 31, RotateEvery: 900})
		ids := map[int64]bool{} // producers of earlier lives
		for life := range 3 {
			a := r.watch()
			time.Sleep(1800 * time.Millisecond)
			r.Host().Kill()
			a.end(t, 5)
			time.Sleep(200 * time.Millisecond) // what the broker had read of the last request
			records := r.topicRecords(1<<30, time.Second, r.Topic)
			mine, copies := 0, 0
			seen := map[string]bool{}
			for _, rec := range records {
				if ids[rec.ProducerID] {
					continue
				}
				mine++
				id := headers(rec)["record_id"]
				if seen[id] {
					copies++
				}
				seen[id] = true
			}
			for _, rec := range records {
				ids[rec.ProducerID] = true
			}
			if float64(mine) < a.Last()["records_acknowledged_total"] {
				t.Errorf("life %d: %d records in Kafka, %v were acknowledged", life, mine, a.Last()["records_acknowledged_total"])
			}
			// Later lives begin with what the host may have both on disk and, its offset unsaved, to read again.
			if life == 0 && copies > 0 {
				t.Errorf("%d copies before the first kill", copies)
			}
			r.startHost()
		}
		a := r.watch()
		finish(t, done)
		report := r.await(20 * time.Second)
		r.mustBeWhole(report, count)
		a.end(t, 1)

		// The last life's account is whole: each record that was taken is in the log, once.
		last := r.settled(5 * time.Second)
		mine := 0
		for _, rec := range r.topicRecords(int(report.Records), 5*time.Second, r.Topic) {
			if !ids[rec.ProducerID] {
				mine++
			}
		}
		if float64(mine) != last["records_taken_total"] || last["records_taken_total"] != last["records_acknowledged_total"] {
			t.Errorf("the last life took %v records, %v were acknowledged, %d are in Kafka", last["records_taken_total"], last["records_acknowledged_total"], mine)
		}
		r.mustNotLeak()
	})
}

// settled waits until no record is open, and returns the scrape that said so.
func (r *rig) settled(limit time.Duration) map[string]float64 {
	r.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		m, err := r.Scrape(r.t.Context())
		if open, ok := m["records_open"]; ok && open == 0 {
			if d := pipeline.Unaccounted(m); d != 0 || m["buffer_bytes"] != 0 || m["requests_in_flight"] != 0 {
				r.t.Errorf("no record is open, but %v are unaccounted for, and %v bytes and %v requests are open", d, m["buffer_bytes"], m["requests_in_flight"])
			}
			return m
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("records are still open after %v: %v, %v", limit, m, err)
		}
	}
}

// mustNotLeak bounds what a host that has nothing to do holds: connections to the broker, seen from the broker's side,
// and its own descriptors.
func (r *rig) mustNotLeak() {
	r.t.Helper()
	// One connection per request at a time, one for metadata, and those of the test's own readers on their way out.
	if _, _, open := r.Faults.Counts(); r.OwnBroker() && open > pipeline.Partitions+8 {
		r.t.Errorf("%d connections to the broker are open", open)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.Host().PID()))
	if err != nil {
		r.t.Fatal(err)
	}
	sockets := 0
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join("/proc", fmt.Sprint(r.Host().PID()), "fd", fd.Name())); err == nil && len(to) > 6 && to[:6] == "socket" {
			sockets++
		}
	}
	if sockets > 40 {
		r.t.Errorf("the host has %d sockets open", sockets)
	}
}

// Answers are lost after the append, four of them in a row, and then the broker hangs for longer than flush_timeout while
// lines keep coming for the same partitions: each arrives once.
func TestKafkaBatchAnswersLostAndLate(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		conf := variant(t, "conf/fluent-bit.conf", [][2]string{
			{`(?m)^(\s*Flush_Timeout\s+)4s$`, "${1}700ms"},
			{`(?m)^(\s*(?:Parsers|Plugins)_File\s+)`, "${1}" + filepath.Join(root, "conf") + "/"},
		})
		r := newRig(t, h, conf)
		if !r.OwnBroker() {
			t.Skip("KAFKA_BROKERS names a cluster whose answers are not ours to lose")
		}
		r.startHost()
		a := r.watch()
		done := r.writing(loggen.Config{Rate: 1500, Count: 9000, Seed: 32})
		time.Sleep(time.Second)
		r.Faults.CutNext(4)
		time.Sleep(1500 * time.Millisecond)
		release := r.Faults.HoldAll()
		defer release()
		time.Sleep(2500 * time.Millisecond)
		release()
		finish(t, done)
		report := r.await(20 * time.Second)
		r.mustBeWhole(report, 9000)
		if report.Copies.N > 0 {
			t.Errorf("%d copies: %v", report.Copies.N, report.Copies.Examples)
		}
		a.end(t, 50)
		last := r.settled(5 * time.Second)
		lost, held, _ := r.Faults.Counts()
		if lost != 4 || held == 0 || last["retries_total"] < 4 || last["records_acknowledged_total"] != float64(report.Records) {
			t.Errorf("%d answers were lost, %d held, %v batches sent again, %v records acknowledged of %d", lost, held,
				last["retries_total"], last["records_acknowledged_total"], report.Records)
		}
		t.Logf("%d answers lost, %d held, %v batches sent again", lost, held, last["retries_total"])
		r.mustNotLeak()
	})
}

// grace is what the configuration gives a stop.
const grace = 5 * time.Second

// A stop takes no longer than Grace while the broker is away, and while it is there and hangs. What waits then is
// delivered after the next start.
func TestKafkaBatchStoppedInAnOutage(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		t.Run(map[bool]string{false: "away", true: "hangs"}[hangs], func(t *testing.T) {
			eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
				r := newRig(t, h, "conf/fluent-bit.conf")
				if !r.OwnBroker() {
					t.Skip("KAFKA_BROKERS names a cluster that is not ours to stop")
				}
				r.startHost()
				r.write(loggen.Config{Rate: 3000, Count: 2100, Seed: 33})
				release := func() {}
				if hangs {
					release = r.Faults.HoldAll()
				} else {
					r.StopBroker()
				}
				defer release()
				r.write(loggen.Config{Rate: 3000, Count: 2100, StartSeq: 301, Seed: 33})
				time.Sleep(1500 * time.Millisecond) // read, on disk, tried
				start := time.Now()
				if err := r.Host().Stop(20 * time.Second); err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				t.Logf("the stop took %v", took.Round(10*time.Millisecond))
				// The host counts Grace in whole seconds, and then waits for what its workers have begun. Where every
				// flush waited for brokers that hang this took 13 s.
				if took > grace+4*time.Second {
					t.Errorf("the stop took %v, Grace is %v", took, grace)
				}
				release()
				if !hangs {
					if err := r.StartBroker(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				r.startHost()
				r.mustBeWhole(r.await(20*time.Second), 4200)
			})
		})
	}
}
