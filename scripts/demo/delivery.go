package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/pipeline"
)

// showDelivery prints what kafka_batch says of the records that it took since Fluent Bit's last start, and returns an
// error when one of them is unaccounted for.
func (d *demo) showDelivery(ctx context.Context) error {
	m, err := d.p.Scrape(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("From http://%s/metrics, of what Fluent Bit gave to kafka_batch since then:\n", d.p.Kafka)
	fmt.Printf("  %.0f records taken = %.0f acknowledged + %.0f dead letters + %.0f dropped + %.0f open\n\n",
		m["records_taken_total"], m["records_acknowledged_total"], m["records_dead_lettered_total"], m["records_dropped_total"], m["records_open"])
	if u := pipeline.Unaccounted(m); u != 0 {
		return fmt.Errorf("%v records that kafka_batch has taken are unaccounted for", u)
	}
	return nil
}

// showDeadLetters prints how many there are, and the headers of the first few.
func (d *demo) showDeadLetters(ctx context.Context) error {
	const shown = 3
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.p.Brokers...), kgo.ConsumeTopics(d.p.Dead))
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, d.p.Dead)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", d.p.Dead, err)
	}
	var n int64
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	fmt.Printf("dead letters in topic %s: %d\n", d.p.Dead, n)
	for left := min(n, shown); left > 0 && ctx.Err() == nil; {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if left--; left < 0 {
				return
			}
			var headers []string
			for _, h := range r.Headers {
				headers = append(headers, fmt.Sprintf("%s=%s", h.Key, h.Value))
			}
			fmt.Printf("  %s  %.100q\n", strings.Join(headers, " "), r.Value)
		})
	}
	return nil
}
