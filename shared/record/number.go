package record

import (
	"math"
	"strconv"
)

// appendFloat appends the shortest decimal of a finite float that reads back as the same float64, or float32 if single.
// It has an exponent below 1e-6 and from 1e21 on, as JSON encoders have since ECMAScript; whole numbers have no point.
func appendFloat(dst []byte, f float64, single bool) []byte {
	if !single {
		if out, ok := appendDecimal(dst, f); ok {
			return out
		}
	}
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

// appendDecimal is the short way for what logs are full of: a float64 that is a decimal of at most 6 places. ok is false
// where f is none. It is the same text that strconv finds, by a fifth of the work: if the nearest float64 to v/1e6 is f,
// then v/1e6 reads back as f; and since v has at most 15 digits, no other decimal of at most 15 digits does.
func appendDecimal(dst []byte, f float64) (out []byte, ok bool) {
	const places = 6
	a := math.Abs(f)
	if !(a < 1e9) {
		return dst, false
	}
	v := uint64(a*1e6 + 0.5)
	if float64(v)/1e6 != a {
		return dst, false
	}
	if math.Signbit(f) {
		dst = append(dst, '-')
	}
	whole, frac := v/1e6, v%1e6
	dst = strconv.AppendUint(dst, whole, 10)
	if frac == 0 {
		return dst, true
	}
	n := places
	for frac%10 == 0 {
		frac /= 10
		n--
	}
	at := len(dst)
	dst = append(dst, ".000000"[:n+1]...)
	for i := at + n; i > at; i-- {
		dst[i] = byte('0' + frac%10)
		frac /= 10
	}
	return dst, true
}
