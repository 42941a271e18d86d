package enrich

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"

	"flbgo/shared/record"
)

// outcome is what became of a value that was to be read.
type outcome uint8

const (
	converted outcome = iota
	absent            // the value says that there is none
	invalid           // there is one, but not in a form that is known; it is left as it is
	nothing           // of a whole record: no field has a trace id, valid or not
	blocked           // of a whole record: the field for the trace id holds something that is none, and keeps it
)

// ids are a trace context in its target form: lower-case hexadecimal digits.
type ids struct {
	trace    [32]byte
	span     [16]byte
	flags    [2]byte
	hasTrace bool
	hasSpan  bool
	hasFlags bool
}

// clear forgets what was read; the digits of what is not there mean nothing.
func (id *ids) clear() { id.hasTrace, id.hasSpan, id.hasFlags = false, false, false }

// raw is a value that may hold an id: one of a record, or a piece of text.
type raw struct {
	kind rawKind
	text []byte // of rawText and rawBytes; a sub-slice of the record or of its message
	n    uint64 // of rawInt and rawBool
	hit  int32  // the field in editor.hits; notAField for what stands inside of one
}

type rawKind uint8

const (
	rawNone   rawKind = iota // nothing was found
	rawAbsent                // something that says that there is no trace
	rawText
	rawBytes // msgpack binary
	rawInt   // an integer that is not negative
	rawBool
	rawOther
)

const notAField = -1

// rawOf reads a value of a record.
func rawOf(v record.Value) raw {
	switch v.Type() {
	case record.String:
		text, _ := v.Text()
		return rawOfText(text)
	case record.Nil:
		return raw{kind: rawAbsent}
	case record.Binary:
		text, _ := v.Text()
		if len(text) == 16 || len(text) == 8 {
			if allZero(text) {
				return raw{kind: rawAbsent}
			}
			return raw{kind: rawBytes, text: text}
		}
		return rawOfText(text)
	case record.Int, record.Uint:
		n, ok := v.Uint()
		if !ok {
			return raw{kind: rawOther}
		}
		return raw{kind: rawInt, n: n}
	case record.Bool:
		b, _ := v.Bool()
		if b {
			return raw{kind: rawBool, n: 1}
		}
		return raw{kind: rawBool}
	}
	return raw{kind: rawOther} // a float too: one above 2^53 may be damaged, and the others are no ids
}

func rawOfText(text []byte) raw {
	if isBlank(text) {
		return raw{kind: rawAbsent}
	}
	return raw{kind: rawText, text: text}
}

// isBlank says that text stands for the absence of a value: loggers write such where there is none.
func isBlank(text []byte) bool {
	switch string(text) {
	case "", "-", "N/A", "n/a", "null", "NULL", "none", "None", "undefined", "<nil>":
		return true
	}
	return false
}

// blank says that a value stands for none at all.
func blank(v record.Value) bool {
	text, ok := v.Text()
	return ok && isBlank(text) || v.Type() == record.Nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// digits says how a number without a prefix is written, which the field's name decides.
type digits uint8

const (
	// anyDigits: 32 or 16 characters are hexadecimal, 17 to 20 digits are decimal, and so is an integer.
	anyDigits     digits = iota
	decimalDigits        // decimal up to 20 digits, unless it is 32 characters long
	halfHex              // hexadecimal of 32 or 16 characters
	paddedHex            // hexadecimal of any length
	exactHex             // hexadecimal of the full length
)

// readTrace reads a trace id of 128 bits.
func readTrace(r *raw, how digits, id *[32]byte) outcome { return readID(r, how, id[:]) }

// readSpan reads a span id of 64 bits.
func readSpan(r *raw, how digits, id *[16]byte) outcome { return readID(r, how, id[:]) }

// readID reads an id into the digits of id, 32 or 16.
func readID(r *raw, how digits, id []byte) outcome {
	switch r.kind {
	case rawNone, rawAbsent:
		return absent
	case rawText:
		return readText(r.text, how, id)
	case rawBytes:
		if len(r.text) != len(id)/2 {
			return invalid
		}
		appendHex(id[:0], r.text)
		return converted
	case rawInt:
		if r.n == 0 {
			return absent
		}
		if how > decimalDigits {
			return invalid
		}
		putUint(id, r.n)
		return converted
	}
	return invalid
}

func readText(s []byte, how digits, id []byte) outcome {
	n := len(s)
	switch {
	case zeros(s):
		return absent
	case how == anyDigits && n == (len(id)/2+2)/3*4 && s[n-1] == '=':
		return readBase64(s, id)
	case how == decimalDigits && n <= 20 && !(n == 16 && hasLetter(s)):
		if v, ok := parseUint(s); ok {
			putUint(id, v)
			return converted
		}
		return invalid
	case how == anyDigits && n >= 17 && n <= 20:
		if v, ok := parseUint(s); ok {
			putUint(id, v)
			return converted
		}
		return invalid
	case n > len(id) || how != paddedHex && n != len(id) && !(n == 16 && how != exactHex):
		return invalid
	}
	pad := len(id) - n
	for i := range id[:pad] {
		id[i] = '0'
	}
	if !lowerHex(id[pad:], s) {
		return invalid
	}
	return converted
}

// readBase64 reads the form that ids have in the JSON of protocol buffers: 24 and 12 characters.
func readBase64(s []byte, id []byte) outcome {
	var buf [18]byte
	n, err := base64.StdEncoding.Decode(buf[:], s)
	if err != nil || n != len(id)/2 {
		return invalid
	}
	if allZero(buf[:n]) {
		return absent
	}
	appendHex(id[:0], buf[:n])
	return converted
}

func hasLetter(s []byte) bool {
	for _, c := range s {
		if c-'0' > 9 {
			return true
		}
	}
	return false
}

func zeros(s []byte) bool {
	for _, c := range s {
		if c != '0' {
			return false
		}
	}
	return true
}

// parseUint reads a decimal number of 64 bits.
func parseUint(s []byte) (n uint64, ok bool) {
	if len(s) == 0 || len(s) > 20 {
		return 0, false
	}
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		high, low := bits.Mul64(n, 10)
		sum, carry := bits.Add64(low, uint64(c-'0'), 0)
		if high != 0 || carry != 0 {
			return 0, false
		}
		n = sum
	}
	return n, true
}

const hexDigits = "0123456789abcdef"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// putUint fills id with the digits of a number, with zeros in front.
func putUint(id []byte, n uint64) {
	for i := len(id) - 1; i >= 0; i-- {
		id[i] = hexDigits[n&15]
		n >>= 4
	}
}

// uintOf is the number of 16 digits.
func uintOf(id []byte) (n uint64) {
	for _, c := range id {
		d := uint64(c - '0')
		if d > 9 {
			d = uint64(c-'a') + 10
		}
		n = n<<4 | d
	}
	return n
}

// lowerHex copies hexadecimal digits in lower case, as many as dst has room for. ok is false where there is anything
// else.
func lowerHex(dst, s []byte) bool {
	for len(dst) >= 8 {
		w := lower(binary.LittleEndian.Uint64(s))
		if !hexWord(w) {
			return false
		}
		binary.LittleEndian.PutUint64(dst, w)
		dst, s = dst[8:], s[8:]
	}
	for i := range dst {
		c := s[i]
		if c-'A' < 6 {
			c |= 0x20
		}
		if c-'0' > 9 && c-'a' > 5 {
			return false
		}
		dst[i] = c
	}
	return true
}

// lower turns ASCII letters of a word into lower case. Of other bytes from 0x40 on it makes something else, but never a
// hexadecimal digit.
func lower(w uint64) uint64 { return w | w&0x4040404040404040>>1 }

func word(s []byte, at int) uint64 { return binary.LittleEndian.Uint64(s[at:]) }

// hexWord says that all eight bytes of a word are 0-9 or a-f. Each byte is held against the four limits at once: with
// the high bits out of the way an addition carries into a byte's own high bit exactly from the limit on.
func hexWord(w uint64) bool {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	from0 := w + (0x80-'0')*each
	past9 := w + (0x80-'9'-1)*each
	fromA := w + (0x80-'a')*each
	pastF := w + (0x80-'f'-1)*each
	return w&high == 0 && (from0&^past9|fromA&^pastF)&high == high
}

// readFlags reads whether a trace is sampled: two hexadecimal digits, a number, a boolean, or a word for one. It is
// false for anything else, a question mark for one, with which X-Ray says that it is not decided yet.
func readFlags(r *raw, flags *[2]byte) bool {
	switch r.kind {
	case rawBool:
	case rawInt:
		if r.n > 0xff {
			return false
		}
		putUint(flags[:], r.n)
		return true
	case rawText:
		switch string(r.text) {
		case "1", "true", "True", "TRUE", "d":
			*flags = [2]byte{'0', '1'}
			return true
		case "0", "false", "False", "FALSE":
			*flags = [2]byte{'0', '0'}
			return true
		}
		return len(r.text) == 2 && lowerHex(flags[:], r.text)
	default:
		return false
	}
	*flags = [2]byte{'0', byte('0' + r.n)}
	return true
}
