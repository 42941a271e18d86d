package option

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// parse turns a user's text into the kind's Go value. Its errors say what is allowed and give an example; the caller
// adds the option's name and value.
func (o *Option) parse(text string) (any, error) {
	switch o.Kind {
	case Bool:
		b, ok := parseBool(text)
		if !ok {
			return nil, o.allowed("on or off")
		}
		return b, nil
	case Int:
		if text == "" {
			return int64(0), nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, o.allowed("a whole number")
		}
		return n, o.inRange(n, func(n int64) string { return strconv.FormatInt(n, 10) })
	case Size:
		if text == "" {
			return int64(0), nil
		}
		n, ok := parseSize(text)
		if !ok {
			return nil, o.allowed("a size in bytes with an optional K, M or G")
		}
		return n, o.inRange(n, func(n int64) string { return strconv.FormatInt(n, 10) + " bytes" })
	case Duration:
		if text == "" {
			return time.Duration(0), nil
		}
		d, ok := parseDuration(text)
		if !ok {
			return nil, o.allowed("a duration with a unit (ms, s, m, h) or a number of seconds")
		}
		return d, o.inRange(int64(d), func(n int64) string { return time.Duration(n).String() })
	case List:
		return split(text), nil
	case Pairs:
		var pairs []Pair
		for _, item := range splitRaw(text) {
			k, v, ok := cutRaw(item)
			if k = clean(k); !ok || k == "" {
				if Redact(text) != text { // the item may be a half of a password
					return nil, o.allowed("name=value, several separated by commas")
				}
				return nil, o.allowed("name=value, several separated by commas; " + o.show(item) + " is not")
			}
			pairs = append(pairs, Pair{k, clean(v)})
		}
		return pairs, nil
	case Choice:
		for _, c := range o.Choices {
			if strings.EqualFold(c, text) {
				return c, nil
			}
		}
		if text == "" {
			return "", nil
		}
		return nil, o.allowed("one of " + strings.Join(o.Choices, ", "))
	default:
		return text, nil
	}
}

// maxShown is how much of a value an error shows: the host cuts long lines, and what is wrong comes after the value.
const maxShown = 200

// userinfo is what stands before the @ of a URL: user:password@. A password may have any character in it, so that
// everything up to the last @ is taken for it.
var userinfo = regexp.MustCompile(`(?s)[^\s=,"]*:.*@`)

// Redact is a value without the user information of addresses in it, for options that are no secret but may be given one.
func Redact(text string) string { return userinfo.ReplaceAllString(text, "***@") }

// show is a value as an error shows it.
func (o *Option) show(text string) string {
	if o.Secret {
		return "(secret)"
	}
	text = Redact(text)
	if len(text) <= maxShown {
		return strconv.Quote(text)
	}
	cut := maxShown
	for cut > maxShown-utf8.UTFMax && !utf8.RuneStart(text[cut]) { // text need not be UTF-8
		cut--
	}
	return strconv.Quote(text[:cut]) + "…"
}

func (o *Option) allowed(what string) error {
	if o.Example == "" {
		return fmt.Errorf("must be %s", what)
	}
	return fmt.Errorf("must be %s, for example: %s %s", what, o.Name, o.Example)
}

func (o *Option) inRange(n int64, show func(int64) string) error {
	if o.Min == 0 && o.Max == 0 || n >= o.Min && n <= o.Max {
		return nil
	}
	if o.Max == math.MaxInt64 {
		return o.allowed("at least " + show(o.Min))
	}
	return o.allowed("from " + show(o.Min) + " to " + show(o.Max))
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "on", "true", "yes", "1":
		return true, true
	case "off", "false", "no", "0", "":
		return false, true
	}
	return false, false
}

// parseSize reads Fluent Bit's own form of sizes: a whole number with K, M or G (also KB, MB, GB), powers of 1,024.
func parseSize(s string) (int64, bool) {
	s = strings.TrimSuffix(strings.ToUpper(s), "B")
	shift := 0
	switch {
	case strings.HasSuffix(s, "K"):
		shift = 10
	case strings.HasSuffix(s, "M"):
		shift = 20
	case strings.HasSuffix(s, "G"):
		shift = 30
	}
	if shift > 0 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, false
	}
	return n << shift, true
}

// parseDuration reads Go's form, and a plain number as seconds, as Fluent Bit's own options do.
func parseDuration(s string) (time.Duration, bool) {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		n *= float64(time.Second)
		if !(n >= 0 && n < math.MaxInt64) { // nor NaN; MaxInt64 becomes 2^63, which is too large
			return 0, false
		}
		return time.Duration(n), true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

func split(s string) []string {
	var items []string
	for _, item := range splitRaw(s) {
		items = append(items, clean(item))
	}
	return items
}

// splitRaw cuts at commas that no backslash escapes; empty items are left out, escapes stay in.
func splitRaw(s string) []string {
	var items []string
	add := func(item string) {
		if strings.TrimSpace(item) != "" {
			items = append(items, item)
		}
	}
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			add(s[start:i])
			start = i + 1
		}
	}
	add(s[start:])
	return items
}

// cutRaw cuts at the first = that no backslash escapes; escapes stay in.
func cutRaw(s string) (before, after string, found bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '=':
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// clean takes the spaces around an item away, except one that a backslash escapes, and then the backslashes. One at the
// very end escapes nothing and stays.
func clean(s string) string {
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	end := strings.TrimRightFunc(s, unicode.IsSpace)
	if escapes := len(end) - len(strings.TrimRight(end, `\`)); escapes%2 == 1 && len(end) < len(s) {
		end = s[:len(end)+1]
	}
	return unescape(end)
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
