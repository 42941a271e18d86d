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

// severities are the words that are written, and the same as msgpack.
var severities = [...]struct {
	name string
	raw  []byte
}{
	sevTrace: {"TRACE", []byte("\xa5TRACE")},
	sevDebug: {"DEBUG", []byte("\xa5DEBUG")},
	sevInfo:  {"INFO", []byte("\xa4INFO")},
	sevWarn:  {"WARN", []byte("\xa4WARN")},
	sevError: {"ERROR", []byte("\xa5ERROR")},
	sevFatal: {"FATAL", []byte("\xa5FATAL")},
}

// longestLevel is the length of the longest word that severityOf knows.
const longestLevel = len("informational")

// severityOf is what a word in any case means. Loggers agree on nothing but the idea, so this is the union of their
// words: zap, slog, logrus and zerolog (also its three letters), log4j and java.util.logging, Python, .NET and Serilog,
// syslog, the one letter of klog. syslog's notice counts as INFO, its levels above error as FATAL.
func severityOf(word []byte) severity {
	if len(word) == 0 || len(word) > longestLevel {
		return unknown
	}
	var buf [longestLevel]byte
	lower := buf[:len(word)]
	for i, c := range word {
		if c < 'A' {
			return unknown
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

// normaliseLevel writes the level in its normal form, or one where there is none and the status tells it.
func (e *editor) normaliseLevel(body []byte) {
	h := e.lastOf(e.level)
	if h != nil {
		v := h.of(body)
		text, ok := v.Text()
		if ok && e.upperLevel(h, text) || !blank(v) {
			return
		}
	}
	s := e.lastOf(e.status)
	if s == nil {
		return
	}
	level := severityOfStatus(statusOf(s.of(body)))
	if level == unknown {
		return
	}
	e.n[countLevelsFromStatus]++
	if h != nil {
		from := len(e.scratch)
		e.scratch = append(e.scratch, severities[level].raw...)
		e.replace(h, from)
		return
	}
	e.added = append(e.added, e.slots[e.level].raw...)
	e.added = append(e.added, severities[level].raw...)
	e.more++
	e.changed, e.levelAdded = true, true
}

// upperLevel writes a level that is text in its normal form. It is false for text that says that there is none.
func (e *editor) upperLevel(h *hit, text []byte) bool {
	level := severityOf(text)
	if level == unknown {
		trimmed := trimLevel(text)
		if level = severityOf(trimmed); level == unknown {
			switch {
			case len(trimmed) == 0 || isBlank(trimmed):
				return false
			case len(trimmed) == len(text) && isUpper(text):
				return true
			}
			from := len(e.scratch)
			e.scratch = msgp.AppendStringFromBytes(e.scratch, trimmed)
			upper(e.scratch[len(e.scratch)-len(trimmed):])
			e.n[countLevels]++
			e.replace(h, from)
			return true
		}
	}
	if s := &severities[level]; s.name != string(text) {
		from := len(e.scratch)
		e.scratch = append(e.scratch, s.raw...)
		e.n[countLevels]++
		e.replace(h, from)
	}
	return true
}
