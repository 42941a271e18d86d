package enrich

import (
	"bytes"

	"flbgo/shared/record"
)

// The levels that known words become.
const (
	levelTrace = "TRACE"
	levelDebug = "DEBUG"
	levelInfo  = "INFO"
	levelWarn  = "WARN"
	levelError = "ERROR"
	levelFatal = "FATAL"
)

// longestLevel is the length of the longest word in levelOf.
const longestLevel = len("informational")

// levelOf is the level that a word in any case means, "" for a word that is not known. Loggers agree on nothing but
// the idea, so this is the union of their words: zap, slog, logrus and zerolog (also its three letters), log4j and
// java.util.logging, Python, .NET and Serilog, syslog, the one letter of klog. Where OpenTelemetry's table of severities
// has a word, its coarse level is taken; syslog's three levels above error are one here.
func levelOf(word []byte) string {
	if len(word) == 0 || len(word) > longestLevel {
		return ""
	}
	var buf [longestLevel]byte
	lower := buf[:len(word)]
	for i, c := range word {
		lower[i] = c | 0x20 // letters to lower case; what else this makes equal to a letter is no part of any word
		if c < 'A' {
			return ""
		}
	}
	switch string(lower) { // compiles to a search by length and text, without an allocation
	case "info", "information", "informational", "notice", "inf", "i":
		return levelInfo
	case "error", "err", "severe", "e":
		return levelError
	case "warn", "warning", "wrn", "w":
		return levelWarn
	case "debug", "dbg", "fine", "finer", "config", "d":
		return levelDebug
	case "trace", "trc", "finest", "verbose", "vrb", "t":
		return levelTrace
	case "fatal", "ftl", "critical", "crit", "alert", "emerg", "emergency", "panic", "dpanic", "pnc", "f":
		return levelFatal
	}
	return ""
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
	if level := levelOf(text); level != "" {
		return append(text[:0], level...)
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

// levelOfStatus is the level of an HTTP status, "" for a number that is none.
func levelOfStatus(status int64) string {
	switch {
	case status < 100 || status > 999:
		return ""
	case status >= 500:
		return levelError
	case status >= 400:
		return levelWarn
	}
	return levelInfo
}
