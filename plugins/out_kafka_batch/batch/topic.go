package batch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// errTopic is what a flush fails with while a topic of it cannot be written to.
var errTopic = errors.New("the topic cannot be written to")

const (
	// stickyBytes is how much goes to one partition, from records without a key, before the next one is taken: flushes
	// that meet share a batch, and over time every partition gets its part.
	stickyBytes = 256 << 10
	// missingAge is for how long it is taken for granted that a topic cannot be written to.
	missingAge = time.Second
	// forgetAge is after which time one is forgotten that never was there, when there are too many.
	forgetAge = 10 * time.Minute
)

// topic knows a topic's partitions and, from metadata, their leaders. Safe for concurrent use.
type topic struct {
	name    string
	dynamic bool // records name it, not the configuration
	o       *Output

	mu         sync.Mutex
	partitions []*partition // every one there ever was, by id
	route      *route       // nil until there was one
	code       int16        // what the metadata says of the topic; 0 also while it has no partitions
	asked      time.Time    // when the metadata was asked for that says so; zero: never
	since      time.Time    // of being refused by the metadata; zero while it is not
	wanted     time.Time    // when a record last found it refused
	stale      bool         // a leader has moved
	sticky     *partition
	stickyLeft int
	turn       int32 // of round_robin
}

// route is a topic's partitions at one moment. Immutable.
type route struct {
	t          *topic
	partitions []*partition // by id
	available  []*partition // those with a leader
}

// state is what a topic's metadata is good for.
type state uint8

const (
	stateUnknown state = iota // ask before a record is taken
	stateOld                  // ask, but what there is will do
	stateFresh
	stateMissing // asked a moment ago, or in vain for good: it cannot be written to
)

func (t *topic) state() (state, *route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	age := time.Since(t.asked)
	switch {
	case t.code == int16(kafka.InvalidTopic) && t.dynamic:
		return stateMissing, nil
	case t.route != nil && t.code == 0:
		if t.stale || age > t.o.cfg.metadataMaxAge {
			return stateOld, t.route
		}
		return stateFresh, t.route
	case !t.asked.IsZero() && age < missingAge && !t.creating():
		return stateMissing, nil
	}
	return stateUnknown, nil
}

// impossible tells that no topic can have this name, which a record gave.
func (t *topic) impossible() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dynamic && t.code == int16(kafka.InvalidTopic)
}

// forgettable tells that records named the topic, that it never was there, and that nobody has asked for it lately.
func (t *topic) forgettable() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dynamic && t.route == nil && !t.asked.IsZero() && time.Since(t.asked) > forgetAge
}

// creating tells that a topic will soon be there. The lock is held.
func (t *topic) creating() bool {
	return t.code == 0 && t.route == nil || t.code == int16(kafka.LeaderNotAvailable)
}

// update takes what the metadata says, as it was asked for at the time asked.
func (t *topic) update(m *metadata.ResponseTopic, asked time.Time) error {
	leaders := make([]int32, len(m.Partitions))
	for _, p := range m.Partitions {
		if p.PartitionIndex < 0 || int(p.PartitionIndex) >= len(leaders) {
			return fmt.Errorf("%w: the metadata of %s names partition %d of %d", errTopic, t.name, p.PartitionIndex, len(leaders))
		}
		leaders[p.PartitionIndex] = p.LeaderID
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if asked.Before(t.asked) {
		return nil // another goroutine knows better
	}
	t.asked, t.code = asked, m.ErrorCode
	switch {
	case m.ErrorCode == 0:
		t.since = time.Time{}
	case t.since.IsZero():
		t.since = asked
	}
	if m.ErrorCode == 0 && len(leaders) > 0 {
		t.setRoute(leaders)
		t.stale = false
	}
	return nil
}

// setRoute makes the route from the leaders by partition, -1 for none. The lock is held.
func (t *topic) setRoute(leaders []int32) *route {
	for id := int32(len(t.partitions)); int(id) < len(leaders); id++ {
		t.partitions = append(t.partitions, &partition{t: t, id: id, o: t.o})
	}
	r := &route{t: t, partitions: t.partitions[:len(leaders):len(leaders)]}
	for id, leader := range leaders {
		t.partitions[id].leader.Store(leader)
		if leader >= 0 {
			r.available = append(r.available, t.partitions[id])
		}
	}
	for _, p := range t.partitions[len(leaders):] {
		p.leader.Store(-1)
	}
	t.route = r
	return r
}

// outdate has the metadata asked for again.
func (t *topic) outdate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stale = true
}

// askedAfter tells whether the metadata was asked for after a moment.
func (t *topic) askedAfter(then time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked.After(then)
}

// lastRoute is the route as it is known, nil where there never was one.
func (t *topic) lastRoute() *route {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.route
}

// missing is why a topic cannot be written to. It is said once a minute.
func (t *topic) missing() error {
	t.mu.Lock()
	code := t.code
	t.wanted = time.Now()
	t.mu.Unlock()
	if code == 0 {
		return fmt.Errorf("%w: %s has no partitions yet", errTopic, t.name)
	}
	t.o.notices.topic.Do(func() {
		t.o.log.Warn("the topic cannot be written to; chunks stay in Fluent Bit's buffer until it can, where Retry_Limit is no_limits",
			"topic", t.name, "error", explain(code), "code", code)
	})
	return fmt.Errorf("%w: %s: %s", errTopic, t.name, explain(code))
}

// stick returns the partition for n bytes of records without a key. A partition in trouble is left while there are
// others.
func (r *route) stick(bytes int) *partition {
	t := r.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.sticky; p != nil && t.stickyLeft > 0 && int(p.id) < len(r.partitions) && p.leader.Load() >= 0 && !p.troubled.Load() {
		t.stickyLeft -= bytes
		return p
	}
	from := r.candidates()
	start := rand.IntN(len(from))
	pick := from[start]
	for i := range from {
		p := from[(start+i)%len(from)]
		if !p.troubled.Load() && (p != t.sticky || len(from) == 1) {
			pick = p
			break
		}
	}
	t.sticky, t.stickyLeft = pick, stickyBytes-bytes
	return pick
}

// candidates are the partitions for records that may go anywhere.
func (r *route) candidates() []*partition {
	if len(r.available) > 0 {
		return r.available
	}
	return r.partitions
}

// rotate reserves n turns of round_robin and returns the first.
func (r *route) rotate(n int) (first int32) {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	first = r.t.turn
	r.t.turn = (first + int32(n)) & (1<<30 - 1)
	return first
}
