package batch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons for which records become dead letters or are dropped.
const (
	reasonTooLarge = "too_large"      // larger than the broker accepts, alone in its batch
	reasonCorrupt  = "corrupt"        // refused as corrupt again and again, alone in its batch
	reasonInvalid  = "invalid_record" // the broker says that this record is invalid
	reasonTopic    = "invalid_topic"  // the broker says that no topic can have the name that the record gives
	reasonEncode   = "encode_panic"   // the encoder panicked at it
)

var reasons = []string{reasonTooLarge, reasonCorrupt, reasonInvalid, reasonTopic, reasonEncode}

// stats counts what happens to records. Safe for concurrent use.
//
// The counts of records change together, under one lock, once per flush and batch: taken is always the sum of
// acknowledged, all dead letters, all that was dropped, and open.
type stats struct {
	mu       sync.Mutex
	counts   records
	answers  map[int16]int64 // brokers' answers to produce requests, by error code
	bytes    int64           // of acknowledged batches, as sent
	rawBytes int64           // of the same before compression
	last     time.Time       // of an acknowledgement; zero: never

	latency   prometheus.Histogram // of requests that were sent, answered or not, seconds
	batchSize prometheus.Histogram // of acknowledged batches, bytes as sent

	damaged     atomic.Int64 // events that are no records
	batches     atomic.Int64 // acknowledged
	requests    atomic.Int64
	resends     atomic.Int64            // of batches that were sent before
	network     atomic.Int64            // requests without an answer
	unknown     atomic.Int64            // answers with a code that is not expected for a produce request
	splits      atomic.Int64            // batches written anew
	restamped   atomic.Int64            // records sent with the present time because the broker refused theirs
	toDefault   [unusables]atomic.Int64 // records sent to the default topic, by why not to their own
	outside     atomic.Int64            // records sent with the present time because theirs is outside record_time_window
	irregular   [irregulars]atomic.Int64
	moved       atomic.Int64 // records moved off a partition that is no more
	newProducer atomic.Int64 // producer ids replaced
	limited     atomic.Int64 // flushes answered RETRY because of the rate limit
	panics      atomic.Int64 // in goroutines of this package
}

func newStats() *stats {
	return &stats{
		counts:  records{dead: map[string]int64{}, dropped: map[string]int64{}},
		answers: map[int16]int64{},
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kafka_batch_request_duration_seconds", Help: "Time from a produce request to its answer, or to giving up on it.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kafka_batch_batch_size_bytes", Help: "Size of acknowledged batches, compressed.",
			Buckets: prometheus.ExponentialBuckets(256, 4, 8),
		}),
	}
}

// records is a consistent reading.
type records struct {
	taken, acknowledged, open int64
	dead, dropped             map[string]int64 // by reason; neither is acknowledged
}

func sum(by map[string]int64) (n int64) {
	for _, v := range by {
		n += v
	}
	return n
}

func (s *stats) take(n int64) {
	s.mu.Lock()
	s.counts.taken += n
	s.counts.open += n
	s.mu.Unlock()
}

// acknowledge counts a batch: n of its records, beside dead letters, bytes as sent, raw before compression.
func (s *stats) acknowledge(n int64, bytes, raw int) {
	now := time.Now()
	s.mu.Lock()
	s.counts.acknowledged += n
	s.counts.open -= n
	s.bytes += int64(bytes)
	s.rawBytes += int64(raw)
	s.last = now
	s.mu.Unlock()
	s.batches.Add(1)
	s.batchSize.Observe(float64(bytes))
}

// bury counts dead letters that were acknowledged.
func (s *stats) bury(n int64, reason string) {
	s.mu.Lock()
	s.counts.dead[reason] += n
	s.counts.open -= n
	s.mu.Unlock()
}

// drop counts records that were taken.
func (s *stats) drop(n int64, reason string) {
	s.mu.Lock()
	s.counts.dropped[reason] += n
	s.counts.open -= n
	s.mu.Unlock()
}

// irregular is what is odd about a record that is sent all the same.
type irregular uint8

const (
	rawMissing irregular = iota
	idMissing
	headersLeftOut
	headersNoMap
	irregulars
)

var irregularNames = [irregulars]string{"raw_log_key_missing", "record_id_missing", "headers_left_out", "headers_key_no_map"}

// notice counts what the encoder noticed in a chunk.
func (s *stats) notice(c *counts) {
	for why, n := range c.topics {
		s.toDefault[why].Add(int64(n))
	}
	s.outside.Add(int64(c.outsideWindow))
	for i, n := range [irregulars]int{rawMissing: c.rawMissing, idMissing: c.idMissing, headersLeftOut: c.headersLeftOut, headersNoMap: c.headersNoMap} {
		s.irregular[i].Add(int64(n))
	}
}

// answer counts a broker's answer.
func (s *stats) answer(code int16) {
	s.mu.Lock()
	s.answers[code]++
	s.mu.Unlock()
}

// request counts a produce request.
func (s *stats) request(took time.Duration) {
	s.requests.Add(1)
	s.latency.Observe(took.Seconds())
}

func (s *stats) records() records { return s.read().records }
