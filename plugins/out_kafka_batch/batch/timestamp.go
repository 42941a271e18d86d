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

// clock writes timestamps. It remembers the text of the second that it wrote last, since neighbours share it.
// Not for concurrent use.
type clock struct {
	sec   int64
	text  [40]byte
	valid int // length of text
}

// append writes a time as a JSON value. nsec is below 1e9, sec not beyond maxSec.
//
// double is a decimal with all digits there are, at least one behind the point: parsed as a double it is the number
// that the built-in output writes, and a store that guesses types from the first record never guesses an integer.
func (c *clock) append(dst []byte, f timestampFormat, sec int64, nsec uint32) []byte {
	switch f {
	case timestampDouble:
		dst = append(strconv.AppendInt(dst, sec, 10), '.')
		dst = appendDigits(dst, nsec, 9)
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

// appendDigits writes the low width digits of n, with leading zeros.
func appendDigits(dst []byte, n uint32, width int) []byte {
	at := len(dst)
	dst = append(dst, "000000000"[:width]...)
	for i := at + width - 1; i >= at; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
