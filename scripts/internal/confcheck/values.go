package confcheck

import (
	"strconv"
	"strings"
	"time"
)

// chunkSize is how large a chunk is allowed to become before the host begins another (FLB_INPUT_CHUNK_FS_MAX_SIZE).
// What is appended last may make it larger.
const chunkSize = 2_048_000

// size reads Fluent Bit's sizes, whose units are powers of 1,000: 512K, 1M, 1MB, 12G. It returns -1 for what is none.
func size(s string) int64 {
	s = strings.TrimSuffix(strings.ToUpper(s), "B")
	unit := int64(1)
	for i, u := range []string{"K", "M", "G"} {
		if rest, ok := strings.CutSuffix(s, u); ok {
			s = rest
			for range i + 1 {
				unit *= 1000
			}
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return -1
	}
	return n * unit
}

// number reads a whole number; -1 for what is none.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// Number returns a setting of the section that is a whole number; -1 where there is none.
func (s *Section) Number(key string) int64 {
	v, ok := s.Get(key)
	if !ok {
		return -1
	}
	return number(v)
}

// Size is the same for sizes.
func (s *Section) Size(key string) int64 {
	v, ok := s.Get(key)
	if !ok {
		return -1
	}
	return size(v)
}

// FlushTimeout is how long one flush of a kafka_batch may take; it has a default. 0 for what is no duration.
func (s *Section) FlushTimeout() time.Duration {
	v, ok := s.Get("flush_timeout")
	if !ok {
		return 4 * time.Second
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0
	}
	return d
}

// list splits a comma-separated value.
func list(s string) []string {
	var out []string
	for _, e := range strings.Split(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}
