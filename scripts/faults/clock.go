package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/kafkacheck"
	"flbgo/scripts/internal/loggen"
)

// daysOff is how wrong the clock is.
const daysOff = 10 * 24 * time.Hour

// clockFaults: the clock of what writes the lines is wrong.
var clockFaults = []Fault{{
	Name: "clock", Group: 7, Short: true,
	Title: "lines with times ten days ago and ten days ahead among good ones; the broker takes a day (code 32)",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		// As wide a window as somebody may set who fills the past in; the topic of this one takes less.
		if err := r.Begin(ctx, sidecar([2]string{`(?m)^(\s*Flush_Timeout\s+4s)$`, "${1}\n    Record_Time_Window 720h"})); err != nil {
			return err
		}
		if !r.OwnBroker() {
			return fmt.Errorf("only devkafka can be told which times to refuse")
		}
		r.Broker().RefuseTimes(24 * time.Hour)
		return r.wrongClock(ctx)
	},
}}

// wrongClock writes lines of all three clocks, and looks at what has become of their times.
func (r *Run) wrongClock(ctx context.Context) error {
	writing, stop := context.WithCancel(ctx)
	defer stop()
	if err := r.Write(writing, loggen.Config{Streams: jsonStreams, Seed: 73}); err != nil {
		return err
	}
	own, err := r.ownLines("zap")
	if err != nil {
		return err
	}
	at := map[uint64]time.Time{}
	var behind, ahead float64
	for i := range r.long(4*time.Second, 20*time.Second) / (20 * time.Millisecond) {
		off := -daysOff
		if i%2 == 1 {
			off = daysOff
			ahead++
		} else {
			behind++
		}
		then := time.Now().UTC().Add(off).Truncate(time.Microsecond)
		at[own.seq] = then
		text := then.Format(time.RFC3339Nano)
		if err := own.put(fmt.Sprintf(`{"time":%q,"level":"info","seq":SEQ,"msg":"another time"}`, text), map[string]any{"timestamp": text, "message": "another time"}); err != nil {
			return err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	stop()
	if err := r.Written(); err != nil {
		return err
	}
	if err := r.arrived(ctx, time.Minute); err != nil {
		return err
	}
	wrong := 0
	cfg := r.checks()
	cfg.OnRecord = func(stream string, seq uint64, rec *kgo.Record) {
		then, off := at[seq]
		kept := ""
		for _, h := range rec.Headers {
			if h.Key == "event_time" {
				kept = string(h.Value)
			}
		}
		age := time.Since(rec.Timestamp).Abs()
		good := age < time.Hour && kept == ""
		if off {
			t, err := time.Parse(time.RFC3339Nano, kept)
			// A batch that comes back knows its times in milliseconds; the value has them whole.
			good = age < time.Hour && err == nil && t.Truncate(time.Millisecond).Equal(then.Truncate(time.Millisecond))
		}
		if !good {
			if wrong++; wrong <= 3 {
				r.Fail("%s seq %d: its message is of %v, its header event_time is %q, the line is of %v", stream, seq, rec.Timestamp, kept, then)
			}
		}
	}
	check, err := kafkacheck.New(cfg)
	if err != nil {
		return err
	}
	defer check.Close()
	if err := check.ReadAll(ctx); err != nil {
		return err
	}
	refused, err := r.series(ctx, "kafka_batch_restamped_records_total", `reason="refused"`)
	if err != nil {
		return err
	}
	outside, err := r.series(ctx, "kafka_batch_restamped_records_total", `reason="window"`)
	if err != nil {
		return err
	}
	answers, err := r.series(ctx, "kafka_batch_responses_total", `code="32"`)
	if err != nil {
		return err
	}
	r.Note("%v lines ten days ago: the broker refused %v batches with them, and %v records went again with the present time; %v lines ten days ahead went with it at once (%v)",
		behind, answers, refused, ahead, outside)
	if refused != behind || outside != ahead {
		r.Fail("%v records were counted as refused and %v as outside the window, want %v and %v", refused, outside, behind, ahead)
	}
	return nil
}

// series adds up the series of one of kafka_batch's metrics that have a label.
func (r *Run) series(ctx context.Context, metric, label string) (total float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Kafka+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := scraper.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		labels, value, ok := strings.Cut(lines.Text(), "} ")
		if !ok || !strings.HasPrefix(labels, metric+"{") || !strings.Contains(labels, label) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, lines.Err()
}
