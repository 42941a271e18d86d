package batch

import (
	"context"
	"slices"
)

// use is what a chunk wants of a topic.
type use struct {
	t *topic // nil: nothing
	r *route // nil: it cannot be written to
	// to is the use that its records go to: itself, or 0, the default topic's, where there can be no topic of its name.
	// -1: they are left out.
	to int32

	first  int   // of its partitions in scratch.heads
	sticky int32 // the partition for records without a key, or the next turn of round_robin; -1: not asked yet
}

// touched is a partition that gets entries.
type touched struct {
	p          *partition
	head, tail int32 // its first and last entry
	slot       int   // in scratch.heads
	bytes      int   // of its entries
}

// route finds a partition for each entry: for those of all topics, or with only of these. The error says why a topic
// cannot be written to; missing are then the names of those that cannot.
func (s *scratch) route(ctx context.Context, all *topics, only []string) error {
	s.uses = s.uses[:0]
	for range s.topics {
		s.uses = append(s.uses, use{to: -1, sticky: -1})
	}
	for i := range s.entries {
		n := s.entries[i].topic
		s.uses[n].to = n
	}
	for i, name := range s.topics {
		if u := &s.uses[i]; u.to >= 0 {
			if only != nil && !slices.Contains(only, name) {
				u.to = -1
				continue
			}
			u.t = all.get(name)
		}
	}
	var err error
	for range 2 { // the metadata of the first time may tell that a name is impossible
		rerouted := false
		for i := range s.uses {
			if u := &s.uses[i]; u.to > 0 && (u.t == nil || u.t.impossible()) {
				u.t, u.to, rerouted = nil, 0, true
			}
		}
		if rerouted {
			s.uses[0].t = all.get(s.topics[0])
		}
		if err = all.resolve(ctx, s.uses); err == nil {
			break
		}
	}
	s.assign(&all.o.cfg)
	return err
}

// missing are the names of the topics that cannot be written to.
func (s *scratch) missing() (names []string) {
	for i := range s.uses {
		if to := s.uses[i].to; to >= 0 && s.uses[to].r == nil {
			names = append(names, s.topics[i])
		}
	}
	return names
}

// assign gives every entry its partition and links those of one partition, in order: s.touched are then the partitions,
// with their first entries, s.taken and s.takenBytes how much they get. Entries of topics without a route are left out.
// release undoes it.
//
// A key decides by its hash whether that partition has a leader or not: equal keys stay together. As in librdkafka, an
// empty key is none.
func (s *scratch) assign(cfg *config) {
	slots := 0
	for i := range s.uses {
		if u := &s.uses[i]; u.r != nil {
			u.first = slots
			slots += len(u.r.partitions)
		}
	}
	for len(s.heads) < slots {
		s.heads = append(s.heads, -1) // as all of them are between two chunks
	}
	for i := range s.entries {
		e := &s.entries[i]
		to := s.uses[e.topic].to
		if to < 0 {
			continue
		}
		u := &s.uses[to]
		if u.r == nil {
			continue
		}
		if to != e.topic {
			s.rerouted++
		}
		e.partition = s.partition(cfg, u, e.key.of(s.text))
		e.next = -1
		slot := u.first + int(e.partition)
		if n := s.heads[slot]; n < 0 {
			s.heads[slot] = int32(len(s.touched))
			s.touched = append(s.touched, touched{u.r.partitions[e.partition], int32(i), int32(i), slot, e.size()})
		} else {
			at := &s.touched[n]
			s.entries[at.tail].next = int32(i)
			at.tail = int32(i)
			at.bytes += e.size()
		}
		s.taken++
		s.takenBytes += int64(e.size())
	}
}

// partition decides where a record goes.
func (s *scratch) partition(cfg *config, u *use, key []byte) int32 {
	if id := cfg.partitioner.partition(key, int32(len(u.r.partitions))); id != byTurn {
		return id
	}
	if cfg.partitioner == partitionRoundRobin {
		if u.sticky < 0 {
			u.sticky = u.r.rotate(len(s.entries))
		}
		from := u.r.candidates()
		id := from[int(u.sticky)%len(from)].id
		u.sticky++
		return id
	}
	if u.sticky < 0 {
		u.sticky = u.r.stick(len(s.text)).id
	}
	return u.sticky
}

// release makes the scratch ready for the next chunk.
func (s *scratch) release() {
	for i := range s.touched {
		s.heads[s.touched[i].slot] = -1
	}
	clear(s.touched) // lets go of what it points to
	clear(s.uses)
	s.touched, s.uses = s.touched[:0], s.uses[:0]
	s.taken, s.takenBytes, s.rerouted = 0, 0, 0
}
