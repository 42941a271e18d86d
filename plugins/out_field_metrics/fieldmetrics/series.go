package fieldmetrics

import "sort"

// series is one set of label values of a metric and what it has counted. All of it is guarded by its table's lock;
// nobody holds a series beyond that, so that one which is removed cannot lose an update. What every update touches
// stands in front, in one cache line.
type series struct {
	key    string  // label values, see appendKey
	used   int64   // when it was updated last, by this machine's clock, in ns
	value  float64 // of a counter or a gauge; the sum of a histogram
	newest int64   // time of the newest event, in ns: of what a gauge was set to, of the last exemplar
	count  uint64  // of a histogram

	live, kept bool // kept: it is there without having been used, and does not become idle

	buckets   []uint64 // of a histogram: by bucket, the one above the last bound at the end
	native    *native
	exemplars *exemplars
	created   int64 // in ns
}

// update counts one point. now is this machine's time, in ns.
func (r *rule) update(s *series, p *point, keys []byte, now int64) {
	s.used = now
	bucket := 0
	switch r.Kind {
	case counter:
		s.value += p.value
	case gauge:
		switch {
		case r.Action != set:
			s.value += p.value
		case p.time >= s.newest:
			s.value, s.newest = p.value, p.time
		}
		return
	case nativeHistogram:
		s.native.observe(p.value, r.nativeMax)
		fallthrough
	case histogram:
		s.value += p.value
		s.count++
		bucket = findBucket(r.buckets, p.value)
		s.buckets[bucket]++
	}
	if p.ids > 0 {
		r.offerExemplar(s, p, keys, bucket, now)
	}
}

// findBucket is the first bound that is not below v; behind the last one where there is none.
func findBucket(bounds []float64, v float64) int {
	// The bounds of most histograms are few, and a loop over them is faster than a search.
	if len(bounds) < 32 {
		for i, b := range bounds {
			if v <= b {
				return i
			}
		}
		return len(bounds)
	}
	return sort.SearchFloat64s(bounds, v)
}
