// Package record reads the values of a record where they stand, in raw msgpack: field paths, typed values, iteration
// over fields, and JSON.
//
// A record is a raw msgpack map, the Body of a chunk.Reader. Nothing here decodes it into Go values, and apart from
// ParsePath nothing allocates. Every function takes any bytes: what is damaged reads as absent, or as null in JSON;
// nothing panics or reads outside the slice that it was given. Slices that are returned are sub-slices of the input
// with their capacity cut, valid as long as its memory is.
//
// Where a map has a key more than once, the last one counts, in Find as in JSON: that is what Fluent Bit's own record
// accessor and JSON output do, at every level. Fields shows them all.
//
// Everything may be used from several goroutines at once, except one and the same Fields.
package record

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"

	"flbgo/shared/chunk"
)

// Type is the type of a Value. The width that msgpack chose is not part of it.
type Type uint8

// The types. Unsigned is a property of the encoding: writers use Uint for what is not negative, Int for what is, but
// both may hold either.
const (
	Nil Type = iota // also of a Value that is empty or damaged
	Bool
	Int
	Uint
	Float
	String
	Binary
	Array
	Map
	Ext
)

var typeNames = [...]string{"nil", "bool", "int", "uint", "float", "string", "binary", "array", "map", "ext"}

// String names the type for errors.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown type"
}

// Value is the raw msgpack of exactly one value, as Path.Find and Fields return it. The zero Value is of type Nil.
type Value []byte

// Type is the type by the first byte.
func (v Value) Type() Type {
	if len(v) == 0 {
		return Nil
	}
	return typeOf[v[0]]
}

var typeOf = func() (t [256]Type) {
	set := func(from, to int, typ Type) {
		for c := from; c <= to; c++ {
			t[c] = typ
		}
	}
	set(0x00, 0x7f, Uint)
	set(0x80, 0x8f, Map)
	set(0x90, 0x9f, Array)
	set(0xa0, 0xbf, String)
	set(0xc2, 0xc3, Bool)
	set(0xc4, 0xc6, Binary)
	set(0xc7, 0xc9, Ext)
	set(0xca, 0xcb, Float)
	set(0xcc, 0xcf, Uint)
	set(0xd0, 0xd3, Int)
	set(0xd4, 0xd8, Ext)
	set(0xd9, 0xdb, String)
	set(0xdc, 0xdd, Array)
	set(0xde, 0xdf, Map)
	set(0xe0, 0xff, Int)
	return t
}()

// Text is the content of a string or of binary data, a sub-slice. It is not checked to be UTF-8. ok is false for every
// other type.
func (v Value) Text() (text []byte, ok bool) {
	from, to := textBounds(v, 0)
	if to == 0 {
		return nil, false
	}
	return v[from:to:to], true
}

// textBounds is where in b the content of the string or binary data at b[at:] starts and ends; 0, 0 where there is
// neither, or one that is not complete. The end is also where the next value starts.
func textBounds(b []byte, at int) (from, to int) {
	if at >= len(b) {
		return 0, 0
	}
	if c := b[at]; c&0xe0 == 0xa0 {
		from = at + 1
		to = from + int(c&0x1f)
	} else if c == 0xd9 && at+1 < len(b) {
		from = at + 2
		to = from + int(b[at+1])
	} else {
		return longTextBounds(b, at)
	}
	if to > len(b) {
		return 0, 0
	}
	return from, to
}

// longTextBounds is textBounds for all but the short forms of a string.
func longTextBounds(b []byte, at int) (from, to int) {
	var size uint64
	switch rest := b[at+1:]; b[at] {
	case 0xc4:
		if len(rest) < 1 {
			return 0, 0
		}
		from, size = at+2, uint64(rest[0])
	case 0xda, 0xc5:
		if len(rest) < 2 {
			return 0, 0
		}
		from, size = at+3, uint64(binary.BigEndian.Uint16(rest))
	case 0xdb, 0xc6:
		if len(rest) < 4 {
			return 0, 0
		}
		from, size = at+5, uint64(binary.BigEndian.Uint32(rest))
	default:
		return 0, 0
	}
	if size > uint64(len(b)-from) {
		return 0, 0
	}
	return from, from + int(size)
}

// Bool is the value of a boolean. ok is false for every other type: there is no truth in 1 or "true".
func (v Value) Bool() (b, ok bool) {
	if len(v) == 0 || v[0]&0xfe != 0xc2 {
		return false, false
	}
	return v[0] == 0xc3, true
}

// number reads any integer: its 64 bits, and whether they are signed.
func (v Value) number() (bits uint64, signed, ok bool) {
	if len(v) == 0 {
		return 0, false, false
	}
	c := v[0]
	switch {
	case c < 0x80:
		return uint64(c), false, true
	case c >= 0xe0:
		return uint64(int64(int8(c))), true, true
	case c < 0xcc || c > 0xd3 || len(v) < 1+1<<(c&3):
		return 0, false, false
	}
	switch c {
	case 0xcc:
		return uint64(v[1]), false, true
	case 0xcd:
		return uint64(binary.BigEndian.Uint16(v[1:])), false, true
	case 0xce:
		return uint64(binary.BigEndian.Uint32(v[1:])), false, true
	case 0xcf:
		return binary.BigEndian.Uint64(v[1:]), false, true
	case 0xd0:
		return uint64(int64(int8(v[1]))), true, true
	case 0xd1:
		return uint64(int64(int16(binary.BigEndian.Uint16(v[1:])))), true, true
	case 0xd2:
		return uint64(int64(int32(binary.BigEndian.Uint32(v[1:])))), true, true
	default: // 0xd3
		return binary.BigEndian.Uint64(v[1:]), true, true
	}
}

// float reads a float of either width. A float32 is widened exactly: the float32 nearest to 0.1 becomes
// 0.10000000149011612, as in Fluent Bit. single tells how it was written.
func (v Value) float() (f float64, single, ok bool) {
	switch {
	case len(v) >= 5 && v[0] == 0xca:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v[1:]))), true, true
	case len(v) >= 9 && v[0] == 0xcb:
		return math.Float64frombits(binary.BigEndian.Uint64(v[1:])), false, true
	}
	return 0, false, false
}

// Int is the value of an integer, or of a float without a fraction, that int64 can hold exactly. A float counts because
// some parsers make every number one.
func (v Value) Int() (n int64, ok bool) {
	if bits, signed, ok := v.number(); ok {
		return int64(bits), signed || bits <= math.MaxInt64
	}
	if f, _, ok := v.float(); ok && f >= -1<<63 && f < 1<<63 && f == math.Trunc(f) {
		return int64(f), true
	}
	return 0, false
}

// Uint is the value of an integer, or of a float without a fraction, that uint64 can hold exactly.
func (v Value) Uint() (n uint64, ok bool) {
	if bits, signed, ok := v.number(); ok {
		return bits, !signed || int64(bits) >= 0
	}
	if f, _, ok := v.float(); ok && f >= 0 && f < 1<<64 && f == math.Trunc(f) {
		return uint64(f), true
	}
	return 0, false
}

// Float is the value of a float or an integer. Integers of more than 53 bits are rounded. It may be NaN or infinite
// where the sender wrote that.
func (v Value) Float() (f float64, ok bool) {
	if bits, signed, ok := v.number(); ok {
		if signed {
			return float64(int64(bits)), true
		}
		return float64(bits), true
	}
	f, _, ok = v.float()
	return f, ok
}

// ParseFloat is Float, and also reads numbers that stand as text, as a regular expression leaves them: "12", "-0.5",
// "1.2e-3". Anything else in the text, spaces, hexadecimal, "NaN" or "Inf", makes it no number, and so does an exponent
// out of range.
func (v Value) ParseFloat() (f float64, ok bool) {
	if t := v.Type(); t != String && t != Binary {
		return v.Float()
	}
	text, ok := v.Text()
	if !ok || !isDecimal(text) {
		return 0, false
	}
	// strconv keeps the string only in an error, and copies it there.
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil {
		return 0, false
	}
	return f, true
}

// isDecimal matches [+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?, so that strconv sees only what it will take: its errors
// allocate.
func isDecimal(s []byte) bool {
	i := 0
	sign := func() {
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
	}
	digits := func() int {
		from := i
		for i < len(s) && s[i]-'0' <= 9 {
			i++
		}
		return i - from
	}
	sign()
	n := digits()
	if i < len(s) && s[i] == '.' {
		i++
		n += digits()
	}
	if n == 0 {
		return false
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		sign()
		if digits() == 0 {
			return false
		}
	}
	return i == len(s)
}

// AppendText appends the value as a label or a message key shows it: text as it is (not checked to be UTF-8), numbers
// in their shortest form (200, not 200.000000), true and false, the text of a time, maps, arrays and other ext as JSON,
// and nothing at all for nil and for damage.
func (v Value) AppendText(dst []byte) []byte {
	switch v.Type() {
	case Nil:
		return dst
	case String, Binary:
		text, _ := v.Text()
		return append(dst, text...)
	case Float:
		f, single, ok := v.float()
		switch {
		case !ok:
			return dst
		case math.IsNaN(f) || math.IsInf(f, 0):
			return strconv.AppendFloat(dst, f, 'g', -1, 64) // NaN, +Inf, -Inf, as Prometheus has them
		}
		return appendFloat(dst, f, single)
	}
	if _, ok := chunk.Skip(v); !ok {
		return dst
	}
	start := len(dst)
	dst = AppendJSON(dst, v)
	if dst[start] == '"' { // a time
		copy(dst[start:], dst[start+1:len(dst)-1])
		dst = dst[:len(dst)-2]
	}
	return dst
}
