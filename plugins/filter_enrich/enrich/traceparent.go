package enrich

import (
	"encoding/binary"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

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

// traceFields are the three fields as msgpack, with room for the values at the places below.
const (
	traceFields = "\xa8trace_id\xd9\x20" + "................................" +
		"\xa7span_id\xb0" + "................" + "\xabtrace_flags\xa2" + ".."
	traceIDAt = 11
	spanIDAt  = traceIDAt + 32 + 9
	flagsAt   = spanIDAt + 16 + 13
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
	} else if s[0] == 'f' && s[1] == 'f' || len(s) > traceparentLen && s[traceparentLen] != '-' {
		return false
	}
	id1, id2 := word(s, traceIDFrom), word(s, traceIDFrom+8)
	id3, id4 := word(s, traceIDFrom+16), word(s, traceIDFrom+24)
	span1, span2 := word(s, spanIDFrom), word(s, spanIDFrom+8)
	// The version and the flags, filled up with digits.
	rest := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[flagsFrom])<<16 | uint64(s[flagsFrom+1])<<24 | 0x30303030<<32
	const zero = 0x3030303030303030
	return hexWord(id1) && hexWord(id2) && hexWord(id3) && hexWord(id4) && hexWord(span1) && hexWord(span2) && hexWord(rest) &&
		(id1 != zero || id2 != zero || id3 != zero || id4 != zero) && (span1 != zero || span2 != zero)
}

func word(s []byte, at int) uint64 { return binary.LittleEndian.Uint64(s[at:]) }

// hexWord says that all eight bytes of a word are 0-9 or a-f. Each byte is held against the four limits at once: with
// the high bits out of the way an addition carries into a byte's own high bit exactly from the limit on.
func hexWord(w uint64) bool {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	from0 := w + (0x80-'0')*each
	past9 := w + (0x80-'9'-1)*each
	fromA := w + (0x80-'a')*each
	pastF := w + (0x80-'f'-1)*each
	return w&high == 0 && (from0&^past9|fromA&^pastF)&high == high
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

func zeros(s []byte) bool {
	for _, c := range s {
		if c != '0' {
			return false
		}
	}
	return true
}

// trace makes the ids from the traceparent.
func (e *editor) trace(body []byte) {
	var v record.Value
	h := e.lastOf(e.traceparent)
	if h != nil {
		v = h.of(body)
	} else if e.nested != nil {
		v, _ = e.nested.Find(body)
	}
	if v == nil {
		return
	}
	if e.seen&roleTraceID != 0 {
		if id := e.lastOf(e.traceIDs[0]); id != nil && !noID(id.of(body)) {
			e.n[countTraceExplicit]++
			return
		}
	}
	text, _ := v.Text()
	if !validTraceparent(text) {
		if blank(v) {
			e.n[countTraceAbsent]++
		} else {
			e.n[countTraceInvalid]++
		}
		return
	}
	e.n[countTraceFound]++
	if e.seen&roleTraceID == 0 {
		from := len(e.added)
		e.added = append(e.added, traceFields...)
		added := e.added[from:]
		copy(added[traceIDAt:], text[traceIDFrom:traceIDTo])
		copy(added[spanIDAt:], text[spanIDFrom:spanIDTo])
		copy(added[flagsAt:], text[flagsFrom:flagsTo])
		e.more += len(traceNames)
		e.changed = true
	} else {
		e.setID(0, body, text[traceIDFrom:traceIDTo])
		e.setID(1, body, text[spanIDFrom:spanIDTo])
		e.setID(2, body, text[flagsFrom:flagsTo])
	}
	if h != nil && !e.keepTrace {
		e.drop(e.traceparent)
	}
}

// setID writes one of the three fields, unless the record has its own.
func (e *editor) setID(i int, body, text []byte) {
	slot := e.traceIDs[i]
	h := e.lastOf(slot)
	if h == nil {
		e.added = append(e.added, e.slots[slot].raw...)
		e.added = msgp.AppendStringFromBytes(e.added, text)
		e.more++
		e.changed = true
		return
	}
	if old := h.of(body); blank(old) || i < 2 && noID(old) {
		from := len(e.scratch)
		e.scratch = msgp.AppendStringFromBytes(e.scratch, text)
		e.replace(h, from)
	}
}
