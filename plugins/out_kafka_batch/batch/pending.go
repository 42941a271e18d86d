package batch

import (
	"container/list"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// delivery is what became of one chunk's records. It is complete when each of them is acknowledged or dropped.
type delivery struct {
	left atomic.Int64
	done chan struct{} // closed when none is left
	tag  string
}

// newDelivery is for n > 0 records.
func newDelivery(n int, tag string) *delivery {
	d := &delivery{done: make(chan struct{}), tag: tag}
	d.left.Store(int64(n))
	return d
}

// resolve takes off n records.
func (d *delivery) resolve(n int32) {
	if d.left.Add(-int64(n)) == 0 {
		close(d.done)
	}
}

func (d *delivery) complete() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// identity is what a chunk is known by on its next attempt: bytes and tag are the same then, the address is not.
type identity struct {
	bytes, tag uint64 // hashes under a seed of the process's
	size       int
}

// pending holds the deliveries of chunks that were answered RETRY, for their next attempt. An entry is taken by exactly
// one flush, so that another chunk with equal bytes is still sent: of two such chunks one takes the other's entry, and
// in the end as many are sent as there are. Bounded in number and age, the oldest go first; a chunk whose entry has
// gone is sent again. Safe for concurrent use.
type pending struct {
	max  int
	age  time.Duration
	seed maphash.Seed

	mu    sync.Mutex
	order list.List // of *pendingEntry, oldest first
	byID  map[identity][]*list.Element
}

type pendingEntry struct {
	id identity
	open
	since time.Time
}

// open is what a chunk still needs before it is OK: its delivery, and after that the records of topics that could not
// be written to when the others were taken.
type open struct {
	d    *delivery
	rest []string // names of topics; nil: none
}

// The host brings a chunk back after at most 2,000 s.
const (
	maxPending    = 1 << 16
	maxPendingAge = time.Hour
)

func newPending(maxEntries int, age time.Duration) *pending {
	return &pending{max: maxEntries, age: age, seed: maphash.MakeSeed(), byID: map[identity][]*list.Element{}}
}

// identify hashes tag and bytes. It panics where the chunk's memory has gone.
func (p *pending) identify(data []byte, tag string) identity {
	return identity{maphash.Bytes(p.seed, data), maphash.String(p.seed, tag), len(data)}
}

// put adds an entry.
func (p *pending) put(id identity, o open) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := p.order.Front(); e != nil; e = p.order.Front() {
		if old := e.Value.(*pendingEntry); p.order.Len() < p.max && now.Sub(old.since) < p.age {
			break
		}
		p.remove(e)
	}
	p.byID[id] = append(p.byID[id], p.order.PushBack(&pendingEntry{id, o, now}))
}

// take removes and returns an entry of that identity, one with a complete delivery if there is. ok is false when there
// is none.
func (p *pending) take(id identity) (o open, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.byID[id]
	if len(found) == 0 {
		return open{}, false
	}
	pick := found[0]
	for _, e := range found {
		if e.Value.(*pendingEntry).d.complete() {
			pick = e
			break
		}
	}
	p.remove(pick)
	return pick.Value.(*pendingEntry).open, true
}

func (p *pending) remove(e *list.Element) {
	entry := p.order.Remove(e).(*pendingEntry)
	rest := p.byID[entry.id]
	for i := range rest {
		if rest[i] == e {
			rest = append(rest[:i:i], rest[i+1:]...)
			break
		}
	}
	if len(rest) == 0 {
		delete(p.byID, entry.id)
	} else {
		p.byID[entry.id] = rest
	}
}

func (p *pending) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order.Len()
}
