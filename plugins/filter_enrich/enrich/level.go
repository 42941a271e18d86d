package enrich

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

// severity is a level that is known; unknown is 0.
type severity uint8

const (
	unknown severity = iota
	sevTrace
	sevDebug
	sevInfo
	sevWarn
	sevError
	sevFatal
)

// severities are the words that are written, the same as msgpack, and the first of the four numbers that OpenTelemetry has
// for each. https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
var severities = [...]struct {
	name   string
	raw    []byte
	number byte
}{
	sevTrace: {"TRACE", []byte("\xa5TRACE"), 1},
	sevDebug: {"DEBUG", []byte("\xa5DEBUG"), 5},
	sevInfo:  {"INFO", []byte("\xa4INFO"), 9},
	sevWarn:  {"WARN", []byte("\xa4WARN"), 13},
	sevError: {"ERROR", []byte("\xa5ERROR"), 17},
	sevFatal: {"FATAL", []byte("\xa5FATAL"), 21},
}

// syslogLevels are the severities 0 to 7 of RFC 5424.
var syslogLevels = [8]severity{sevFatal, sevFatal, sevFatal, sevError, sevWarn, sevInfo, sevInfo, sevDebug}

// severityOfNumber is what a number means as a level: 0 to 7 are syslog's, 10 to 69 bunyan's and pino's, where one between
// two levels counts as the lower.
func severityOfNumber(n int64) severity {
	switch {
	case n >= 0 && n < 8:
		return syslogLevels[n]
	case n >= 10 && n < 70:
		return severity(n / 10)
	}
	return unknown
}

// longestLevel is the length of the longest word that severityOf knows.
const longestLevel = len("informational")

// severityOf is what a word in any case means. Loggers agree on nothing but the idea, so this is the union of their
// words: zap, slog, logrus and zerolog (also its three letters), log4j and java.util.logging, Python, .NET and Serilog,
// syslog, the one letter of klog, and what slog has between them. syslog's notice counts as INFO, its levels above error as FATAL.
func severityOf(word []byte) severity {
	if len(word) == 0 || len(word) > longestLevel {
		return unknown
	}
	if word[0]-'0' <= 9 && len(word) <= 2 {
		if n, ok := parseUint(word); ok {
			return severityOfNumber(int64(n))
		}
	}
	var buf [longestLevel]byte
	lower := buf[:len(word)]
	for i, c := range word {
		if c < 'A' {
			return severity((slogNumber(word) + 3) / 4) // four numbers for each
		}
		lower[i] = c | 0x20 // of what is no letter this makes none
	}
	switch string(lower) { // compiles to a search by length and text, without an allocation
	case "info", "information", "informational", "notice", "inf", "i":
		return sevInfo
	case "error", "err", "severe", "e":
		return sevError
	case "warn", "warning", "wrn", "w":
		return sevWarn
	case "debug", "dbg", "fine", "finer", "config", "d":
		return sevDebug
	case "trace", "trc", "finest", "verbose", "vrb", "t":
		return sevTrace
	case "fatal", "ftl", "critical", "crit", "alert", "emerg", "emergency", "panic", "dpanic", "pnc", "f":
		return sevFatal
	}
	return unknown
}

// slogNumber is OpenTelemetry's number of a level between the four that slog has names for, which it prints with the
// distance to the one below: INFO+2, and DEBUG-4 for less than the lowest. slog's steps are OpenTelemetry's, so that
// DEBUG-4 is TRACE and ERROR+4 FATAL. 0 for anything else. https://pkg.go.dev/log/slog#Level
func slogNumber(word []byte) int64 {
	i := bytes.IndexAny(word, "+-")
	if i < 4 || i > 5 || len(word) > i+4 {
		return 0
	}
	known := severityOf(word[:i])
	if known < sevDebug || known > sevError || len(severities[known].name) != i {
		return 0
	}
	n, ok := parseUint(word[i+1:])
	if !ok {
		return 0
	}
	distance := int64(n)
	if word[i] == '-' {
		distance = -distance
	}
	return min(max(int64(severities[known].number)+distance, 1), 24)
}

// finerOf is how far OpenTelemetry's number for a level is above the first of its word: of the levels that have no word of
// their own here it says a little more. (OpenTelemetry, logs data model, appendix B)
func finerOf(v record.Value) byte {
	if n, ok := v.Int(); ok && n == 5 {
		return 1
	}
	text, _ := v.Text()
	text = trimLevel(text)
	if len(text) >= len("INFO+1") {
		if n := slogNumber(text); n > 0 {
			return byte(n-1) & 3
		}
	}
	switch len(text) {
	case 1:
		if text[0] == '5' {
			return 1
		}
	case 4:
		if equalFold(text, "fine") {
			return 1
		}
	case 6:
		if equalFold(text, "notice") {
			return 1
		}
		if equalFold(text, "config") {
			return 2
		}
	}
	return 0
}

// equalFold compares ASCII letters without their case. lower has nothing but small ones.
func equalFold(text []byte, lower string) bool {
	for i, c := range text {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// trimLevel cuts the spaces that fixed-width layouts put around a level.
func trimLevel(text []byte) []byte { return bytes.Trim(text, " \t") }

// upper turns the ASCII letters of text into upper case, in place.
func upper(text []byte) {
	for i, c := range text {
		if c-'a' < 26 {
			text[i] = c - ('a' - 'A')
		}
	}
}

// isUpper says that upper would change nothing.
func isUpper(text []byte) bool {
	for _, c := range text {
		if c-'a' < 26 {
			return false
		}
	}
	return true
}

// normalLevel is the normal form of a level, in the memory of text, which is lost.
func normalLevel(text []byte) []byte {
	text = trimLevel(text)
	if isBlank(text) {
		return text
	}
	if level := severityOf(text); level != unknown {
		return append(text[:0], severities[level].name...)
	}
	upper(text)
	return text
}

// statusOf is an HTTP status that is a number or the text of one, 0 for anything else.
func statusOf(v record.Value) int64 {
	if n, ok := v.Int(); ok {
		return n
	}
	text, _ := v.Text()
	if len(text) != 3 {
		return 0
	}
	n := int64(0)
	for _, c := range text {
		if c-'0' > 9 {
			return 0
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

// severityOfStatus is unknown for a number that is no HTTP status.
func severityOfStatus(status int64) severity {
	switch {
	case status < 100 || status > 999:
		return unknown
	case status >= 500:
		return sevError
	case status >= 400:
		return sevWarn
	}
	return sevInfo
}

// defaultLevel is the level that an attribute gives to records that have none.
type defaultLevel struct {
	raw      []byte // as msgpack; nil where there is none
	severity severity
}

// normaliseLevel writes the level in its normal form. A record without one gets that of its message, else what its
// status tells, else the attribute's. With on_conflict overwrite the attribute beats them all.
func (e *editor) normaliseLevel(body []byte) {
	h := e.lastOf(e.level)
	level, known := unknown, false
	e.finer = 0
	if d := &e.byTag.level; d.raw != nil && e.overwrite {
		if known = true; h == nil || string(h.of(body)) != string(d.raw) || e.fields[e.level].count > 1 {
			e.putLevel(h, d.raw)
		}
		level = d.severity
	} else if h != nil {
		level, known = e.ownLevel(h, h.of(body))
	}
	if !known && e.messages != nil {
		if v := e.levelOfMessage(body); v != nil {
			if level = e.severityOfValue(v); level != unknown {
				known = true
				e.finer = finerOf(v)
				e.putLevel(h, severities[level].raw)
				e.n.count[countLevelsFromMessage]++
			}
		}
	}
	if s := e.lastOf(e.status); s != nil && !known {
		if level = severityOfStatus(statusOf(s.of(body))); level != unknown {
			known = true
			e.putLevel(h, severities[level].raw)
			e.n.count[countLevelsFromStatus]++
		}
	}
	if d := &e.byTag.level; !known && h == nil && d.raw != nil {
		e.putLevel(nil, d.raw)
		level = d.severity
	}
	if level != unknown && e.severity != none {
		e.number(level, body)
	}
}

// severityOfValue is the level that a value is, in whatever form.
func (e *editor) severityOfValue(v record.Value) severity {
	if text, ok := v.Text(); ok {
		return severityOf(trimLevel(text))
	}
	if n, ok := v.Int(); ok {
		return severityOfNumber(n)
	}
	return unknown
}

// putLevel writes a level, in the place of the record's where it has a field for it.
func (e *editor) putLevel(h *hit, value []byte) {
	if h != nil {
		from := len(e.scratch)
		e.scratch = append(e.scratch, value...)
		e.only(e.level)
		e.replace(h, from)
		return
	}
	e.added = append(append(e.added, e.slots[e.level].raw...), value...)
	e.more++
	e.changed = true
}

// ownLevel writes the record's level in its normal form. has is false where the field says that there is none.
func (e *editor) ownLevel(h *hit, v record.Value) (level severity, has bool) {
	text, isText := v.Text()
	if !isText {
		if level = e.severityOfValue(v); level != unknown {
			e.finer = finerOf(v)
			e.replaceLevel(h, severities[level].raw)
		}
		return level, !blank(v)
	}
	level = severityOf(text)
	if level == unknown {
		trimmed := trimLevel(text)
		if level = severityOf(trimmed); level == unknown {
			switch {
			case isBlank(trimmed):
				return unknown, false
			case len(trimmed) == len(text) && isUpper(text):
				return unknown, true
			}
			from := len(e.scratch)
			e.scratch = msgp.AppendStringFromBytes(e.scratch, trimmed)
			upper(e.scratch[len(e.scratch)-len(trimmed):])
			e.n.count[countLevels]++
			e.replace(h, from)
			return unknown, true
		}
	}
	if s := &severities[level]; s.name != string(text) {
		e.finer = finerOf(v)
		e.replaceLevel(h, s.raw)
	}
	return level, true
}

func (e *editor) replaceLevel(h *hit, value []byte) {
	from := len(e.scratch)
	e.scratch = append(e.scratch, value...)
	e.n.count[countLevels]++
	e.replace(h, from)
}

// number writes OpenTelemetry's number for a level. A number that the record has stays where it is one of the four for
// that level, because it says more.
func (e *editor) number(level severity, body []byte) {
	first := severities[level].number
	h := e.lastOf(e.severity)
	if h == nil {
		e.added = append(append(e.added, e.slots[e.severity].raw...), first+e.finer)
		e.more++
		e.changed = true
		return
	}
	v := h.of(body)
	n, ok := v.Int()
	switch {
	case ok && n >= int64(first) && n < int64(first)+4:
	case e.overwrite || blank(v) || ok && n == 0: // 0 is UNSPECIFIED
		from := len(e.scratch)
		e.scratch = append(e.scratch, first+e.finer)
		e.replace(h, from)
	default:
		e.n.count[countConflicts]++
	}
}
