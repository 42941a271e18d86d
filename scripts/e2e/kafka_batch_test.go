package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/pipeline"
)

// eachHostAtOnce runs a test against every host, side by side with the others of its kind: these tests wait more than
// they work.
func eachHostAtOnce(t *testing.T, test func(t *testing.T, h fluentbit.Host)) {
	t.Parallel()
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// account is what scrapes of a run have said.
type account struct {
	scrapes int
	last    map[string]float64
	broken  []string
	quit    chan struct{}
	done    chan struct{}
}

// watch scrapes until end is called, and holds every scrape to the law that no record goes unaccounted.
func (r *rig) watch() *account {
	a := &account{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-a.quit:
				return
			case <-tick.C:
			}
			m, err := r.Scrape(r.t.Context())
			if err != nil {
				continue // not up
			}
			a.scrapes, a.last = a.scrapes+1, m
			if d := pipeline.Unaccounted(m); d != 0 && len(a.broken) < 5 {
				a.broken = append(a.broken, fmt.Sprintf("%v of %v", d, m["records_taken_total"]))
			}
		}
	}()
	return a
}

// end stops the watching and fails the test where a scrape broke the law, or there were too few to tell.
func (a *account) end(t *testing.T, atLeast int) {
	t.Helper()
	close(a.quit)
	<-a.done
	for _, b := range a.broken {
		t.Errorf("records unaccounted for: %s", b)
	}
	if a.scrapes < atLeast {
		t.Errorf("%d scrapes, want %d at least", a.scrapes, atLeast)
	}
	t.Logf("%d scrapes, at the last one %.0f records were taken, %.0f acknowledged, %.0f open", a.scrapes,
		a.last["records_taken_total"], a.last["records_acknowledged_total"], a.last["records_open"])
}

// topicRecords reads topics until n records are there or the time is up.
func (r *rig) topicRecords(n int, limit time.Duration, topics ...string) []*kgo.Record {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...), kgo.ConsumeTopics(topics...), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { got = append(got, rec) })
	}
	return got
}

// headers is a record's headers by name.
func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}
