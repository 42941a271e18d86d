package batch

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// The LZ4 block format (lz4_Block_format.md of the lz4 project): sequences of literals and a match. The rules of its end
// are that the last five bytes are literals and that no match starts within the last twelve.
const (
	lz4LastLiterals = 5
	lz4MatchLimit   = 12
	lz4MinMatch     = 4 // what a length of 0 stands for
)

// lz4MinLength is the shortest match that is looked for: one 8-byte load, hashed and compared as a whole. Shorter ones
// save a byte or two each and cost a sequence, and in random ids they are nearly always chance.
const lz4MinLength = 8

// lz4Table holds, by the hash of eight bytes, the low 16 bits of the position where they were last seen. Whatever a slot
// holds therefore names exactly one position of the 64 KiB before the present one, and whether there is a match only the
// bytes there decide. So a block may be of any size and entries never grow too old. 32 KiB: the first-level cache of the
// machines that this runs on, or two thirds of it.
type lz4Table [1 << lz4TableBits]uint16

const lz4TableBits = 14

// lz4Hash multiplies; the constant is odd and otherwise arbitrary.
func lz4Hash(v uint64) uint {
	return uint(v*0xcf1bbcdcb7a56463>>(64-lz4TableBits)) & (1<<lz4TableBits - 1)
}

// Every second position is looked at, and after each 16 that had no match the stride grows by one: bytes before a match
// are won back by comparing backwards, and ids and numbers, which have none, are passed quickly.
const (
	lz4FirstStride   = 2
	lz4StrideGrowsBy = 4 // log2 of the 16
)

// lz4BlockBound is an upper limit of what lz4Block writes for n bytes: one length byte for 255 literals, and the end of
// a 16-byte copy that goes beyond its literals.
func lz4BlockBound(n int) int { return n + n/255 + 32 }

// lz4Block compresses src, all of it, and returns how much of dst it takes. dst has room for the bound; what is between
// the two may have been written to as well. The result depends on src alone, not on what table held.
//
// Stores are checked against dst as everywhere. Loads from src are not, which is worth a quarter of the speed: m and i
// are positions in it, m < i, and no eight bytes are loaded but where i <= last held or end bounds them.
func lz4Block(dst, src []byte, table *lz4Table) int {
	s := unsafe.Pointer(unsafe.SliceData(src))
	o := 0                            // in dst
	anchor := 0                       // what of src is before it is written
	last := len(src) - lz4MatchLimit  // the last position where a match may start
	end := len(src) - lz4LastLiterals // no match goes beyond
	if last < 1 {
		return lz4Tail(dst, src)
	}
	clear(table[:]) // now every slot names position 0, which is as good as any
	i := 1
search:
	for i <= last {
		m := 0
		v := load64(s, i)
		hash := lz4Hash(v)
		for stride := lz4FirstStride << lz4StrideGrowsBy; ; stride++ {
			next := i + stride>>lz4StrideGrowsBy
			if next > last {
				break search
			}
			distance := int(uint16(i) - table[hash])
			table[hash] = uint16(i)
			following := load64(s, next)
			hash = lz4Hash(following)
			// 0 < distance <= i. It is 0 where the slot has i itself, of 64 KiB ago.
			if uint(distance-1) < uint(i) && load64(s, i-distance) == v {
				m = i - distance
				break
			}
			i, v = next, following
		}
		matched := i + lz4MinLength
		for i > anchor && m > 0 && load8(s, i-1) == load8(s, m-1) {
			i--
			m--
		}

		token := o
		o++
		literals := i - anchor
		if literals < 15 {
			dst[token] = byte(literals << 4)
		} else {
			dst[token] = 15 << 4
			o = lz4Length(dst, o, literals-15)
		}
		if literals <= 64 && i+15 < len(src) {
			for k := 0; k < literals; k += 16 {
				*(*[16]byte)(dst[o+k:]) = load128(s, anchor+k)
			}
		} else {
			copy(dst[o:], src[anchor:i])
		}
		o += literals

		for {
			binary.LittleEndian.PutUint16(dst[o:], uint16(i-m))
			o += 2
			start := i
			i = lz4Extend(s, matched, matched-i+m, end)
			if length := i - start - lz4MinMatch; length < 15 {
				dst[token] |= byte(length)
			} else {
				dst[token] |= 15
				o = lz4Length(dst, o, length-15)
			}
			anchor = i
			if i > last {
				break search
			}
			table[lz4Hash(load64(s, i-2))] = uint16(i - 2)
			// Often the next match follows at once, without literals.
			v := load64(s, i)
			hash := lz4Hash(v)
			distance := int(uint16(i) - table[hash])
			table[hash] = uint16(i)
			if uint(distance-1) >= uint(i) || load64(s, i-distance) != v {
				i++
				break
			}
			m, matched = i-distance, i+lz4MinLength
			token = o
			dst[token] = 0
			o++
		}
	}
	return o + lz4Tail(dst[o:], src[anchor:])
}

// lz4Extend returns where the match of i and m ends, at end at the latest.
func lz4Extend(s unsafe.Pointer, i, m, end int) int {
	for i+8 <= end {
		if x := load64(s, i) ^ load64(s, m); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
		i += 8
		m += 8
	}
	for i < end && load8(s, i) == load8(s, m) {
		i++
		m++
	}
	return min(i, end)
}

// lz4Length writes what of a length did not fit into its token, at o, and returns where it ends.
func lz4Length(dst []byte, o, n int) int {
	for ; n >= 255; n -= 255 {
		dst[o] = 255
		o++
	}
	dst[o] = byte(n)
	return o + 1
}

// lz4Tail writes the last sequence, which has literals only, and returns its length.
func lz4Tail(dst, literals []byte) int {
	o := 1
	if n := len(literals); n < 15 {
		dst[0] = byte(n << 4)
	} else {
		dst[0] = 15 << 4
		o = lz4Length(dst, o, n-15)
	}
	return o + copy(dst[o:], literals)
}

// The loads are one instruction each on amd64 and arm64.

func load8(p unsafe.Pointer, at int) byte { return *(*byte)(unsafe.Add(p, at)) }

func load64(p unsafe.Pointer, at int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, at))[:])
}

func load128(p unsafe.Pointer, at int) [16]byte { return *(*[16]byte)(unsafe.Add(p, at)) }
