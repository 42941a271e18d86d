package record

import (
	"bytes"
	"encoding/binary"
	"slices"

	"flbgo/shared/chunk"
)

// Records of one source have the same keys in the same order. shapes remembers which key came behind which, and the JSON
// of each: to write a known key is to compare 16 bytes and to store as many. The keys on one way through it are known to
// be no duplicates of each other, so nothing is listed and compared while such a map is written. A map that is not
// remembered is written the plain way, and remembered for the next time.
//
// It is a trie, since the keys that may come next in a map depend on all that came before. Names may be hostile, so it is
// bounded, in size and in what is spent on it in vain. Allocates nothing once it has grown. Not for concurrent use.
type shapes struct {
	keys   *[maxShapeKeys]shapeKey // the first matches nothing and stands for the record
	used   int                     // of keys
	long   []byte                  // of keys and JSON, what has no room in a shapeKey
	text   []byte                  // scratch of learn
	ends   []int
	vain   int // maps that could not be learned since all was forgotten
	pause  int // records that are not looked up, and how many it was the last time
	paused int
}

// shapeKey is a key at one place in maps of one shape.
type shapeKey struct {
	raw, mask [2]uint64         // the first 16 bytes of its msgpack, zero behind its end; which bits count
	json      [2][wordSize]byte // the first bytes of: a comma, the key as a JSON string, a colon
	rest      []byte            // of the msgpack, behind raw
	restJSON  []byte            // of the JSON, behind json
	size      uint16            // of the msgpack
	text      uint16            // of the JSON
	wanted    int16             // the number in Finder.names, -1 for none

	// Numbers in keys, 0 for none.
	next   uint16 // the first of the keys that come behind it in its map
	other  uint16 // the next one of the keys that come at its place
	inside uint16 // the first of the keys that a map which is its value begins with
}

const (
	wordSize = 16
	// Bounds of what is remembered: keys in all, of one map, at one place, and bytes of one key.
	maxShapeKeys  = 256 // a power of two
	maxShapePairs = 64
	maxShapeOther = 8
	maxShapeBytes = 256
	// learnVain is how many maps are looked at in vain before no more are learned; after forgetVain all is forgotten,
	// because records look different now.
	learnVain  = 64
	forgetVain = 4096
	// maxPause is how many records are not looked up at most after one that was not remembered.
	maxPause = 32
)

// forget starts over.
func (s *shapes) forget() {
	if s.keys == nil {
		s.keys = new([maxShapeKeys]shapeKey)
	}
	clear(s.keys[:])
	s.keys[0] = shapeKey{raw: [2]uint64{1}, wanted: -1}
	s.used, s.long, s.vain, s.pause, s.paused = 1, s.long[:0], 0, 0, 0
}

func (s *shapes) key(number uint16) *shapeKey { return &s.keys[number%maxShapeKeys] }

// find is the number of the key at b[at:] among those at a place, 0 for none of them.
func (s *shapes) find(place uint16, b []byte, at int) uint16 {
	var w0, w1 uint64
	if at <= len(b)-wordSize {
		w := b[at : at+wordSize]
		w0, w1 = binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
	} else {
		w0, w1 = lastWords(b, at)
	}
	for {
		k := s.key(place)
		if w0&k.mask[0] == k.raw[0] && w1&k.mask[1] == k.raw[1] &&
			(k.size <= wordSize || at+wordSize <= len(b) && bytes.HasPrefix(b[at+wordSize:], k.rest)) {
			return place
		}
		if place = k.other; place == 0 {
			return 0
		}
	}
}

// lastWords is the 16 bytes at b[at:], zero where there are fewer.
func lastWords(b []byte, at int) (w0, w1 uint64) {
	var w [wordSize]byte
	copy(w[:], b[min(at, len(b)):])
	return binary.LittleEndian.Uint64(w[:]), binary.LittleEndian.Uint64(w[8:])
}

// start tells whether the next record is looked up.
func (s *shapes) start() bool {
	if s.pause > 0 {
		s.pause--
		return false
	}
	if s.used == 0 || s.vain >= forgetVain {
		s.forget()
	}
	return true
}

// unshaped writes a map the plain way and learns its shape.
func (e *encoder) unshaped(dst, b []byte, at, depth int, parent uint16) (out []byte, end int) {
	if parent == 0 {
		e.top = e.finder
	}
	if dst, end = e.fields(dst, b, at, depth); end < 0 {
		return dst, damaged
	}
	s := &e.finder.shapes
	if s.vain < learnVain && s.learn(b, at, parent, e.finder) {
		return dst, end
	}
	s.vain++
	if parent == 0 {
		s.paused = min(2*s.paused+1, maxPause)
		s.pause = s.paused
	}
	return dst, end
}

// learn remembers the complete map at b[at:], unless it has duplicate keys, keys that are no text, or too much of
// anything.
func (s *shapes) learn(b []byte, at int, parent uint16, f *Finder) (ok bool) {
	pairs, size, _ := chunk.MapHeader(b[at:])
	if pairs > maxShapePairs || s.used+pairs > maxShapeKeys {
		return false
	}
	// Keys are duplicates of each other as they stand in JSON.
	s.text, s.ends = s.text[:0], s.ends[:0]
	from := at + size
	for at := from; len(s.ends) < pairs; {
		text, end := textBounds(b, at)
		if end == 0 || end-at > maxShapeBytes {
			return false
		}
		n := len(s.text)
		s.text = append(appendText(append(s.text, ','), b, text, end), ':')
		before := 0
		for _, end := range s.ends {
			if bytes.Equal(s.text[before:end], s.text[n:]) {
				return false
			}
			before = end
		}
		s.ends = append(s.ends, len(s.text))
		at = next(b, end)
	}
	at, before := from, 0
	link := &s.keys[parent].inside
	for _, end := range s.ends {
		number := s.find(*link, b, at)
		text, behind := textBounds(b, at)
		if number == 0 {
			others := 0
			for ; *link != 0; link = &s.keys[*link].other {
				others++
			}
			if others >= maxShapeOther {
				return false
			}
			number = uint16(s.used)
			*link = number
			s.keys[number] = s.makeKey(b[at:behind], s.text[before:end])
			s.used++
			if hit := f.want(b, text, behind); hit != nil && parent == 0 {
				s.keys[number].wanted = int16(slices.IndexFunc(f.names, func(w wanted) bool { return w.name == hit.name }))
			}
		}
		link = &s.keys[number].next
		at, before = next(b, behind), end
	}
	return true
}

// makeKey makes a key of its msgpack and its JSON.
func (s *shapes) makeKey(raw, json []byte) shapeKey {
	k := shapeKey{size: uint16(len(raw)), text: uint16(len(json)), wanted: -1}
	k.raw[0], k.raw[1] = lastWords(raw, 0)
	k.mask[0], k.mask[1] = ^uint64(0), ^uint64(0)
	switch n := len(raw); {
	case n < 8:
		k.mask = [2]uint64{1<<(8*n) - 1, 0}
	case n < wordSize:
		k.mask[1] = 1<<(8*(n-8)) - 1
	default:
		k.rest = s.keep(raw[wordSize:])
	}
	copy(k.json[0][:], json)
	if len(json) > wordSize {
		copy(k.json[1][:], json[wordSize:])
	}
	if len(json) > 2*wordSize {
		k.restJSON = s.keep(json[2*wordSize:])
	}
	return k
}

// keep returns a copy that holds until forget.
func (s *shapes) keep(b []byte) []byte {
	n := len(s.long)
	s.long = append(s.long, b...)
	return s.long[n:len(s.long):len(s.long)]
}
