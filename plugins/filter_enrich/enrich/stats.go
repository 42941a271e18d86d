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
	countTraceFound
	countTraceInvalid
	countTraceAbsent   // the field is there and says that there is no trace
	countTraceExplicit // the record has a trace_id of its own
	countConflicts     // fields that were kept where an option would have written another
	countLevels
	countLevelsFromStatus
	countDurations
	countDurationsInvalid
	countGroups
	countDamaged
	counters
)

var counterNames = [counters]string{"records", "enriched", "trace_found", "trace_invalid", "trace_absent",
	"trace_explicit", "conflicts_kept", "levels_normalised", "levels_from_status", "durations_converted",
	"durations_invalid", "group_markers", "damaged"}

// counts is what one call counts for itself, so that records cost no atomic operation.
type counts [counters]int64

// stats sums up the calls of an instance. Safe for concurrent use.
type stats [counters]atomic.Int64

func (s *stats) add(c *counts) {
	for i, n := range c {
		if n != 0 {
			s[i].Add(n)
		}
	}
}

// attrs are all counters for a line of log.
func (s *stats) attrs() []any {
	attrs := make([]any, 0, counters)
	for i := range s {
		attrs = append(attrs, slog.Int64(counterNames[i], s[i].Load()))
	}
	return attrs
}
