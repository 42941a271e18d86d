package e2e

import (
	"context"
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
type account struct{ *pipeline.Account }

// watch scrapes until end is called.
func (r *rig) watch() account { return account{r.Watch(r.t.Context())} }

// end stops the watching and fails the test where a scrape broke the law, or there were too few to tell.
func (a account) end(t *testing.T, atLeast int) {
	t.Helper()
	a.Stop()
	for _, b := range a.Broken() {
		t.Errorf("records unaccounted for: %s", b)
	}
	if a.Scrapes() < atLeast {
		t.Errorf("%d scrapes, want %d at least", a.Scrapes(), atLeast)
	}
	t.Logf("%d scrapes, at the last one %.0f records were taken, %.0f acknowledged, %.0f open", a.Scrapes(),
		a.Last()["records_taken_total"], a.Last()["records_acknowledged_total"], a.Last()["records_open"])
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
