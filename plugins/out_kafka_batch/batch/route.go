package batch

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// errTopic is what a flush fails with while its topic cannot be written to.
var errTopic = errors.New("the topic cannot be written to")

const (
	// routeAge is how long a route is used before the metadata is looked at again.
	routeAge = time.Second
	// stickyBytes is how much goes to one partition, from records without a key, before the next one is taken: flushes
	// that meet share a batch, and over time every partition gets its part.
	stickyBytes = 256 << 10
)

// route is a topic's partitions at one moment. Immutable.
type route struct {
	partitions []*partition // by id
	available  []*partition // those with a leader
	made       time.Time
}

// router knows the topic's partitions. Safe for concurrent use.
type router struct {
	cluster *cluster
	notices *notices
	topic   string
	make    func(id int32) *partition

	mu         sync.Mutex
	partitions []*partition // every one there ever was, by id
	current    *route
	sticky     *partition
	stickyLeft int
}

// get returns the topic's route. It waits for metadata until ctx ends.
func (r *router) get(ctx context.Context) (*route, error) {
	for attempt := 0; ; attempt++ {
		if current := r.fresh(); current != nil {
			return current, nil
		}
		t, err := r.cluster.topic(ctx, r.topic)
		if err != nil {
			r.cluster.check()
			return nil, fmt.Errorf("metadata of %s: %w", r.topic, err)
		}
		switch kafka.Error(t.ErrorCode) {
		case 0:
			ids := make([]int32, len(t.Partitions))
			leaders := make([]int32, len(t.Partitions))
			for _, p := range t.Partitions {
				if p.PartitionIndex < 0 || int(p.PartitionIndex) >= len(ids) {
					return nil, fmt.Errorf("%w: the metadata of %s names partition %d of %d", errTopic, r.topic, p.PartitionIndex, len(ids))
				}
				leaders[p.PartitionIndex] = p.LeaderID
			}
			if len(ids) > 0 {
				return r.update(leaders), nil
			}
		case kafka.LeaderNotAvailable: // it is being created
		default:
			r.notices.topic.Do(func() {
				r.notices.log.Warn("the topic cannot be written to; chunks stay in Fluent Bit's buffer until it can",
					"topic", r.topic, "error", explain(t.ErrorCode), "code", t.ErrorCode)
			})
			return nil, fmt.Errorf("%w: %s: %s", errTopic, r.topic, explain(t.ErrorCode))
		}
		if !sleep(ctx, backoff(attempt)) {
			return nil, ctx.Err()
		}
		r.cluster.check()
	}
}

func (r *router) fresh() *route {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil && time.Since(r.current.made) < routeAge {
		return r.current
	}
	return nil
}

// update makes the route from the leaders by partition, -1 for none.
func (r *router) update(leaders []int32) *route {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := int32(len(r.partitions)); int(id) < len(leaders); id++ {
		r.partitions = append(r.partitions, r.make(id))
	}
	n := &route{partitions: r.partitions[:len(leaders):len(leaders)], made: time.Now()}
	for id, leader := range leaders {
		r.partitions[id].leader.Store(leader)
		if leader >= 0 {
			n.available = append(n.available, r.partitions[id])
		}
	}
	r.current = n
	return n
}

// stick returns the partition for n bytes of records without a key. A partition in trouble is left while there are
// others.
func (r *router) stick(n *route, bytes int) *partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.sticky; p != nil && r.stickyLeft > 0 && int(p.id) < len(n.partitions) && p.leader.Load() >= 0 && !p.troubled.Load() {
		r.stickyLeft -= bytes
		return p
	}
	from := n.available
	if len(from) == 0 {
		from = n.partitions
	}
	start := rand.IntN(len(from))
	pick := from[start]
	for i := range from {
		p := from[(start+i)%len(from)]
		if !p.troubled.Load() && (p != r.sticky || len(from) == 1) {
			pick = p
			break
		}
	}
	r.sticky, r.stickyLeft = pick, stickyBytes-bytes
	return pick
}

// assign gives every entry its partition and links those of one partition, in order: s.touched are the partitions'
// ids, s.heads their first entries. release undoes it.
//
// A key decides by CRC-32 modulo the number of partitions, as librdkafka's consistent_random does, whether that
// partition has a leader or not: equal keys stay together. Like there, an empty key is none.
func (r *router) assign(s *scratch, n *route) {
	for len(s.heads) < len(n.partitions) {
		s.heads, s.tails = append(s.heads, -1), append(s.tails, -1)
	}
	sticky := int32(-1)
	for i := range s.entries {
		e := &s.entries[i]
		if key := e.key.of(s.text); len(key) > 0 {
			e.partition = int32(crc32.ChecksumIEEE(key) % uint32(len(n.partitions)))
		} else {
			if sticky < 0 {
				sticky = r.stick(n, len(s.text)).id
			}
			e.partition = sticky
		}
		if s.heads[e.partition] < 0 {
			s.heads[e.partition] = int32(i)
			s.touched = append(s.touched, e.partition)
		} else {
			s.entries[s.tails[e.partition]].next = int32(i)
		}
		s.tails[e.partition] = int32(i)
	}
}

// release makes the scratch ready for the next assign.
func (s *scratch) release() {
	for _, id := range s.touched {
		s.heads[id] = -1
	}
	s.touched = s.touched[:0]
}
