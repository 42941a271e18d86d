package enrich

import "flbgo/shared/record"

// traceNames are the fields that a traceparent is taken apart into, in the order in which they are added. They are
// those of OpenTelemetry's log data model for formats other than OTLP.
var traceNames = [3]string{"trace_id", "span_id", "trace_flags"}

// The layout of a W3C traceparent: version "-" trace-id "-" parent-id "-" trace-flags, all lower-case hexadecimal.
const (
	traceIDFrom, traceIDTo = 3, 35
	spanIDFrom, spanIDTo   = 36, 52
	flagsFrom, flagsTo     = 53, 55
	traceparentLen         = flagsTo
)

// validTraceparent follows the W3C recommendation "Trace Context", section 3.2. Version ff is invalid and so are ids of
// zeros only; version 00 has exactly 55 characters; of a later version only the start is understood, and what follows
// there stands behind another hyphen. Upper-case digits are invalid.
func validTraceparent(s []byte) bool {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	if s[0] == '0' && s[1] == '0' {
		if len(s) != traceparentLen {
			return false
		}
	} else if !lowerHex(s[:2]) || s[0] == 'f' && s[1] == 'f' || len(s) > traceparentLen && s[traceparentLen] != '-' {
		return false
	}
	id, span := s[traceIDFrom:traceIDTo], s[spanIDFrom:spanIDTo]
	return lowerHex(id) && lowerHex(span) && lowerHex(s[flagsFrom:flagsTo]) && !zeros(id) && !zeros(span)
}

// hexDigit marks 0-9 and a-f.
var hexDigit = func() (t [256]uint8) {
	for _, c := range "0123456789abcdef" {
		t[c] = 1
	}
	return t
}()

func lowerHex(s []byte) bool {
	all := uint8(1)
	for _, c := range s {
		all &= hexDigit[c]
	}
	return all != 0
}

func zeros(s []byte) bool {
	for _, c := range s {
		if c != '0' {
			return false
		}
	}
	return true
}

// noID says that a value stands for the absence of an id: loggers write nil, empty text, 0, zeros, -, N/A or null where
// there is no trace.
func noID(v record.Value) bool {
	if n, ok := v.Int(); ok {
		return n == 0
	}
	text, ok := v.Text()
	return ok && zeros(text) || blank(v)
}

// blank says that a value stands for none at all: nil, empty text, -, N/A or null.
func blank(v record.Value) bool {
	text, ok := v.Text()
	return ok && isBlank(text) || v.Type() == record.Nil
}

func isBlank(text []byte) bool {
	switch string(text) {
	case "", "-", "N/A", "n/a", "null":
		return true
	}
	return false
}
