package kafkacheck

import (
	"maps"
	"math/bits"
	"slices"
)

// pageSize is how many sequence numbers a page covers.
const pageSize = 1 << 15

// maxStrayPages bounds the pages for sequence numbers that are far from all
// that was written: a damaged number must not cost a page each.
const maxStrayPages = 64

// maxEarly bounds the arrival times kept of events that were seen before
// their batch was announced by wrote.
const maxEarly = 1 << 16

// page holds what is known of pageSize sequence numbers.
type page struct {
	written, seen [pageSize / 64]uint64
	ids           *[pageSize]uint64 // hash of the first copy's record_id, 0 for none; nil when dropped or none came
	offsets       *[pageSize]int64  // where the ledger's expectation is, plus one; nil without any
	dropped       bool              // ids were there and are forgotten
	stray         bool              // counted in track.stray
}

// span is a batch that was announced by wrote.
type span struct {
	first, last uint64
	ns          int64
	missing     uint64 // events that have not arrived
}

// track is what is known of one stream.
type track struct {
	name  string
	keep  int // pages with ids
	pages map[uint64]*page
	idsAt []uint64 // numbers of the pages with ids, oldest first
	stray int

	written   uint64 // distinct, in the ledger
	rewritten uint64 // in the ledger again: it is the ledger of two runs
	distinct  uint64 // in Kafka
	arrived   uint64 // in both
	copies    uint64 // in Kafka again

	spans   []span           // in order, disjoint
	done    int              // those of them with nothing missing
	early   map[uint64]int64 // arrival of events that no span covers yet
	latency histogram
}

func newTrack(name string, keepIDs int) *track {
	return &track{name: name, keep: (keepIDs + pageSize - 1) / pageSize, pages: map[uint64]*page{}, early: map[uint64]int64{}}
}

type bitmap = [pageSize / 64]uint64

func bit(b *bitmap, i uint64) bool { return b[i/64]&(1<<(i%64)) != 0 }

func set(b *bitmap, i uint64) { b[i/64] |= 1 << (i % 64) }

// wrote takes a batch for written at ns; with ns 0 no latency is counted for
// it.
func (t *track) wrote(first, last uint64, ns int64) {
	s := span{first: first, last: last, ns: ns}
	again := false
	for seq := first; seq <= last; seq++ {
		p := t.pages[seq/pageSize]
		if p == nil {
			p = &page{}
			t.pages[seq/pageSize] = p
		}
		if p.stray {
			p.stray = false
			t.stray--
		}
		i := seq % pageSize
		if bit(&p.written, i) {
			t.rewritten++
			again = true
			continue
		}
		set(&p.written, i)
		t.written++
		if !bit(&p.seen, i) {
			s.missing++
			continue
		}
		t.arrived++
		if at, ok := t.early[seq]; ok {
			if ns != 0 {
				t.latency.add(at - ns)
			}
			delete(t.early, seq)
		}
	}
	inOrder := len(t.spans) == 0 || t.spans[len(t.spans)-1].last < first
	if ns != 0 && s.missing > 0 && !again && inOrder {
		t.spans = append(t.spans, s)
	}
}

// arrive counts the latency of an event that is seen for the first time.
func (t *track) arrive(seq uint64, now int64) {
	i, ok := slices.BinarySearchFunc(t.spans, seq, func(s span, seq uint64) int {
		switch {
		case s.last < seq:
			return -1
		case s.first > seq:
			return 1
		}
		return 0
	})
	if !ok {
		// The reader was quicker than the writer's announcement, or there
		// is none.
		if now != 0 && len(t.early) < maxEarly && !t.isWritten(seq) {
			t.early[seq] = now
		}
		return
	}
	s := &t.spans[i]
	if now != 0 {
		t.latency.add(now - s.ns)
	}
	if s.missing--; s.missing > 0 {
		return
	}
	// One lost event must not keep all later spans, and an outage makes many:
	// drop the finished ones when they are the majority.
	if t.done++; t.done >= 64 && t.done*2 >= len(t.spans) {
		t.spans = slices.DeleteFunc(t.spans, func(s span) bool { return s.missing == 0 })
		t.done = 0
	}
}

func (t *track) isWritten(seq uint64) bool {
	p := t.pages[seq/pageSize]
	return p != nil && bit(&p.written, seq%pageSize)
}

type verdict uint8

const (
	sawFirst       verdict = iota
	sawCopy                // the same event with the same id
	sawCopyOtherID         // the same event with another id
	sawCopyNoID            // the same event; one of the two has no id, or it is forgotten
	sawTooFar              // a sequence number far from everything
)

// saw takes a record of an event. id is the hash of its record_id, 0 for none;
// now is when it was read in Unix nanoseconds, 0 where latency means nothing.
func (t *track) saw(seq, id uint64, now int64) verdict {
	number, i := seq/pageSize, seq%pageSize
	p := t.pages[number]
	if p == nil {
		p = &page{}
		if number > 0 && t.pages[number-1] == nil {
			if t.stray == maxStrayPages {
				return sawTooFar
			}
			p.stray = true
			t.stray++
		}
		t.pages[number] = p
	}
	if bit(&p.seen, i) {
		t.copies++
		switch {
		case id == 0 || p.ids == nil || p.ids[i] == 0:
			return sawCopyNoID
		case p.ids[i] != id:
			return sawCopyOtherID
		}
		return sawCopy
	}
	set(&p.seen, i)
	t.distinct++
	if bit(&p.written, i) {
		t.arrived++
	}
	t.arrive(seq, now)
	if id != 0 && !p.dropped {
		if p.ids == nil {
			t.makeIDs(number, p)
		}
		p.ids[i] = id
	}
	return sawFirst
}

// makeIDs gives a page room for ids and takes it from the oldest page where
// the bound is reached.
func (t *track) makeIDs(number uint64, p *page) {
	p.ids = new([pageSize]uint64)
	t.idsAt = append(t.idsAt, number)
	if len(t.idsAt) > t.keep {
		old := t.pages[t.idsAt[0]]
		old.ids, old.dropped = nil, true
		t.idsAt = slices.Delete(t.idsAt, 0, 1)
	}
}

// expectAt remembers where the ledger's entry for a written event is.
func (t *track) expectAt(seq uint64, offset int64) {
	p := t.pages[seq/pageSize]
	if p.offsets == nil {
		p.offsets = new([pageSize]int64)
	}
	p.offsets[seq%pageSize] = offset + 1
}

// expectation returns what expectAt was told.
func (t *track) expectation(seq uint64) (offset int64, ok bool) {
	p := t.pages[seq/pageSize]
	if p == nil || p.offsets == nil || p.offsets[seq%pageSize] == 0 {
		return 0, false
	}
	return p.offsets[seq%pageSize] - 1, true
}

// lost returns up to n sequence numbers that are written and not in Kafka, the
// lowest first; unknown those that are in Kafka and not written.
func (t *track) lost(n int) []uint64 {
	return t.pick(n, func(p *page, w int) uint64 { return p.written[w] &^ p.seen[w] })
}

func (t *track) unknown(n int) []uint64 {
	return t.pick(n, func(p *page, w int) uint64 { return p.seen[w] &^ p.written[w] })
}

func (t *track) pick(n int, word func(*page, int) uint64) (out []uint64) {
	for _, number := range slices.Sorted(maps.Keys(t.pages)) {
		p := t.pages[number]
		for w := range p.written {
			for b := word(p, w); b != 0; b &= b - 1 {
				if len(out) == n {
					return out
				}
				out = append(out, number*pageSize+uint64(w*64+bits.TrailingZeros64(b)))
			}
		}
	}
	return out
}
