package record

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// escapes has the top bit set of every byte of w that a JSON string must escape: below 0x20, the quote, the backslash.
// A byte above such a one may be marked too, one below it never: zero says that there is none. Bytes that are not ASCII
// are never marked.
func escapes(w uint64) uint64 {
	quote := w ^ '"'*ones
	slash := w ^ '\\'*ones
	return ((w - 0x20*ones) | (quote - ones) | (slash - ones)) &^ w & highs
}

// suspect has the top bit set of a byte of w that is not ASCII or that escapes would mark, perhaps of one above such a
// one too; without the mask, so that several can be joined first.
func suspect(w uint64) uint64 {
	// With the second bit turned over the quote, 0x22, is 0x20, and below 0x21 stands what is to be escaped, but for the
	// backslash.
	return (w ^ 0x02*ones - 0x21*ones) | (w ^ '\\'*ones - ones) | w
}

// appendString appends s as a JSON string. Each byte that is not part of valid UTF-8 becomes U+FFFD. s may stand in
// dst itself.
func appendString(dst, s []byte) []byte { return appendText(dst, s, 0, len(s)) }

// appendText is appendString of b[from:to]. It looks at 8 bytes at a time, and stores them at the same time. That these
// may reach past to inside b, and past the end of the string inside the room of dst, spares short strings a loop.
func appendText(dst, b []byte, from, to int) []byte {
	n := to - from
	start := len(dst)
	end := start + n + 2
	if n > 16 || start+18 > cap(dst) || n < 8 && from+8 > len(b) {
		return appendLong(dst, b[from:to])
	}
	w := binary.LittleEndian.Uint64(b[from : from+8])
	odd := suspect(w) & highs
	dst = dst[:start+18]
	dst[start] = '"'
	binary.LittleEndian.PutUint64(dst[start+1:start+9], w)
	if n >= 8 {
		w = binary.LittleEndian.Uint64(b[to-8 : to]) // some of them for the second time
		odd |= suspect(w) & highs
		binary.LittleEndian.PutUint64(dst[end-9:end-1], w)
	} else {
		odd <<= uint(64 - 8*n)
	}
	if odd != 0 {
		return appendEscaped(dst[:start], b[from:to])
	}
	dst[end-1] = '"'
	return dst[:end]
}

// appendLong is appendText for all but short strings.
func appendLong(dst, s []byte) []byte {
	n := len(s)
	start := len(dst)
	if cap(dst)-start < n+2 {
		dst = slices.Grow(dst, n+2)
	}
	dst = dst[:start+n+2]
	dst[start] = '"'
	dst[start+n+1] = '"'
	copy(dst[start+1:], s)
	var odd uint64
	if n < 8 {
		for _, c := range s {
			if !safe[c] {
				odd = highs
			}
		}
	} else {
		// The last 8 bytes, then all before them, some of which may have been among these.
		odd = suspect(binary.LittleEndian.Uint64(s[n-8:]))
		for rest := s; len(rest) > 8; rest = rest[8:] {
			odd |= suspect(binary.LittleEndian.Uint64(rest))
		}
	}
	if odd&highs != 0 {
		return appendEscaped(dst[:start], s)
	}
	return dst
}

// safe are the ASCII bytes that stand for themselves in a JSON string.
var safe = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendEscaped is appendString for what has something to replace. It copies runs of what may stand as it is, and writes
// the rest one by one.
func appendEscaped(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	valid := utf8.Valid(s)
	from := 0
	for i := 0; i < len(s); {
		if valid && len(s)-i >= 8 && escapes(binary.LittleEndian.Uint64(s[i:])) == 0 {
			i += 8
			continue
		}
		c := s[i]
		if safe[c] || valid && c >= utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
