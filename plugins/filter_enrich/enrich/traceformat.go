package enrich

import "bytes"

// Formats that have everything in one text. Each reads it into id, and answers absent for a form that carries no trace.

// The layout of a W3C traceparent: version "-" trace-id "-" parent-id "-" trace-flags, all lower-case hexadecimal.
const (
	traceIDFrom, traceIDTo = 3, 35
	spanIDFrom, spanIDTo   = 36, 52
	flagsFrom, flagsTo     = 53, 55
	traceparentLen         = flagsTo
)

// readTraceparent follows the W3C recommendation "Trace Context", section 3.2. Version ff is invalid and so are ids of
// zeros only; version 00 has exactly 55 characters; of a later version only the start is understood, and what follows
// there stands behind another hyphen. Upper-case digits are invalid. The span is that of the caller.
func readTraceparent(s []byte, id *ids) outcome {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return invalid
	}
	if s[0] == '0' && s[1] == '0' {
		if len(s) != traceparentLen {
			return invalid
		}
	} else if s[0] == 'f' && s[1] == 'f' || len(s) > traceparentLen && s[traceparentLen] != '-' {
		return invalid
	}
	id1, id2 := word(s, traceIDFrom), word(s, traceIDFrom+8)
	id3, id4 := word(s, traceIDFrom+16), word(s, traceIDFrom+24)
	span1, span2 := word(s, spanIDFrom), word(s, spanIDFrom+8)
	// The version and the flags, filled up with digits.
	rest := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[flagsFrom])<<16 | uint64(s[flagsFrom+1])<<24 | 0x30303030<<32
	const zero = 0x3030303030303030
	if !(hexWord(id1) && hexWord(id2) && hexWord(id3) && hexWord(id4) && hexWord(span1) && hexWord(span2) && hexWord(rest) &&
		(id1 != zero || id2 != zero || id3 != zero || id4 != zero) && (span1 != zero || span2 != zero)) {
		return invalid
	}
	copy(id.trace[:], s[traceIDFrom:traceIDTo])
	copy(id.span[:], s[spanIDFrom:spanIDTo])
	copy(id.flags[:], s[flagsFrom:flagsTo])
	id.hasTrace, id.hasSpan, id.hasFlags = true, true, true
	return converted
}

// readB3 reads the single header: trace-span[-sampled[-parent]]. A sampling decision alone carries no ids.
// https://github.com/openzipkin/b3-propagation#single-header
func readB3(s []byte, id *ids) outcome {
	if len(s) == 1 {
		if s[0] == '0' || s[0] == '1' || s[0] == 'd' {
			return absent
		}
		return invalid
	}
	trace, rest, ok := bytes.Cut(s, []byte("-"))
	span, rest, more := bytes.Cut(rest, []byte("-"))
	if !ok || len(trace) != 32 && len(trace) != 16 || len(span) != 16 {
		return invalid
	}
	if what := id.read(trace, span, paddedHex); what != converted {
		return what
	}
	if more {
		sampled, parent, _ := bytes.Cut(rest, []byte("-"))
		if len(sampled) == 1 {
			id.hasFlags = readFlags(&raw{kind: rawText, text: sampled}, &id.flags)
		}
		if !id.hasFlags && (len(sampled) != 16 || len(parent) > 0) {
			return invalid
		}
	}
	return converted
}

// read takes a trace id and a span id that must both be there.
func (id *ids) read(trace, span []byte, how digits) outcome {
	if what := readText(trace, how, id.trace[:]); what != converted {
		return what
	}
	if readText(span, how, id.span[:]) != converted {
		return invalid
	}
	id.hasTrace, id.hasSpan = true, true
	return converted
}

// readXRay reads Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1, or the root alone.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func readXRay(s []byte, id *ids) outcome {
	if isRoot(s) {
		return id.readRoot(s)
	}
	what := invalid
	for len(s) > 0 {
		var field []byte
		field, s, _ = bytes.Cut(s, []byte(";"))
		key, value, _ := bytes.Cut(bytes.TrimSpace(field), []byte("="))
		switch string(key) {
		case "Root":
			if what = id.readRoot(value); what != converted {
				return what
			}
		case "Parent":
			switch readText(value, exactHex, id.span[:]) {
			case converted:
				id.hasSpan = true
			case invalid:
				return invalid
			}
		case "Sampled":
			id.hasFlags = readFlags(&raw{kind: rawText, text: value}, &id.flags)
		}
	}
	return what
}

func isRoot(s []byte) bool { return len(s) == 35 && s[0] == '1' && s[1] == '-' && s[10] == '-' }

func (id *ids) readRoot(s []byte) outcome {
	if !isRoot(s) {
		return invalid
	}
	var hex [32]byte
	copy(hex[copy(hex[:], s[2:10]):], s[11:])
	what := readText(hex[:], exactHex, id.trace[:])
	id.hasTrace = what == converted
	return what
}

// readCloudTrace reads Google's header: trace/span;o=1, the span a decimal number. The span and the option may be
// missing. https://cloud.google.com/trace/docs/trace-context
func readCloudTrace(s []byte, id *ids) outcome {
	s, options, _ := bytes.Cut(s, []byte(";"))
	trace, span, _ := bytes.Cut(s, []byte("/"))
	if what := readText(trace, exactHex, id.trace[:]); what != converted {
		return what
	}
	id.hasTrace = true
	if len(span) > 0 {
		n, ok := parseUint(span)
		if !ok {
			return invalid
		}
		putUint(id.span[:], n)
		id.hasSpan = n != 0
	}
	if value, ok := bytes.CutPrefix(options, []byte("o=")); ok {
		id.hasFlags = readFlags(&raw{kind: rawText, text: value}, &id.flags)
	}
	return converted
}

// readJaeger reads trace:span:parent:flags, ids of any length, colons also percent-encoded as in cookies and queries.
// https://www.jaegertracing.io/sdk-migration/#propagation-format
func readJaeger(s []byte, id *ids) outcome {
	colon := []byte(":")
	if !bytes.Contains(s, colon) {
		colon = []byte("%3A")
	}
	trace, rest, _ := bytes.Cut(s, colon)
	span, rest, _ := bytes.Cut(rest, colon)
	_, flags, ok := bytes.Cut(rest, colon)
	if !ok || len(trace) == 0 || len(span) == 0 || len(flags) == 0 || len(flags) > 2 {
		return invalid
	}
	var last [2]byte
	if !lowerHex(last[:len(flags)], flags) {
		return invalid
	}
	if what := id.read(trace, span, paddedHex); what != converted {
		return what
	}
	sampled := uintOf(last[:len(flags)]) & 1
	id.flags, id.hasFlags = [2]byte{'0', byte('0' + sampled)}, true
	return converted
}

// readSentry reads trace-span[-sampled]. https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace
func readSentry(s []byte, id *ids) outcome {
	trace, rest, _ := bytes.Cut(s, []byte("-"))
	span, sampled, more := bytes.Cut(rest, []byte("-"))
	if len(trace) != 32 || len(span) != 16 {
		return invalid
	}
	what := id.read(trace, span, exactHex)
	if what == converted && more {
		id.hasFlags = readFlags(&raw{kind: rawText, text: sampled}, &id.flags)
	}
	return what
}

// readWhole reads a text of a format that has everything in one.
func readWhole(f format, s []byte, id *ids) outcome {
	switch f {
	case formatW3C:
		return readTraceparent(s, id)
	case formatB3:
		return readB3(s, id)
	case formatXRay:
		return readXRay(s, id)
	case formatGCP:
		return readCloudTrace(s, id)
	case formatJaeger:
		return readJaeger(s, id)
	case formatSentry:
		return readSentry(s, id)
	}
	return invalid
}
