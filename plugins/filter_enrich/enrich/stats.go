package enrich

import (
	"log/slog"
	"math/bits"
	"sync/atomic"
)

// counter names one thing that is counted.
type counter uint8

const (
	countRecords counter = iota
	countEnriched
	countTraceAbsent // fields are there and say that there is no trace
	countGenerated   // trace ids made of request ids
	countConflicts   // fields that were kept where an option would have written another
	countLevels
	countLevelsFromStatus
	countLevelsFromMessage
	countDurations
	countDurationsInvalid
	countGroups
	countDamaged
	counters
)

var counterNames = [counters]string{"records", "enriched", "trace_absent", "trace_generated", "conflicts_kept",
	"levels_normalised", "levels_from_status", "levels_from_message", "durations_converted", "durations_invalid",
	"group_markers", "damaged"}

// counts is what one call counts for itself, so that records cost no atomic operation.
type counts struct {
	count [counters]int64
	trace [formats]traceCounts
	came  uint32 // the formats that are counted in trace, by bit
}

// traceCounts are of one format.
type traceCounts struct {
	found     int64 // records whose trace context came from it
	converted int64 // those of them in which fields were written for it
	invalid   int64 // records in which a value of it is none
}

// of are the counts of a format.
func (c *counts) of(f format) *traceCounts {
	c.came |= 1 << f
	return &c.trace[f]
}

func (c *counts) reset() {
	clear(c.count[:])
	for ; c.came != 0; c.came &= c.came - 1 {
		c.trace[bits.TrailingZeros32(c.came)] = traceCounts{}
	}
}

// stats sums up the calls of an instance. Safe for concurrent use.
type stats struct {
	count                     [counters]atomic.Int64
	found, converted, invalid [formats]atomic.Int64
}

func (s *stats) add(c *counts) {
	for i, n := range c.count {
		if n != 0 {
			s.count[i].Add(n)
		}
	}
	for m := c.came; m != 0; m &= m - 1 {
		f := bits.TrailingZeros32(m)
		s.found[f].Add(c.trace[f].found)
		s.converted[f].Add(c.trace[f].converted)
		s.invalid[f].Add(c.trace[f].invalid)
	}
}

// attrs are all counters for a line of log; of the formats those that came.
func (s *stats) attrs() []any {
	attrs := make([]any, 0, counters)
	for i := range s.count {
		attrs = append(attrs, slog.Int64(counterNames[i], s.count[i].Load()))
	}
	for _, by := range []struct {
		what string
		n    *[formats]atomic.Int64
	}{{"trace_found", &s.found}, {"trace_converted", &s.converted}, {"trace_invalid", &s.invalid}} {
		for f := range formats {
			if n := by.n[f].Load(); n > 0 {
				attrs = append(attrs, slog.Int64(by.what+"_"+f.String(), n))
			}
		}
	}
	return attrs
}
