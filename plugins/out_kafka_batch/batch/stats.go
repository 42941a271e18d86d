package batch

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Reasons for which records are dropped.
const (
	reasonTooLarge = "too_large"      // larger than the broker accepts, alone in its batch
	reasonCorrupt  = "corrupt"        // refused as corrupt again and again, alone in its batch
	reasonInvalid  = "invalid_record" // the broker says that this record is invalid
	reasonEncode   = "encode_panic"   // the encoder panicked at it
)

// stats counts what happens to records. Safe for concurrent use.
//
// The counts of records change together, under one lock, once per flush and batch: taken is always the sum of
// acknowledged, all that was dropped, and open.
type stats struct {
	mu                        sync.Mutex
	taken, acknowledged, open int64
	dropped                   map[string]int64 // by reason
	answers                   map[int16]int64  // brokers' answers to produce requests, by error code

	damaged     atomic.Int64 // events that are no records
	batches     atomic.Int64 // acknowledged
	bytes       atomic.Int64 // of acknowledged batches, as sent
	resends     atomic.Int64 // of batches that were sent before
	network     atomic.Int64 // requests without an answer
	unknown     atomic.Int64 // answers with a code that is not expected for a produce request
	splits      atomic.Int64 // batches written anew
	restamped   atomic.Int64 // records sent with the present time
	moved       atomic.Int64 // records moved off a partition that is no more
	newProducer atomic.Int64 // producer ids replaced
	panics      atomic.Int64 // in goroutines of this package
}

// records is a consistent reading.
type records struct {
	taken, acknowledged, open int64
	dropped                   map[string]int64
}

func (r records) droppedAll() (n int64) {
	for _, d := range r.dropped {
		n += d
	}
	return n
}

func (s *stats) take(n int64) {
	s.mu.Lock()
	s.taken += n
	s.open += n
	s.mu.Unlock()
}

func (s *stats) acknowledge(n int64) {
	s.mu.Lock()
	s.acknowledged += n
	s.open -= n
	s.mu.Unlock()
}

// drop counts records that were taken.
func (s *stats) drop(n int64, reason string) {
	s.mu.Lock()
	if s.dropped == nil {
		s.dropped = map[string]int64{}
	}
	s.dropped[reason] += n
	s.open -= n
	s.mu.Unlock()
}

// answer counts a broker's answer.
func (s *stats) answer(code int16) {
	s.mu.Lock()
	if s.answers == nil {
		s.answers = map[int16]int64{}
	}
	s.answers[code]++
	s.mu.Unlock()
}

func (s *stats) records() records {
	s.mu.Lock()
	defer s.mu.Unlock()
	return records{s.taken, s.acknowledged, s.open, maps.Clone(s.dropped)}
}
