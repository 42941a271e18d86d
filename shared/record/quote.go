package record

import (
	"encoding/binary"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has the top bit of every byte of w set that a JSON string cannot hold as it is (below 0x20, the quote, the
// backslash) or that is not ASCII. A byte above a special one may be marked too, one below it never: zero says that
// there is none.
func special(w uint64) uint64 {
	quote := w ^ '"'*ones
	slash := w ^ '\\'*ones
	return ((w - 0x20*ones) | (quote - ones) | (slash - ones) | w) & highs
}

// plain says whether s is ASCII without anything to escape.
func plain(s []byte) bool {
	if len(s) >= 8 {
		for i := 0; i+8 <= len(s); i += 8 {
			if special(binary.LittleEndian.Uint64(s[i:])) != 0 {
				return false
			}
		}
		return special(binary.LittleEndian.Uint64(s[len(s)-8:])) == 0
	}
	for _, c := range s {
		if !safe[c] {
			return false
		}
	}
	return true
}

// safe are the ASCII bytes that stand for themselves in a JSON string.
var safe = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends s as a JSON string. Each byte that is not part of valid UTF-8 becomes U+FFFD. s may be the end
// of dst.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	if plain(s) {
		dst = append(dst, s...)
	} else {
		dst = appendEscaped(dst, s)
	}
	return append(dst, '"')
}

// appendEscaped copies runs of what may stand as it is, and writes the rest one by one.
func appendEscaped(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	valid := utf8.Valid(s)
	from := 0
	for i := 0; i < len(s); {
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
	return append(dst, s[from:]...)
}
