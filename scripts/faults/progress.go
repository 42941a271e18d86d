package main

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is what the host had read, and what its second output had received, at a moment; NaN would be a wrong number to
// compare with, so ok says whether they are known.
type sample struct {
	at            time.Time
	input, second float64
	ok            bool
}

// samples are the samples of a run.
type samples struct {
	mu  sync.Mutex
	all []sample
}

// sample asks the host for the record counters of its inputs, and field_metrics, the output beside kafka_batch, for its
// own: the one says whether lines are read, the other whether they go anywhere while Kafka takes none.
func (r *Run) sample(ctx context.Context) {
	for sleep(ctx, 100*time.Millisecond) == nil {
		s := sample{at: time.Now()}
		in, errIn := sum(ctx, "http://"+r.HTTP+"/api/v1/metrics/prometheus", "fluentbit_input_records_total")
		second, err := sum(ctx, "http://"+r.Metrics+"/metrics", "log_records_total")
		s.input, s.second, s.ok = in, second, err == nil && errIn == nil
		r.samples.mu.Lock()
		r.samples.all = append(r.samples.all, s)
		r.samples.mu.Unlock()
	}
}

// Standstills are the longest times between two moments in which the inputs read nothing, and in which the second output
// got nothing. Times when the host was away count as standing still.
func (r *Run) Standstills(from, to time.Time) (input, second time.Duration) {
	r.samples.mu.Lock()
	defer r.samples.mu.Unlock()
	return standstills(r.samples.all, from, to)
}

func standstills(all []sample, from, to time.Time) (input, second time.Duration) {
	longest := func(of func(sample) float64) (most time.Duration) {
		moved, last := from, -1.0
		for _, s := range all {
			if s.at.Before(from) || s.at.After(to) || !s.ok {
				continue
			}
			if v := of(s); v != last {
				if last >= 0 {
					most = max(most, s.at.Sub(moved))
				}
				last, moved = v, s.at
			}
		}
		return max(most, to.Sub(moved))
	}
	return longest(func(s sample) float64 { return s.input }), longest(func(s sample) float64 { return s.second })
}

var scraper = http.Client{Timeout: 3 * time.Second}

// sum adds the series of a metric up.
func sum(ctx context.Context, url, metric string) (total float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := scraper.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), metric)
		if !ok {
			continue
		}
		if _, after, labels := strings.Cut(rest, "} "); labels {
			rest = after
		}
		if f := strings.Fields(rest); len(f) > 0 { // the host adds a time
			v, err := strconv.ParseFloat(f[0], 64)
			if err == nil {
				total += v
			}
		}
	}
	return total, nil
}
