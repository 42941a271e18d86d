package batch

import (
	"strconv"
	"time"
)

// timestampFormat is how the event's time is written into the JSON object.
type timestampFormat uint8

const (
	timestampOff timestampFormat = iota
	timestampDouble
	timestampISO
	timestampISONano
	timestampMillis
)

var timestampFormats = map[string]timestampFormat{
	"double": timestampDouble, "iso8601": timestampISO, "iso8601_ns": timestampISONano, "epoch_ms": timestampMillis,
}

// clock writes timestamps. It remembers the texts of the second that it wrote last, since neighbours share it.
// Not for concurrent use.
type clock struct {
	sec   int64
	text  [40]byte
	valid int // length of text

	whole      int64 // a second, and its decimal with a point
	decimal    [21]byte
	decimalLen int
}

// append writes a time as a JSON value. nsec is below 1e9, sec not beyond maxSec.
//
// double is a decimal with all digits there are, at least one behind the point: parsed as a double it is the number
// that the built-in output writes, and a store that guesses types from the first record never guesses an integer.
func (c *clock) append(dst []byte, f timestampFormat, sec int64, nsec uint32) []byte {
	switch f {
	case timestampDouble:
		if c.decimalLen == 0 || c.whole != sec {
			c.whole, c.decimalLen = sec, len(append(strconv.AppendInt(c.decimal[:0], sec, 10), '.'))
		}
		dst = appendDigits(append(dst, c.decimal[:c.decimalLen]...), nsec, 9)
		for n := 8; n > 0 && dst[len(dst)-1] == '0'; n-- {
			dst = dst[:len(dst)-1]
		}
		return dst
	case timestampMillis:
		return strconv.AppendInt(dst, sec*1000+int64(nsec/1e6), 10)
	}
	return append(c.appendISO(append(dst, '"'), f, sec, nsec), '"')
}

// eventTimeLen is the length of a time with nanoseconds: 2006-01-02T15:04:05.000000000Z.
const eventTimeLen = 30

// appendISO appends a time in RFC 3339 form, UTC. sec is not beyond maxSec.
func (c *clock) appendISO(dst []byte, f timestampFormat, sec int64, nsec uint32) []byte {
	if c.valid == 0 || c.sec != sec {
		c.sec, c.valid = sec, len(time.Unix(sec, 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05"))
	}
	dst = append(append(dst, c.text[:c.valid]...), '.')
	if f == timestampISO {
		dst = appendDigits(dst, nsec/1e3, 6)
	} else {
		dst = appendDigits(dst, nsec, 9)
	}
	return append(dst, 'Z')
}

// appendDigits writes the low width digits of n, with leading zeros; width is 6 or 9.
func appendDigits(dst []byte, n uint32, width int) []byte {
	at := len(dst)
	dst = append(dst, "000000000"[:width]...)
	digits := dst[at:]
	for len(digits) >= 3 { // a division for every three
		last := digits[len(digits)-3:]
		three := n % 1000
		n /= 1000
		last[0], last[1], last[2] = byte('0'+three/100), byte('0'+three/10%10), byte('0'+three%10)
		digits = digits[:len(digits)-3]
	}
	return dst
}
