package record

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"flbgo/shared/chunk"
)

// maxDepth is how many containers may stand inside each other in JSON; deeper ones are written as null.
const maxDepth = 64

// AppendJSON appends the JSON of the value that v begins with. What it appends is valid JSON, whatever v is:
//
//   - text: as it is, each byte that is not UTF-8 replaced by U+FFFD
//   - integers: all 64 bits exactly
//   - floats: the shortest decimal that reads back the same, in the width that was sent (a float32 of 0.1 is 0.1, where
//     Fluent Bit prints 0.10000000149011612), always with a point or an exponent, so that a field does not change its
//     type from record to record; NaN and infinities are null
//   - binary: a string of standard base64
//   - ext: a time (type 0 with 8 bytes, Fluent Bit's own; type -1, msgpack's own) is a string in RFC 3339 form, UTC;
//     any other is {"type":5,"data":"base64"}
//   - maps: of duplicate keys the last one stays, in its place. A key of any type but text becomes the text of its JSON;
//     binary keys are taken for text
//   - containers more than 64 deep: null
//   - damage anywhere inside v: null for the whole of it
//
// It allocates nothing if dst has room, but for a map of more than 48 members, which borrows a hash table from a pool.
func AppendJSON(dst, v []byte) []byte {
	start := len(dst)
	var end int
	if isContainer(v) {
		var e encoder
		dst, end = e.value(dst, v, 0, maxDepth)
	} else {
		dst, end = appendScalar(dst, v, 0)
	}
	if end < 0 {
		return append(dst[:start], "null"...)
	}
	return dst
}

// AppendJSONFields appends the members of the map that body begins with, as AppendJSON does but without the braces, so
// that a caller can add its own members to them. If first is false there is a comma before the first member. Nothing is
// appended for a map without members, for damage, and for anything but a map.
func AppendJSONFields(dst, body []byte, first bool) []byte {
	start := len(dst)
	var e encoder
	dst, end := e.fields(dst, body, 0, maxDepth)
	return fieldsEnd(dst, start, end, first)
}

// fieldsEnd finishes members that begin at dst[start:] and whose map ends at end, or is damaged.
func fieldsEnd(dst []byte, start, end int, first bool) []byte {
	if end < 0 {
		return dst[:start]
	}
	if first && len(dst) > start {
		copy(dst[start:], dst[start+1:])
		dst = dst[:len(dst)-1]
	}
	return dst
}

func isContainer(b []byte) bool {
	return len(b) > 0 && (typeOf[b[0]] == Map || typeOf[b[0]] == Array)
}

// encoder is the state of one AppendJSON. It lives on the stack, or in a Finder.
type encoder struct {
	members [maxListed]member // of all open small maps, the outermost first
	used    int
	inKey   bool    // inside the text of a key
	top     *Finder // of the outermost map, until that is entered
	finder  *Finder // whose encoder it is, nil for none
}

// maxListed is how many members the open maps may have together before one of them borrows a largeSet.
const maxListed = 48

// value appends the value at b[at:] and returns the offset of what is behind it, or damaged.
func (e *encoder) value(dst, b []byte, at, depth int) (out []byte, end int) {
	if at >= len(b) {
		return dst, damaged
	}
	switch typeOf[b[at]] {
	case Map:
	case Array:
		if depth > 0 {
			return e.array(dst, b, at, depth)
		}
	default:
		return appendScalar(dst, b, at)
	}
	if depth == 0 {
		return append(dst, "null"...), next(b, at)
	}
	start := len(dst)
	if dst, end = e.fields(dst, b, at, depth); end < 0 {
		return dst, damaged
	}
	if len(dst) == start {
		return append(dst, '{', '}'), end
	}
	dst[start] = '{' // over the first member's comma
	return append(dst, '}'), end
}

// array is value for an array.
func (e *encoder) array(dst, b []byte, at, depth int) (out []byte, end int) {
	n, size := arrayHeader(b[at:])
	if size == 0 {
		return dst, damaged
	}
	at += size
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, at = e.value(dst, b, at, depth-1); at < 0 {
			return dst, damaged
		}
	}
	return append(dst, ']'), at
}

// fields appends the members of the map at b[at:], each with a comma before it.
func (e *encoder) fields(dst, b []byte, at, depth int) (out []byte, end int) {
	pairs, size, ok := chunk.MapHeader(b[at:])
	if !ok {
		return dst, damaged
	}
	at += size
	top := e.top
	e.top = nil
	first := e.used
	if pairs > maxListed-first {
		return e.manyFields(dst, b, pairs, at, depth, top)
	}
	e.used += pairs
	members := e.members[first:e.used]
	var filter uint64 // a bit per hash that was seen
	dirty := false
	for i := range members {
		start := len(dst)
		from, to := textBounds(b, at)
		var hit *wanted
		if top != nil {
			if hit = top.want(b, from, to); hit != nil && hit.omit {
				// A member without a length, which is nobody's duplicate.
				members[i] = member{at: start, dead: true}
				if at = hit.pass(b, to); at < 0 {
					return dst, damaged
				}
				continue
			}
		}
		dst = append(dst, ',')
		var hash uint32
		if to != 0 {
			dst = appendText(dst, b, from, to)
			at = to
			if n := len(dst) - start - 3; n == to-from { // not longer, so not changed
				hash = hashKey(b, from, to)
			} else {
				hash = hashKey(dst, start+2, start+2+n)
			}
		} else {
			if dst, at = e.oddKey(dst, b, at, depth-1); at < 0 {
				return dst, damaged
			}
			hash = hashKey(dst, start+2, len(dst)-1)
		}
		if bit := uint64(1) << (hash & 63); filter&bit == 0 {
			filter |= bit
		} else if markDuplicates(members[:i], dst, start, hash) {
			dirty = true
		}
		members[i] = member{at: start, hash: hash}
		dst = append(dst, ':')
		value := at
		if from, to := textBounds(b, at); to != 0 && b[at]&0xfc != 0xc4 {
			dst = appendText(dst, b, from, to)
			at = to
		} else if dst, at = e.value(dst, b, at, depth-1); at < 0 {
			return dst, damaged
		}
		if hit != nil {
			hit.value = Value(b[value:at:at])
		}
	}
	if dirty {
		dst = cutDead(dst, members)
	}
	e.used = first
	return dst, at
}

// manyFields is fields for a map whose members the encoder has no room to list; at is behind its head.
func (e *encoder) manyFields(dst, b []byte, pairs, at, depth int, top *Finder) (out []byte, end int) {
	set := largeSets.Get().(*largeSet)
	dirty := false
	for range pairs {
		start := len(dst)
		var hit *wanted
		if top != nil {
			from, to := textBounds(b, at)
			if hit = top.want(b, from, to); hit != nil && hit.omit {
				if at = hit.pass(b, to); at < 0 {
					return dst, damaged
				}
				continue
			}
		}
		dst = append(dst, ',')
		if dst, at = e.key(dst, b, at, depth-1); at < 0 {
			return dst, damaged
		}
		if set.add(dst, start) {
			dirty = true
		}
		dst = append(dst, ':')
		value := at
		if dst, at = e.value(dst, b, at, depth-1); at < 0 {
			return dst, damaged
		}
		if hit != nil {
			hit.value = Value(b[value:at:at])
		}
	}
	if dirty {
		dst = cutDead(dst, set.members)
	}
	set.release()
	return dst, at
}

// key appends the value at b[at:] as a JSON string.
func (e *encoder) key(dst, b []byte, at, depth int) (out []byte, end int) {
	if from, to := textBounds(b, at); to != 0 {
		return appendText(dst, b, from, to), to
	}
	return e.oddKey(dst, b, at, depth)
}

// oddKey is key for what is no text: the text of its JSON.
func (e *encoder) oddKey(dst, b []byte, at, depth int) (out []byte, end int) {
	start := len(dst)
	if isContainer(b[at:]) {
		// The text of a container, quoted, inside the text of a container, quoted, … would double at every level.
		if e.inKey {
			return append(dst, `"null"`...), next(b, at)
		}
		e.inKey = true
		dst, end = e.value(dst, b, at, depth)
		e.inKey = false
	} else {
		dst, end = appendScalar(dst, b, at)
	}
	if end < 0 || dst[start] == '"' {
		return dst, end
	}
	tail := len(dst)
	dst = appendString(dst, dst[start:tail])
	return dst[:start+copy(dst[start:], dst[tail:])], end
}

// appendScalar appends the value at b[at:], which is no container, and returns the offset of what is behind it, or
// damaged.
func appendScalar(dst, b []byte, at int) (out []byte, end int) {
	if from, to := textBounds(b, at); to != 0 {
		if b[at]&0xfc == 0xc4 {
			return appendBase64(dst, b[from:to]), to
		}
		return appendText(dst, b, from, to), to
	}
	if end = next(b, at); end < 0 {
		return dst, damaged
	}
	v := Value(b[at:end])
	switch v.Type() {
	case Bool:
		return strconv.AppendBool(dst, v[0] == 0xc3), end
	case Int, Uint:
		bits, signed, _ := v.number()
		if signed {
			return strconv.AppendInt(dst, int64(bits), 10), end
		}
		return strconv.AppendUint(dst, bits, 10), end
	case Float:
		f, single, _ := v.float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			break
		}
		start := len(dst)
		dst = appendFloat(dst, f, single)
		for _, c := range dst[start:] {
			if c == '.' || c == 'e' {
				return dst, end
			}
		}
		return append(dst, '.', '0'), end
	case Ext:
		return appendExt(dst, v), end
	}
	return append(dst, "null"...), end
}

func appendBase64(dst, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), data), '"')
}

// appendExt appends a complete ext value.
func appendExt(dst []byte, v Value) []byte {
	start := 2 // where the data begins
	switch v[0] {
	case 0xc7:
		start = 3
	case 0xc8:
		start = 4
	case 0xc9:
		start = 6
	}
	typ, data := int8(v[start-1]), v[start:]
	var sec int64
	var nsec uint32
	known := true
	switch {
	case len(data) == 8 && typ == 0:
		sec, nsec = int64(binary.BigEndian.Uint32(data)), binary.BigEndian.Uint32(data[4:])
	case len(data) == 4 && typ == -1:
		sec = int64(binary.BigEndian.Uint32(data))
	case len(data) == 8 && typ == -1:
		n := binary.BigEndian.Uint64(data)
		sec, nsec = int64(n&(1<<34-1)), uint32(n>>34)
	case len(data) == 12 && typ == -1:
		nsec, sec = binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint64(data[4:]))
	default:
		known = false
	}
	// RFC 3339 has years of four digits.
	const year0, year10000 = -62167219200, 253402300800
	if known && nsec < 1e9 && sec >= year0 && sec < year10000 {
		dst = append(dst, '"')
		dst = time.Unix(sec, int64(nsec)).UTC().AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	}
	dst = strconv.AppendInt(append(dst, `{"type":`...), int64(typ), 10)
	dst = appendBase64(append(dst, `,"data":`...), data)
	return append(dst, '}')
}
