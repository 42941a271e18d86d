package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"flbgo/scripts/internal/benchdata"
	"flbgo/scripts/internal/fluentbit"
)

// Run is what one process did with the whole data set.
type Run struct {
	CPU     float64 `json:"cpu_seconds"` // user and system, from its start on
	User    float64 `json:"user_seconds"`
	Sys     float64 `json:"system_seconds"`
	Seconds float64 `json:"seconds"` // from the first byte read until the last record was through
	Records int64   `json:"records"` // that came through; in Kafka as counted there
	RSS     int64   `json:"peak_rss_bytes"`
	// CPU that neither the host nor the bench nor its broker used meanwhile: a machine that others work on.
	Others float64 `json:"others_cpu_seconds"`
	// Warnings and errors in its log.
	Complaints int    `json:"complaints"`
	Complaint  string `json:"first_complaint,omitempty"`
}

func (r Run) rate() float64 { return float64(r.Records) / r.Seconds }

// bulk lets a host read the data set as fast as it can.
func (b *bench) bulk(ctx context.Context, h fluentbit.Host, s *side, d benchdata.File) (Run, error) {
	v, err := b.start(ctx, h, s, d.Path)
	if err != nil {
		return Run{}, err
	}
	defer v.close()
	took, n, err := v.through(ctx, d)
	if err != nil {
		return Run{}, err
	}
	time.Sleep(settle)
	// More than there were lines: records that were sent twice.
	if v.kafka != nil {
		if n, err = v.kafka.delivered(ctx); err != nil {
			return Run{}, err
		}
	}
	r, err := v.end()
	r.Seconds, r.Records = took.Seconds(), n
	return r, err
}

// through waits until everything is through: read to the end, and counted in Kafka and at /metrics where the side
// delivers there. It returns the time since the first byte was read, and the records counted.
func (v *session) through(ctx context.Context, d benchdata.File) (time.Duration, int64, error) {
	n := int64(d.Lines)
	begin := time.Now()
	var first time.Time // when the first byte was read
	// 100 µs a record is three times what the slowest takes.
	for limit := 30*time.Second + time.Duration(n)*100*time.Microsecond; ; {
		if err := v.dead(); err != nil {
			return 0, 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		pos, _ := v.position()
		now := time.Now()
		switch {
		case pos == 0:
			time.Sleep(2 * time.Millisecond)
		case first.IsZero():
			first = now
		case pos < d.Bytes:
			time.Sleep(10 * time.Millisecond)
		default:
			arrived, err := v.arrived(ctx, n)
			if err != nil {
				return 0, 0, err
			}
			if arrived >= n {
				if v.kafka != nil || v.metrics != "" {
					now = time.Now()
				}
				return now.Sub(first), arrived, nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		if now.Sub(begin) > limit {
			arrived, _ := v.arrived(ctx, n)
			return 0, 0, fmt.Errorf("after %v %d of %d bytes were read and %d of %d records through; the end of the log:\n%s",
				limit, pos, d.Bytes, arrived, n, v.proc.Tail(10))
		}
	}
}

// arrived is the number of records that are where they should be, in all places; n where they only pass a filter.
func (v *session) arrived(ctx context.Context, n int64) (int64, error) {
	if v.kafka != nil {
		k, err := v.kafka.delivered(ctx)
		if err != nil || k < n {
			return k, err
		}
		n = k
	}
	if v.metrics != "" && !v.side.partial {
		c, err := v.counted(ctx)
		if err != nil {
			return 0, err
		}
		return min(n, c), nil
	}
	return n, nil
}

// metricName is what peers/ calls the histogram; the built-in puts a prefix before it.
const metricName = "http_request_duration_milliseconds"

var histogramCount = regexp.MustCompile(`(?m)^\w*` + metricName + `_count(?:\{[^}]*\})? ([0-9.e+]+)`)

// counted is the number of observations in the histogram; 0 as long as nothing answers.
func (v *session) counted(ctx context.Context) (int64, error) {
	text, err := v.scrape(ctx)
	if err != nil {
		return 0, nil
	}
	var n float64
	for _, m := range histogramCount.FindAllSubmatch(text, -1) {
		c, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0, err
		}
		n += c
	}
	return int64(n), nil
}

func (v *session) scrape(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}
