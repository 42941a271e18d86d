package record

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"flbgo/shared/chunk"
)

// memberRoom is how much room a member has in the output at least, beyond its text: the 32 bytes of its key, and of a
// number or a word more than the longest one takes, since words are stored as wholes.
const memberRoom = 2*wordSize + 40

// memberAhead is how many bytes of the input have to be there for a key and a number to be loaded as wholes.
const memberAhead = 2*wordSize + 16

// shaped is fields for a map that may be remembered; parent is the number of the key whose value it is.
//
// Loads and stores are not checked one by one, which halves the time. What makes them safe: src is loaded from only at
// offsets that stand below memberAhead behind at <= last, or before len(b); and dst has memberRoom behind n, which each
// member makes sure of before it stores anything, and a text of the room it needs.
func (e *encoder) shaped(dst, b []byte, at, depth int, parent uint16) (out []byte, end int) {
	s := &e.finder.shapes
	begin, start := at, len(dst)
	pairs, size, ok := chunk.MapHeader(b[at:])
	if !ok {
		return dst, damaged
	}
	at += size
	src := unsafe.Pointer(unsafe.SliceData(b))
	last := len(b) - memberAhead
	place := s.key(parent).inside
	n := len(dst)
	for ; pairs > 0; pairs-- {
		number := place
		k := s.key(number)
		if at > last || load64(src, at)&k.mask[0] != k.raw[0] || load64(src, at+8)&k.mask[1] != k.raw[1] || k.size > wordSize {
			if number = s.find(place, b, at); number == 0 {
				return e.unshaped(dst[:start], b, begin, depth, parent)
			}
			k = s.key(number)
		}
		place = k.next
		at += int(k.size)
		var hit *wanted
		if k.wanted >= 0 {
			if hit = &e.finder.names[k.wanted]; hit.omit {
				if at = hit.pass(b, at); at < 0 {
					return dst, damaged
				}
				continue
			}
		}
		if cap(dst)-n < memberRoom {
			dst = slices.Grow(dst[:n], memberRoom)
		}
		out := unsafe.Pointer(unsafe.SliceData(dst))
		store128(out, n, k.json[0])
		store128(out, n+wordSize, k.json[1])
		n += int(k.text)
		if k.restJSON != nil {
			dst = slices.Grow(append(dst[:n-len(k.restJSON)], k.restJSON...), memberRoom)
			out = unsafe.Pointer(unsafe.SliceData(dst))
		}

		value := at
		if at > last {
			// Near the end of b, as in fields.
			if dst, at = e.shapedValue(dst[:n], b, at, depth, number); at < 0 {
				return dst, damaged
			}
			n = len(dst)
		} else {
			var bits uint64
			switch c := load8(src, at); {
			case c&0xe0 == 0xa0 || c == 0xd9:
				from, length := at+1, int(c&0x1f)
				if c == 0xd9 {
					from, length = at+2, int(load8(src, at+1))
				}
				if at = from + length; at+8 > len(b) {
					if at > len(b) {
						return dst, damaged
					}
					dst = appendText(dst[:n], b, from, at)
					n = len(dst)
					break
				}
				if cap(dst)-n < length+10 {
					dst = slices.Grow(dst[:n], length+10)
					out = unsafe.Pointer(unsafe.SliceData(dst))
				}
				// Whole words, some bytes of the last one behind the text.
				var odd uint64
				i := 0
				for ; i+8 <= length; i += 8 {
					w := load64(src, from+i)
					odd |= suspect(w)
					store64(out, n+1+i, w)
				}
				if more := length & 7; more > 0 {
					w := load64(src, from+i)
					odd |= suspect(w) << (64 - 8*more)
					store64(out, n+1+i, w)
				}
				if odd&highs != 0 {
					dst = appendEscaped(dst[:n], b[from:at])
					n = len(dst)
					break
				}
				store8(out, n, '"')
				n += length + 2
				store8(out, n-1, '"')
			case c < 0x80:
				n = putUint(out, n, uint64(c))
				at++
			case c == 0xcb:
				var ok bool
				bits = binary.BigEndian.Uint64(b[at+1:])
				if n, ok = putDecimal(out, n, math.Float64frombits(bits)); ok {
					at += 9
					break
				}
				dst, at = appendScalar(dst[:n], b, at)
				n = len(dst)
			case c == 0xcd:
				n = putUint(out, n, uint64(binary.BigEndian.Uint16(b[at+1:])))
				at += 3
			case c == 0xce:
				n = putUint(out, n, uint64(binary.BigEndian.Uint32(b[at+1:])))
				at += 5
			default:
				if dst, at = e.shapedValue(dst[:n], b, at, depth, number); at < 0 {
					return dst, damaged
				}
				n = len(dst)
			}
		}
		if hit != nil {
			hit.value = Value(b[value:at:at])
		}
	}
	if parent == 0 {
		s.paused = 0
	}
	return dst[:n], at
}

// shapedValue is value for that of a key; a map may be one that is remembered.
func (e *encoder) shapedValue(dst, b []byte, at, depth int, number uint16) (out []byte, end int) {
	if depth == 1 || at >= len(b) || typeOf[b[at]] != Map {
		return e.value(dst, b, at, depth-1)
	}
	start := len(dst)
	if dst, end = e.shaped(dst, b, at, depth-1, number); end < 0 {
		return dst, damaged
	}
	if len(dst) == start {
		return append(dst, '{', '}'), end
	}
	dst[start] = '{' // over the first member's comma
	return append(dst, '}'), end
}

// putDecimal is appendDecimal, always with a point, for a place with room for 24 bytes.
func putDecimal(out unsafe.Pointer, n int, f float64) (end int, ok bool) {
	a := math.Abs(f)
	if !(a < 1e9) {
		return n, false
	}
	v := uint64(a*1e6 + 0.5)
	if float64(v)/1e6 != a {
		return n, false
	}
	if math.Signbit(f) {
		store8(out, n, '-')
		n++
	}
	whole, frac := v/1e6, uint32(v%1e6)
	n = putUint(out, n, whole)
	store8(out, n, '.')
	n++
	high, low := frac/1000, frac%1000
	put3(out, n, high)
	if low == 0 {
		if high%10 != 0 {
			return n + 3, true
		}
		n += 3
	} else {
		put3(out, n+3, low)
		n += 6
	}
	for load8(out, n-1) == '0' && load8(out, n-2) != '.' {
		n--
	}
	return n, true
}

// putUint writes a decimal at out[n:], which has room for 24 bytes, and returns where it ends.
func putUint(out unsafe.Pointer, n int, v uint64) int {
	switch {
	case v < 10:
		store8(out, n, byte('0'+v))
		return n + 1
	case v < 100:
		put2(out, n, uint32(v))
		return n + 2
	case v < 1000:
		put3(out, n, uint32(v))
		return n + 3
	case v < 1e4:
		put2(out, n, uint32(v)/100)
		put2(out, n+2, uint32(v)%100)
		return n + 4
	case v < 1e8:
		low := uint32(v) % 1e4
		n = putUint(out, n, v/1e4)
		put2(out, n, low/100)
		put2(out, n+2, low%100)
		return n + 4
	}
	low := uint32(v % 1e8)
	n = putUint(out, n, v/1e8)
	high, low := low/1e4, low%1e4
	put2(out, n, high/100)
	put2(out, n+2, high%100)
	put2(out, n+4, low/100)
	put2(out, n+6, low%100)
	return n + 8
}

func put3(out unsafe.Pointer, n int, v uint32) {
	store8(out, n, byte('0'+v/100))
	put2(out, n+1, v%100)
}

func put2(out unsafe.Pointer, n int, v uint32) { *(*[2]byte)(unsafe.Add(out, n)) = pairs[v%128] }

// pairs are the digits of 0 to 99.
var pairs = func() (t [128][2]byte) {
	for i := range 100 {
		t[i] = [2]byte{byte('0' + i/10), byte('0' + i%10)}
	}
	return t
}()

func load8(p unsafe.Pointer, at int) byte { return *(*byte)(unsafe.Add(p, at)) }

func load64(p unsafe.Pointer, at int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, at))[:])
}

func store8(p unsafe.Pointer, at int, c byte) { *(*byte)(unsafe.Add(p, at)) = c }

func store64(p unsafe.Pointer, at int, w uint64) {
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(p, at))[:], w)
}

func store128(p unsafe.Pointer, at int, w [wordSize]byte) { *(*[wordSize]byte)(unsafe.Add(p, at)) = w }
