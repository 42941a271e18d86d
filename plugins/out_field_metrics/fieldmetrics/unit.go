package fieldmetrics

import (
	"bytes"
	"strconv"
	"strings"
	"unsafe"

	"flbgo/shared/record"
)

// family is what can be converted into one another.
type family uint8

const (
	noFamily family = iota
	timeUnits
	byteUnits
	ratioUnits
)

// unit is one unit of a family: how many of the family's smallest ones it has.
type unit struct {
	names  []string // the first one is the name that errors show
	family family
	size   float64 // exact in a float64
}

var units = []unit{
	{[]string{"nanoseconds", "nanosecond", "ns"}, timeUnits, 1},
	{[]string{"microseconds", "microsecond", "us", "µs", "μs"}, timeUnits, 1e3}, // the micro sign and the Greek letter
	{[]string{"milliseconds", "millisecond", "msec", "ms"}, timeUnits, 1e6},
	{[]string{"seconds", "second", "sec", "s"}, timeUnits, 1e9},
	{[]string{"minutes", "minute", "min", "m"}, timeUnits, 60e9},
	{[]string{"hours", "hour", "h"}, timeUnits, 3600e9},
	{[]string{"days", "day", "d"}, timeUnits, 24 * 3600e9},
	{[]string{"weeks", "week", "w"}, timeUnits, 7 * 24 * 3600e9},
	{[]string{"bytes", "byte", "B"}, byteUnits, 1},
	{[]string{"kB", "KB"}, byteUnits, 1e3},
	{[]string{"MB"}, byteUnits, 1e6},
	{[]string{"GB"}, byteUnits, 1e9},
	{[]string{"TB"}, byteUnits, 1e12},
	{[]string{"PB"}, byteUnits, 1e15},
	{[]string{"KiB"}, byteUnits, 1 << 10},
	{[]string{"MiB"}, byteUnits, 1 << 20},
	{[]string{"GiB"}, byteUnits, 1 << 30},
	{[]string{"TiB"}, byteUnits, 1 << 40},
	{[]string{"PiB"}, byteUnits, 1 << 50},
	{[]string{"percent", "%"}, ratioUnits, 1},
	{[]string{"ratio"}, ratioUnits, 100},
}

// allowedUnits is for errors.
const allowedUnits = "nanoseconds (ns), microseconds (us), milliseconds (ms), seconds (s), minutes (m), hours (h), days (d), " +
	"weeks (w), bytes (B), kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB, ratio and percent (%)"

func findUnit(name []byte) *unit {
	for i := range units {
		for _, n := range units[i].names {
			if string(name) == n {
				return &units[i]
			}
		}
	}
	return nil
}

// unitNames is what the README shows.
func unitNames(f family) string {
	var list []string
	for _, u := range units {
		if u.family == f {
			list = append(list, "`"+strings.Join(u.names, "`, `")+"`")
		}
	}
	return strings.Join(list, "; ")
}

// conversion is how values become numbers: the unit of the metric, and the one of values that name none. The zero
// conversion takes numbers as they are, and text with a unit for no number.
type conversion struct {
	to, bare *unit
}

// readNumber is the number that a value stands for: numbers, text that is one (also 1,234 with commas every three
// digits), with a unit where the metric has one of the same kind, and true and false as 1 and 0. ok is false for
// everything else.
func readNumber(v record.Value, c *conversion) (f float64, ok bool) {
	switch v.Type() {
	case record.String, record.Binary:
		text, ok := v.Text()
		if !ok {
			return 0, false
		}
		return c.parse(bytes.TrimSpace(text))
	case record.Bool:
		if c.to != nil {
			return 0, false
		}
		b, _ := v.Bool()
		if b {
			return 1, true
		}
		return 0, true
	}
	f, ok = v.Float()
	if ok && c.bare != nil {
		f = c.of(f, c.bare)
	}
	return f, ok
}

// of converts a number of a unit. Where one unit is a multiple of the other there is one rounding.
func (c *conversion) of(f float64, from *unit) float64 {
	switch a, b := from.size, c.to.size; {
	case a == b:
		return f
	case a > b && isWhole(a/b):
		return f * (a / b)
	case b > a && isWhole(b/a):
		return f / (b / a)
	default:
		return f * a / b
	}
}

func isWhole(f float64) bool { return f == float64(int64(f)) }

func (c *conversion) parse(s []byte) (f float64, ok bool) {
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	switch {
	case len(s) == 0:
		return 0, false
	case s[0] == 'P':
		f, ok = c.parseISO(s)
	case s[0]-'0' <= 9 || s[0] == '.':
		f, ok = c.parseParts(s)
	case c.to == nil && !negative:
		switch string(s) {
		case "true", "True", "TRUE":
			return 1, true
		case "false", "False", "FALSE":
			return 0, true
		}
	}
	if negative {
		f = -f
	}
	return f, ok
}

// parseParts reads a number with or without a unit, or of durations several, as Go prints them: 1m30.5s.
func (c *conversion) parseParts(s []byte) (sum float64, ok bool) {
	for first := true; len(s) > 0; first = false {
		f, rest, ok := parseNumber(s)
		if !ok {
			return 0, false
		}
		name := bytes.TrimLeft(rest, " ")
		if len(name) == 0 && first {
			if c.bare != nil {
				f = c.of(f, c.bare)
			}
			return f, true
		}
		end := bytes.IndexAny(name, "0123456789.")
		if end < 0 {
			end = len(name)
		}
		u := findUnit(bytes.TrimRight(name[:end], " "))
		if u == nil || c.to == nil || u.family != c.to.family || end < len(name) && u.family != timeUnits || !first && u.family != timeUnits {
			return 0, false
		}
		sum += c.of(f, u)
		s = name[end:]
	}
	return sum, true
}

// parseISO reads an ISO 8601 duration of weeks, days, hours, minutes and seconds. Years and months have no fixed length.
func (c *conversion) parseISO(s []byte) (sum float64, ok bool) {
	if c.to == nil || c.to.family != timeUnits {
		return 0, false
	}
	const dateUnits, clockUnits = "WD", "HMS"
	allowed := dateUnits
	for s = s[1:]; len(s) > 0; {
		if s[0] == 'T' && allowed != clockUnits && len(s) > 1 {
			allowed, s = clockUnits, s[1:]
			continue
		}
		f, rest, numberOK := parseNumber(s)
		if !numberOK || len(rest) == 0 {
			return 0, false
		}
		at := strings.IndexByte(allowed, rest[0])
		if at < 0 {
			return 0, false
		}
		var name string
		switch rest[0] {
		case 'W':
			name = "w"
		case 'D':
			name = "d"
		case 'H':
			name = "h"
		case 'M':
			name = "m"
		default:
			name = "s"
		}
		sum += c.of(f, findUnit([]byte(name)))
		ok = true
		s = rest[1:]
	}
	return sum, ok
}

// parseNumber reads the unsigned decimal at the start of s: digits, in groups of three after commas or without any, a
// point and more digits, an exponent.
func parseNumber(s []byte) (f float64, rest []byte, ok bool) {
	var buf [64]byte
	clean := buf[:0]
	i, group := 0, -1 // digits behind the last comma; -1: there was none
	digits := 0
	for ; i < len(s) && len(clean) < len(buf); i++ {
		if c := s[i]; c-'0' <= 9 {
			clean = append(clean, c)
			digits++
			if group >= 0 {
				group++
			}
		} else if c == ',' && digits > 0 && (group == 3 || group < 0 && digits <= 3) {
			group = 0
		} else {
			break
		}
	}
	if group >= 0 && group != 3 {
		return 0, s, false
	}
	if i < len(s) && s[i] == '.' {
		clean = append(clean, '.')
		for i++; i < len(s) && s[i]-'0' <= 9 && len(clean) < len(buf); i++ {
			clean = append(clean, s[i])
			digits++
		}
	}
	if digits == 0 {
		return 0, s, false
	}
	if i+1 < len(s) && s[i]|0x20 == 'e' && (s[i+1]-'0' <= 9 || i+2 < len(s) && (s[i+1] == '-' || s[i+1] == '+') && s[i+2]-'0' <= 9) {
		j := i + 2
		for j < len(s) && s[j]-'0' <= 9 {
			j++
		}
		if len(clean)+j-i > len(buf) {
			return 0, s, false
		}
		clean = append(clean, s[i:j]...)
		i = j
	}
	if len(clean) >= len(buf) {
		return 0, s, false // nobody logs numbers of 64 digits
	}
	// strconv keeps the string only in an error.
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(clean), len(clean)), 64)
	return f, s[i:], err == nil
}

// parseUnit reads an option.
func parseUnit(name string) (*unit, bool) {
	u := findUnit([]byte(name))
	return u, u != nil
}
