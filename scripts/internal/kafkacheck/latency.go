package kafkacheck

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of equal relative width: 64 per power
// of two, so a quantile is at most 1.6% too high. The zero value is empty.
type histogram struct {
	n       uint64
	largest int64
	buckets []uint64 // made with the first value
}

const (
	subBits    = 6
	histogramN = (64 - subBits) << subBits
)

func bucket(ns int64) int {
	v := uint64(ns)
	shift := max(0, bits.Len64(v)-subBits-1)
	return shift<<subBits + int(v>>shift)
}

// upper is the largest value of a bucket.
func upper(b int) int64 {
	if b < 1<<(subBits+1) {
		return int64(b)
	}
	shift := b>>subBits - 1
	return (int64(b)-int64(shift)<<subBits+1)<<shift - 1
}

// add counts a duration in nanoseconds; clocks that step back make 0 of it.
func (h *histogram) add(ns int64) {
	ns = max(0, ns)
	if h.buckets == nil {
		h.buckets = make([]uint64, histogramN)
	}
	h.buckets[bucket(ns)]++
	h.n++
	h.largest = max(h.largest, ns)
}

func (h *histogram) merge(o *histogram) {
	if o.n == 0 {
		return
	}
	if h.buckets == nil {
		h.buckets = make([]uint64, histogramN)
	}
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.largest = max(h.largest, o.largest)
}

func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q*float64(h.n) + 0.5)
	rank = max(1, min(rank, h.n))
	var sum uint64
	for i, n := range h.buckets {
		if sum += n; sum >= rank {
			return time.Duration(min(upper(i), h.largest))
		}
	}
	return 0
}

// Latency is how long events took from the write(2) of their line to the
// consumer. All zero where N is.
type Latency struct {
	N             uint64
	P50, P99, Max time.Duration
}

func (h *histogram) latency() Latency {
	return Latency{h.n, h.quantile(0.5), h.quantile(0.99), time.Duration(h.largest)}
}

// Mark is a moment for Checker.LatencySince.
type Mark struct{ h histogram }

// Mark is now.
func (c *Checker) Mark() Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	var m Mark
	for _, t := range c.streams {
		m.h.merge(&t.latency)
	}
	return m
}

// LatencySince is the latency of the events that have arrived since then. Its Max is up to 1.6% too high.
func (c *Checker) LatencySince(then Mark) Latency {
	h := c.Mark().h
	h.largest = 0
	for i := range h.buckets {
		if then.h.buckets != nil {
			h.buckets[i] -= then.h.buckets[i]
		}
		if h.buckets[i] > 0 {
			h.largest = upper(i)
		}
	}
	h.n -= then.h.n
	return h.latency()
}
