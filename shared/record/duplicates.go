package record

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync"
)

// member is one member of a map that is being written: where it starts in dst, with its comma, and a hash of its key.
type member struct {
	at   int
	hash uint32
	dead bool // a later member has the same key
}

// keySet finds duplicate keys among the members of one map while it is written. Keys are compared as they stand in
// JSON, so that 1 and "1" are the same. The usual map pays a few instructions per key; a map with many members, hostile
// ones included, pays for a hash table, never for comparing all with all.
type keySet struct {
	list  []member
	bloom uint64
	dirty bool
	large *largeSet // for a map of more members than the encoder has room for
}

// largeSet is what a keySet of a large map borrows.
type largeSet struct {
	list  []member
	index map[uint64]int
}

var (
	largeSets = sync.Pool{New: func() any { return &largeSet{index: map[uint64]int{}} }}
	seed      = maphash.MakeSeed()
)

// maxPooled bounds what a pooled largeSet keeps: clearing a table costs its size, however few members it has.
const maxPooled = 1024

func (s *keySet) release() {
	if len(s.list) > maxPooled {
		return
	}
	s.large.list = s.list[:0]
	clear(s.large.index)
	largeSets.Put(s.large)
}

// add takes the member that starts at dst[at:] and so far is a comma and its key.
func (s *keySet) add(dst []byte, at int) {
	key := dst[at+1:]
	if s.large != nil {
		h := maphash.Bytes(seed, key)
		if i, ok := s.large.index[h]; ok && bytes.HasPrefix(dst[s.list[i].at+1:], key) {
			s.list[i].dead = true
			s.dirty = true
		}
		s.large.index[h] = len(s.list)
		s.list = append(s.list, member{at: at})
		return
	}
	h := hashTail(key)
	bit := uint64(1) << (h >> 26)
	if s.bloom&bit != 0 {
		for i := range s.list {
			// The key ends in a quote, so that a prefix is the whole key.
			if m := &s.list[i]; m.hash == h && bytes.HasPrefix(dst[m.at+1:at], key) {
				m.dead = true
				s.dirty = true
			}
		}
	}
	s.bloom |= bit
	s.list = append(s.list, member{at: at, hash: h})
}

// hashTail mixes the last 8 bytes of a quoted key with its length.
func hashTail(key []byte) uint32 {
	var w uint64
	if n := len(key); n >= 8 {
		w = binary.LittleEndian.Uint64(key[n-8:])
	} else {
		for _, c := range key {
			w = w<<8 | uint64(c)
		}
	}
	h := (bits.RotateLeft64(w, 8) ^ uint64(len(key))) * 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}

// compact removes the dead members from the end of dst.
func (s *keySet) compact(dst []byte) []byte {
	if !s.dirty {
		return dst
	}
	to := s.list[0].at
	for i, m := range s.list {
		end := len(dst)
		if i+1 < len(s.list) {
			end = s.list[i+1].at
		}
		if !m.dead {
			to += copy(dst[to:], dst[m.at:end])
		}
	}
	return dst[:to]
}
