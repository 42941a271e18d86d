package record

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// Of duplicate keys the last one stays, so that a member that is already written may have to go again. While a map is
// written its members are listed; a member whose key comes again is marked, and what is marked is cut out when the map
// is complete. Keys are compared as they stand in JSON, so that 1 and "1" are the same.
//
// The usual map pays a few instructions per key: a filter of 64 bits, and only on a hit the list. A map that is too
// large for the list borrows a hash table, so that a hostile one cannot have all its keys compared with all.

// member is one member of a map that is being written.
type member struct {
	at   int // where it starts in dst, with its comma
	hash uint32
	dead bool // a later member has the same key, or it is left out
}

// markDuplicates marks the members that have the key which dst ends with, quoted, at the place where its own member
// starts with a comma.
func markDuplicates(members []member, dst []byte, at int, hash uint32) (found bool) {
	key := dst[at+1:]
	for i := range members {
		// The key ends in its quote, so that to begin with it is to be it.
		if m := &members[i]; m.hash == hash && !m.dead && bytes.HasPrefix(dst[m.at+1:at], key) {
			m.dead = true
			found = true
		}
	}
	return found
}

// cutDead removes the marked members of a map from the end of dst.
func cutDead(dst []byte, members []member) []byte {
	to := members[0].at
	for i, m := range members {
		end := len(dst)
		if i+1 < len(members) {
			end = members[i+1].at
		}
		if !m.dead {
			to += copy(dst[to:], dst[m.at:end])
		}
	}
	return dst[:to]
}

// hashKey mixes the last 8 bytes of b[from:to], or all of fewer, with how many there are. Where it reads short keys it
// reaches past them inside b.
func hashKey(b []byte, from, to int) uint32 {
	var w uint64
	n := to - from
	switch {
	case n >= 8:
		w = binary.LittleEndian.Uint64(b[to-8:])
	case from+8 <= len(b):
		w = binary.LittleEndian.Uint64(b[from:]) & (1<<(8*n) - 1)
	default:
		for i, c := range b[from:to] {
			w |= uint64(c) << (8 * i)
		}
	}
	return uint32((w ^ uint64(n)<<32) * 0x9e3779b97f4a7c15 >> 32)
}

// largeSet lists the members of a large map.
type largeSet struct {
	members []member
	last    map[uint64]int // the hash of a key → the last member that has it
}

var (
	largeSets = sync.Pool{New: func() any { return &largeSet{last: map[uint64]int{}} }}
	seed      = maphash.MakeSeed()
)

// add lists the member that starts at dst[at:] and so far is a comma and its key.
func (s *largeSet) add(dst []byte, at int) (found bool) {
	key := dst[at+1:]
	h := maphash.Bytes(seed, key)
	if i, ok := s.last[h]; ok && bytes.HasPrefix(dst[s.members[i].at+1:at], key) {
		s.members[i].dead = true
		found = true
	}
	s.last[h] = len(s.members)
	s.members = append(s.members, member{at: at})
	return found
}

// release gives the set back, unless it grew so large that to clear it costs more than a new one.
func (s *largeSet) release() {
	const worthKeeping = 1024
	if len(s.members) > worthKeeping {
		return
	}
	s.members = s.members[:0]
	clear(s.last)
	largeSets.Put(s)
}
