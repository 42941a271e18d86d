package enrich

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

// millis reads a duration as a number of milliseconds. A number is seconds, and so is text that is a number; other text
// is what Go's time.Duration prints, with the units h, m, s, ms, µs (also us) and ns. Values are scaled as decimals, so
// that 0.123 s are 123 ms and not 122.99999999999999.
func millis(v record.Value) (float64, outcome) {
	switch v.Type() {
	case record.Nil:
		return 0, absent
	case record.Uint, record.Int:
		if n, ok := v.Int(); ok {
			d := decimal{mant: uint64(n), exp: 3}
			if n < 0 {
				d = decimal{mant: uint64(-n), exp: 3, negative: true}
			}
			return d.result()
		}
		n, _ := v.Uint()
		return decimal{mant: n, exp: 3}.result()
	case record.Float:
		f, ok := v.Float()
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, invalid
		}
		width := 64
		if len(v) == 5 {
			width = 32
		} else if n := math.Round(f * 1e9); math.Abs(n) <= 1e15 && n/1e9 == f {
			// Whole nanoseconds of at most 15 digits: no other decimal that short is the same float.
			return n / 1e6, converted
		}
		var buf [32]byte
		d, rest, ok := parseDecimal(strconv.AppendFloat(buf[:0], math.Abs(f), 'e', -1, width), true)
		if !ok || len(rest) > 0 {
			return 0, invalid
		}
		d.exp += 3
		d.negative = f < 0
		return d.result()
	case record.String, record.Binary:
		if blank(v) {
			return 0, absent
		}
		text, _ := v.Text()
		d, ok := parseDuration(bytes.Trim(text, " \t"))
		if !ok {
			return 0, invalid
		}
		return d.result()
	}
	return 0, invalid
}

// parseDuration reads a number of seconds or Go's form of a duration, as milliseconds.
func parseDuration(s []byte) (sum decimal, ok bool) {
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	sum, rest, ok := parseDecimal(s, true)
	if ok && len(rest) == 0 {
		sum.exp += 3
		sum.negative = negative
		return sum, true
	}
	if len(s) == 0 {
		return decimal{}, false
	}
	sum = decimal{}
	for first := true; len(s) > 0; first = false {
		d, rest, ok := parseDecimal(s, false)
		if !ok {
			return decimal{}, false
		}
		factor, exp, size := unitOf(rest)
		if size == 0 {
			return decimal{}, false
		}
		high, low := bits.Mul64(d.mant, factor)
		if high != 0 {
			return decimal{}, false
		}
		d.mant, d.exp = low, d.exp+exp
		if first {
			sum = d
		} else if sum, ok = sum.plus(d); !ok {
			return decimal{}, false
		}
		s = rest[size:]
	}
	sum.negative = negative
	return sum, true
}

// unitOf reads the unit at the start of s: what one of it is in milliseconds, factor × 10^exp, and the size of its name;
// 0 where there is none.
func unitOf(s []byte) (factor uint64, exp, size int) {
	end := 0
	for end < len(s) && s[end]-'0' > 9 && s[end] != '.' {
		end++
	}
	switch string(s[:end]) {
	case "ms":
		return 1, 0, end
	case "µs", "μs", "us": // the micro sign and the Greek letter
		return 1, -3, end
	case "s":
		return 1, 3, end
	case "ns":
		return 1, -6, end
	case "m":
		return 60, 3, end
	case "h":
		return 3600, 3, end
	}
	return 0, 0, 0
}

// decimal is the number mant × 10^exp.
type decimal struct {
	mant     uint64
	exp      int
	negative bool
}

// maxExp bounds the exponent of a decimal, far beyond any duration and so that no result is infinite.
const maxExp = 280

// parseDecimal reads the digits at the start of s, with a point and, where exponent says so, an exponent. Digits behind
// the 19th count as zeros.
func parseDecimal(s []byte, exponent bool) (d decimal, rest []byte, ok bool) {
	i, digits, point := 0, 0, -1
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			if s[i] != '.' || point >= 0 {
				break
			}
			point = i
			continue
		}
		digits++
		if d.mant < 1e18 {
			d.mant = d.mant*10 + uint64(c)
			if point >= 0 {
				d.exp--
			}
		} else if point < 0 {
			d.exp++
		}
	}
	if digits == 0 {
		return decimal{}, s, false
	}
	if exponent && i < len(s) && s[i]|0x20 == 'e' {
		j, e, negative := i+1, 0, false
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			negative = s[j] == '-'
			j++
		}
		from := j
		for ; j < len(s) && s[j]-'0' <= 9 && e <= 10*maxExp; j++ {
			e = 10*e + int(s[j]-'0')
		}
		if j == from {
			return decimal{}, s, false
		}
		if negative {
			e = -e
		}
		d.exp += e
		i = j
	}
	return d, s[i:], true
}

// plus adds two decimals without rounding; ok is false where 64 bits do not hold the sum.
func (d decimal) plus(o decimal) (sum decimal, ok bool) {
	if d.exp < o.exp {
		d, o = o, d
	}
	for ; d.exp > o.exp && d.mant != 0; d.exp-- {
		high, low := bits.Mul64(d.mant, 10)
		if high != 0 {
			return decimal{}, false
		}
		d.mant = low
	}
	m, carry := bits.Add64(d.mant, o.mant, 0)
	return decimal{mant: m, exp: o.exp}, carry == 0
}

// pow10 are the powers of ten that a float64 holds exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// result is the nearest float64.
func (d decimal) result() (float64, outcome) {
	var f float64
	switch {
	case d.exp > maxExp:
		return 0, invalid
	case d.mant == 0:
		return 0, converted
	case d.mant < 1<<53 && d.exp >= 0 && d.exp < len(pow10):
		f = float64(d.mant) * pow10[d.exp] // both exact, so one rounding
	case d.mant < 1<<53 && d.exp < 0 && -d.exp < len(pow10):
		f = float64(d.mant) / pow10[-d.exp]
	default:
		var buf [48]byte
		text := strconv.AppendUint(buf[:0], d.mant, 10)
		text = strconv.AppendInt(append(text, 'e'), int64(d.exp), 10)
		// strconv keeps the string only in an error, and this is a number below 1e300.
		var err error
		if f, err = strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64); err != nil {
			return 0, invalid
		}
	}
	if d.negative {
		f = -f
	}
	return f, converted
}

// convertDurations turns durations into milliseconds under their new names, in the order of the rules as rename does. Of
// several fields with the same old name the last one counts and the others go with it.
func (e *editor) convertDurations(body []byte) {
	for _, m := range e.durations {
		h := e.lastOf(m.from)
		if h == nil {
			continue
		}
		ms, what := millis(h.of(body))
		if what == invalid {
			e.n.count[countDurationsInvalid]++
		}
		if what != converted || !e.clearFor(m.to) {
			continue
		}
		e.n.count[countDurations]++
		from := len(e.scratch)
		e.scratch = msgp.AppendFloat64(e.scratch, ms)
		e.only(m.from)
		e.replace(h, from)
		e.name(m)
	}
}
