package enrich

import (
	"log/slog"
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
	traceCounts
}

// traceCounts are by format.
type traceCounts struct {
	found     [formats]int64 // records whose trace context came from it
	converted [formats]int64 // those of them in which fields were written for it
	invalid   [formats]int64 // records in which a value of it is none
}

// stats sums up the calls of an instance. Safe for concurrent use.
type stats struct {
	count                     [counters]atomic.Int64
	found, converted, invalid [formats]atomic.Int64
}

func (s *stats) add(c *counts) {
	addAll(s.count[:], c.count[:])
	addAll(s.found[:], c.found[:])
	addAll(s.converted[:], c.converted[:])
	addAll(s.invalid[:], c.invalid[:])
}

func addAll(sums []atomic.Int64, c []int64) {
	for i, n := range c {
		if n != 0 {
			sums[i].Add(n)
		}
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
