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
// It allocates nothing if dst has room, but for maps of more than 32 members, which use a pool.
func AppendJSON(dst, v []byte) []byte {
	start := len(dst)
	var ok bool
	if isContainer(v) {
		var e encoder
		dst, _, ok = e.value(dst, v, maxDepth)
	} else {
		dst, _, ok = appendScalar(dst, v)
	}
	if !ok {
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
	dst, _, ok := e.members(dst, body, maxDepth)
	if !ok {
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

// encoder is the state of one AppendJSON: the keys of the maps that are open. It lives on the stack.
type encoder struct {
	keys  [32]member // of all open small maps, the outermost first
	used  int
	inKey bool // inside the text of a key
}

// value appends the value that b begins with and returns its size. ok is false for damage; dst then ends in half of it.
func (e *encoder) value(dst, b []byte, depth int) (out []byte, size int, ok bool) {
	if !isContainer(b) {
		return appendScalar(dst, b)
	}
	if depth == 0 {
		size, ok = chunk.Skip(b)
		return append(dst, "null"...), size, ok
	}
	if typeOf[b[0]] == Map {
		start := len(dst)
		if dst, size, ok = e.members(dst, b, depth); !ok {
			return dst, 0, false
		}
		if len(dst) == start {
			return append(dst, '{', '}'), size, true
		}
		dst[start] = '{' // over the first member's comma
		return append(dst, '}'), size, true
	}
	n, size := arrayHeader(b)
	if size == 0 {
		return dst, 0, false
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		var s int
		if dst, s, ok = e.value(dst, b[size:], depth-1); !ok {
			return dst, 0, false
		}
		size += s
	}
	return append(dst, ']'), size, true
}

// members appends the members of the map that b begins with, each with a comma before it.
func (e *encoder) members(dst, b []byte, depth int) (out []byte, size int, ok bool) {
	pairs, size, ok := chunk.MapHeader(b)
	if !ok {
		return dst, 0, false
	}
	start := e.used
	ks := keySet{list: e.keys[start:start]}
	if pairs > len(e.keys)-start {
		ks.large = largeSets.Get().(*largeSet)
		ks.list = ks.large.list
	} else {
		e.used += pairs
	}
	for range pairs {
		at := len(dst)
		dst = append(dst, ',')
		var s int
		if dst, s, ok = e.key(dst, b[size:], depth-1); !ok {
			return dst, 0, false
		}
		size += s
		ks.add(dst, at)
		dst = append(dst, ':')
		if dst, s, ok = e.value(dst, b[size:], depth-1); !ok {
			return dst, 0, false
		}
		size += s
	}
	dst = ks.compact(dst)
	// After damage none of this is needed any more: the whole of the JSON is given up.
	e.used = start
	if ks.large != nil {
		ks.release()
	}
	return dst, size, true
}

// key appends the value that b begins with as a JSON string.
func (e *encoder) key(dst, b []byte, depth int) (out []byte, size int, ok bool) {
	if text, is := firstText(b); is {
		size, ok = chunk.Skip(b)
		return appendString(dst, text), size, ok
	}
	start := len(dst)
	if isContainer(b) {
		// The text of a container, quoted, inside the text of a container, quoted, … would double at every level.
		if e.inKey {
			size, ok = chunk.Skip(b)
			return append(dst, `"null"`...), size, ok
		}
		e.inKey = true
		dst, size, ok = e.value(dst, b, depth)
		e.inKey = false
	} else {
		dst, size, ok = appendScalar(dst, b)
	}
	if !ok || dst[start] == '"' {
		return dst, size, ok
	}
	end := len(dst)
	dst = appendString(dst, dst[start:end])
	return dst[:start+copy(dst[start:], dst[end:])], size, true
}

// firstText is the text that b begins with, string or binary.
func firstText(b []byte) ([]byte, bool) { return Value(b).Text() }

// appendScalar appends a value that is no container.
func appendScalar(dst, b []byte) (out []byte, size int, ok bool) {
	size, ok = chunk.Skip(b)
	if !ok {
		return dst, 0, false
	}
	v := Value(b[:size])
	switch v.Type() {
	case Bool:
		return strconv.AppendBool(dst, v[0] == 0xc3), size, true
	case Int, Uint:
		bits, signed, _ := v.number()
		if signed {
			return strconv.AppendInt(dst, int64(bits), 10), size, true
		}
		return strconv.AppendUint(dst, bits, 10), size, true
	case Float:
		f, single, _ := v.float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			break
		}
		start := len(dst)
		dst = appendFloat(dst, f, single)
		for _, c := range dst[start:] {
			if c == '.' || c == 'e' {
				return dst, size, true
			}
		}
		return append(dst, '.', '0'), size, true
	case String:
		text, _ := v.Text()
		return appendString(dst, text), size, true
	case Binary:
		text, _ := v.Text()
		return appendBase64(dst, text), size, true
	case Ext:
		return appendExt(dst, v), size, true
	}
	return append(dst, "null"...), size, true
}

func appendBase64(dst, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), data), '"')
}

// appendFloat appends the shortest decimal of a finite float, with an exponent below 1e-6 and from 1e21 on, as JSON
// encoders do since ECMAScript.
func appendFloat(dst []byte, f float64, single bool) []byte {
	bits := 64
	if single {
		bits = 32
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 → e-9
		dst = dst[:n-1]
	}
	return dst
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
