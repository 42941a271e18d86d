package batch

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// trouble is something that does not pass by itself.
type trouble struct {
	since time.Time
	text  string
}

// block notes why a partition's batch is not taken; kept from its first time until the batch is settled.
func (p *partition) block(what, message string) {
	text := strings.Trim(what+": "+message, ": ")
	t := &trouble{time.Now(), text}
	if old := p.blocked.Load(); old != nil {
		t.since = old.since
	}
	p.blocked.Store(t)
}

// maxTroubles bounds how many lines a health report has.
const maxTroubles = 20

// Health returns nil while everything is delivered, and otherwise what is wrong and since when, a line for each.
func (o *Output) Health() error {
	var wrong []error
	left := 0
	add := func(since time.Time, format string, args ...any) {
		if len(wrong) == maxTroubles {
			left++
			return
		}
		wrong = append(wrong, fmt.Errorf("degraded since %s: %s", since.UTC().Format(time.RFC3339), fmt.Sprintf(format, args...)))
	}
	if since, why := o.cluster.downSince(); !since.IsZero() {
		add(since, "no Kafka broker can be reached: %s", why)
	}
	for _, t := range o.topics.all() {
		if since, code := t.trouble(); !since.IsZero() {
			add(since, "topic %s cannot be written to: %s", t.name, explain(code))
		}
		for _, p := range t.known() {
			if b := p.blocked.Load(); b != nil {
				add(b.since, "topic %s, partition %d: %s", t.name, p.id, b.text)
			}
		}
	}
	if since := o.memory.fullSince(); !since.IsZero() {
		add(since, "buffer_max_bytes (%d) of records wait for Kafka", o.cfg.bufferMaxBytes)
	}
	if left > 0 {
		wrong = append(wrong, fmt.Errorf("and %d more", left))
	}
	return errors.Join(wrong...)
}

// trouble is since when the topic cannot be written to, and why. It is none where no record is for the topic: since it was
// deleted, say, or in a while.
func (t *topic) trouble() (since time.Time, code int16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() || t.wanted.Before(t.since) || time.Since(t.wanted) > maxPendingAge {
		return time.Time{}, 0
	}
	return t.since, t.code
}

// known are all partitions that there ever were.
func (t *topic) known() []*partition {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.partitions[:len(t.partitions):len(t.partitions)]
}

// downSince is since when no broker can be reached, and why the last one could not; zero while one can.
func (c *cluster) downSince() (since time.Time, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since, c.why
}
