package chunk

import (
	"encoding/binary"
	"math"
)

// Skip returns the size of the first msgpack value in b, everything inside it included. ok is false when b is empty,
// ends before the value does, or holds 0xc1, the one byte that starts no value.
//
// It is iterative, so depth costs nothing, and it gives up as soon as more values are promised than bytes are left, so
// that a hostile length costs nothing either.
func Skip(b []byte) (n int, ok bool) {
	n, _, s := walk(b, math.MaxUint64)
	if s != walked {
		return 0, false
	}
	return n, true
}

// MapHeader reads the head of the map at the start of b: its number of pairs and the size of the head itself, 1, 3 or
// 5 bytes. ok is false when there is no map. The pairs are not looked at, so a number of them that b cannot hold is
// returned as it stands; a caller that loops over it checks each read, and allocates nothing by it.
func MapHeader(b []byte) (pairs, size int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	switch c := b[0]; {
	case c&0xf0 == 0x80:
		return int(c & 0x0f), 1, true
	case c == 0xde && len(b) >= 3:
		return int(binary.BigEndian.Uint16(b[1:])), 3, true
	case c == 0xdf && len(b) >= 5:
		n := binary.BigEndian.Uint32(b[1:])
		if uint64(n) > math.MaxInt {
			return 0, 0, false
		}
		return int(n), 5, true
	}
	return 0, 0, false
}

// status is how a walk ended.
type status uint8

const (
	walked status = iota // one complete value
	short                // the bytes end before the value does
	broken               // a byte that starts no value
	over                 // more values than the limit
)

// fixedSize is the size of a value whose first byte says it all: 1 to 32, or 0 where more has to be read.
var fixedSize = func() (t [256]uint8) {
	for c := range 0x80 {
		t[c] = 1 // positive integers
	}
	for c := 0xe0; c <= 0xff; c++ {
		t[c] = 1 // negative integers
	}
	for n := range 32 {
		t[0xa0+n] = uint8(1 + n) // short strings
	}
	t[0xc0], t[0xc2], t[0xc3] = 1, 1, 1 // nil, false, true
	t[0xca], t[0xcb] = 5, 9             // floats
	for i := range 4 {
		t[0xcc+i], t[0xd0+i] = 1+1<<i, 1+1<<i // integers of 1, 2, 4 and 8 bytes
	}
	for i := range 5 {
		t[0xd4+i] = 2 + 1<<i // ext of 1, 2, 4, 8 and 16 bytes
	}
	t[0x80], t[0x90] = 1, 1 // the empty map and array
	return t
}()

// walk steps over the value at the start of b. n is its size if the status is walked; values is how many values were
// looked at, itself included, which is what the walk cost. A value with more than limit values in it is not walked to
// its end.
//
// The promised values are counted in 64 bits and held against the bytes that are left before every step: each value
// takes a byte at least. So the count never passes len(b) + 2^33, and cannot overflow.
func walk(b []byte, limit uint64) (n int, values uint64, s status) {
	var (
		pos  uint64
		end  = uint64(len(b))
		todo = uint64(1) // values still to be stepped over
		all  = uint64(1) // values promised since the start
	)
	for pos+todo <= end {
		if todo == 0 {
			return int(pos), all, walked
		}
		c := b[pos]
		if c&0xe0 == 0xa0 {
			pos += 1 + uint64(c&0x1f)
			todo--
			continue
		}
		if c == 0xd9 {
			if pos+1 >= end {
				return 0, all - todo, short
			}
			pos += 2 + uint64(b[pos+1])
			todo--
			continue
		}
		if size := fixedSize[c]; size != 0 {
			pos += uint64(size)
			todo--
			continue
		}
		left := b[pos+1:]
		var inside uint64
		switch {
		case c == 0xd9 || c == 0xc4: // str 8, bin 8
			if len(left) < 1 {
				return 0, all - todo, short
			}
			pos += 2 + uint64(left[0])
		case c < 0x90: // a small map
			pos++
			inside = 2 * uint64(c&0x0f)
		case c < 0xa0: // a small array
			pos++
			inside = uint64(c & 0x0f)
		case c == 0xda || c == 0xc5: // str 16, bin 16
			if len(left) < 2 {
				return 0, all - todo, short
			}
			pos += 3 + uint64(binary.BigEndian.Uint16(left))
		case c == 0xdb || c == 0xc6: // str 32, bin 32
			if len(left) < 4 {
				return 0, all - todo, short
			}
			pos += 5 + uint64(binary.BigEndian.Uint32(left))
		case c == 0xdc || c == 0xde: // array 16, map 16
			if len(left) < 2 {
				return 0, all - todo, short
			}
			pos += 3
			inside = uint64(binary.BigEndian.Uint16(left)) << (c >> 1 & 1)
		case c == 0xdd || c == 0xdf: // array 32, map 32
			if len(left) < 4 {
				return 0, all - todo, short
			}
			pos += 5
			inside = uint64(binary.BigEndian.Uint32(left)) << (c >> 1 & 1)
		case c == 0xc7: // ext 8
			if len(left) < 1 {
				return 0, all - todo, short
			}
			pos += 3 + uint64(left[0])
		case c == 0xc8: // ext 16
			if len(left) < 2 {
				return 0, all - todo, short
			}
			pos += 4 + uint64(binary.BigEndian.Uint16(left))
		case c == 0xc9: // ext 32
			if len(left) < 4 {
				return 0, all - todo, short
			}
			pos += 6 + uint64(binary.BigEndian.Uint32(left))
		default: // 0xc1
			return 0, all - todo, broken
		}
		todo += inside - 1
		if all += inside; all > limit {
			return 0, all - todo, over
		}
	}
	return 0, all - todo, short
}
