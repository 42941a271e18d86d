package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/benchdata"
	"flbgo/scripts/internal/fluentbit"
)

// LatencyRun is what became of lines that were written at a fixed rate.
type LatencyRun struct {
	P50        float64 `json:"p50_seconds"` // from before the write(2) of a line until a consumer had its record
	P99        float64 `json:"p99_seconds"`
	Max        float64 `json:"max_seconds"`
	Lines      int     `json:"lines"`
	Lost       int     `json:"lost"`       // not there 10 s after the last line was written
	Duplicates int     `json:"duplicates"` // further records of a line
	CPU        float64 `json:"cpu_seconds"`
	RSS        int64   `json:"peak_rss_bytes"`
	Others     float64 `json:"others_cpu_seconds"`
	Complaints int     `json:"complaints"`
	Complaint  string  `json:"first_complaint,omitempty"`
}

const (
	writeEvery = 2 * time.Millisecond // what came due goes to the file with one write(2)
	warmUp     = time.Second          // lines of the first second make the connections; they count as lost or not, no more
	patience   = 10 * time.Second     // for the last records
)

// fixedRate appends lines to a file at b.rate for b.latency while a host reads it and a consumer reads the topic.
func (b *bench) fixedRate(ctx context.Context, h fluentbit.Host, s *side) (LatencyRun, error) {
	file, err := os.CreateTemp(b.dir, "rate-*.log")
	if err != nil {
		return LatencyRun{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	v, err := b.start(ctx, h, s, file.Name())
	if err != nil {
		return LatencyRun{}, err
	}
	defer v.close()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, open := v.position(); open {
			break
		}
		if time.Since(begin) > 20*time.Second {
			return LatencyRun{}, fmt.Errorf("%s did not open its input within 20 s; the end of its log:\n%s", h, v.proc.Tail(10))
		}
		if err := errors.Join(v.dead(), ctx.Err()); err != nil {
			return LatencyRun{}, err
		}
	}

	c := newConsumer(int(float64(b.rate) * b.latency.Seconds()))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	consumed := make(chan error, 1)
	go func() { consumed <- c.run(ctx, v.kafka) }()
	if err := c.write(ctx, file, b.rate); err != nil {
		return LatencyRun{}, err
	}
	select {
	case err = <-consumed:
	case <-time.After(patience):
		cancel()
		<-consumed
	case <-v.proc.Done():
		err = v.dead()
	}
	if err != nil {
		return LatencyRun{}, err
	}
	used, err := v.end()
	r := c.result(b.rate)
	r.CPU, r.RSS, r.Others = used.CPU, used.RSS, used.Others
	r.Complaints, r.Complaint = used.Complaints, used.Complaint
	return r, err
}

// consumer holds for each line when it was written and when its record was first seen, in nanoseconds since base.
type consumer struct {
	base       time.Time
	sent       []atomic.Int64
	seen       []int64 // 0 = not yet; the goroutine of run alone
	missing    int
	duplicates int
}

func newConsumer(lines int) *consumer {
	return &consumer{base: time.Now(), sent: make([]atomic.Int64, lines), seen: make([]int64, lines), missing: lines}
}

// write appends all lines at the rate. A line's time is taken before the write(2) that it goes with.
func (c *consumer) write(ctx context.Context, file *os.File, rate int) error {
	var g benchdata.Generator
	var buf []byte
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	start := time.Now()
	for done := 0; done < len(c.sent); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		due := min(len(c.sent), int(time.Since(start).Seconds()*float64(rate)))
		now := time.Now()
		buf = buf[:0]
		for seq := done; seq < due; seq++ {
			buf = g.Append(buf, seq, now)
			c.sent[seq].Store(int64(now.Sub(c.base)))
		}
		if _, err := file.Write(buf); err != nil {
			return err
		}
		done = due
	}
	return nil
}

var seqKey = []byte(`"seq":`)

// run consumes the topic until every line was seen. It returns nil when ctx is done.
func (c *consumer) run(ctx context.Context, k *cluster) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.brokers...), kgo.ConsumeTopics(k.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for c.missing > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		now := int64(time.Since(c.base))
		if err := fetches.Err(); err != nil {
			return err
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			seq, ok := lineNumber(r.Value)
			switch {
			case !ok || seq >= len(c.seen):
				bad = fmt.Errorf("the topic has a record that no line made: %.200s", r.Value)
			case c.seen[seq] != 0:
				c.duplicates++
			default:
				c.seen[seq] = now
				c.missing--
			}
		})
		if bad != nil {
			return bad
		}
	}
	return nil
}

// lineNumber finds the member seq.
func lineNumber(value []byte) (int, bool) {
	i := bytes.Index(value, seqKey)
	if i < 0 {
		return 0, false
	}
	rest := value[i+len(seqKey):]
	end := bytes.IndexAny(rest, ",}")
	if end < 0 {
		return 0, false
	}
	n, err := strconv.Atoi(string(rest[:end]))
	return n, err == nil && n >= 0
}

// result may be called when run has ended.
func (c *consumer) result(rate int) LatencyRun {
	r := LatencyRun{Lines: len(c.sent), Lost: c.missing, Duplicates: c.duplicates}
	// Of a run that is shorter than two warm-ups the second half counts.
	from := min(len(c.sent)/2, int(warmUp.Seconds()*float64(rate)))
	var took []float64
	for seq := from; seq < len(c.seen); seq++ {
		if c.seen[seq] != 0 {
			took = append(took, time.Duration(c.seen[seq]-c.sent[seq].Load()).Seconds())
		}
	}
	if len(took) == 0 {
		return r
	}
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(math.Ceil(q*float64(len(took))))-1] }
	r.P50, r.P99, r.Max = at(0.5), at(0.99), took[len(took)-1]
	return r
}
