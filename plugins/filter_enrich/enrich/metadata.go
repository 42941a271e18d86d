package enrich

import (
	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// otlpNames are the members of the map otlp in an event's metadata from which out_opentelemetry takes the trace of a
// record: ids of 16 and 8 bytes, and a number. Flags it takes from nowhere else.
// (Fluent Bit, plugins/out_opentelemetry/opentelemetry_logs.c)
const (
	otlpMap   = "otlp"
	otlpTrace = "trace_id"
	otlpSpan  = "span_id"
	otlpFlags = "trace_flags"
)

// appendHead appends an event's head with the record's trace in its metadata. It is false, and nothing is appended, where
// the metadata name a trace already, or have no map for it.
func (e *editor) appendHead(dst, head, metadata []byte) ([]byte, bool) {
	var f record.Fields
	var old record.Value
	pairs, last := 0, -1
	for f.Reset(metadata); f.Next(); pairs++ {
		if key, ok := f.Key.Text(); ok && string(key) == otlpMap {
			old, last = f.Value, pairs
		}
	}
	if last >= 0 && old.Type() != record.Map {
		return dst, false
	}
	count := 0
	for f.Reset(old); f.Next(); count++ {
		if key, ok := f.Key.Text(); ok && string(key) == otlpTrace {
			return dst, false
		}
	}
	dst = append(dst, head[:len(head)-len(metadata)]...)
	if last < 0 {
		dst = chunk.AppendMapHeader(dst, pairs+1)
		_, size, _ := chunk.MapHeader(metadata)
		dst = append(dst, metadata[size:]...)
		return e.appendOTLP(msgp.AppendString(dst, otlpMap), nil, 0), true
	}
	dst = chunk.AppendMapHeader(dst, pairs)
	at := 0
	for f.Reset(metadata); f.Next(); at++ {
		dst = append(dst, f.Key...)
		if at == last {
			dst = e.appendOTLP(dst, old, count)
		} else {
			dst = append(dst, f.Value...)
		}
	}
	return dst, true
}

// appendOTLP appends the map otlp: its count members that are there already, without a span or flags, which belong to
// no trace, and then the record's.
func (e *editor) appendOTLP(dst []byte, old record.Value, count int) []byte {
	id := &e.context.id
	var f record.Fields
	for f.Reset(old); f.Next(); {
		if stray(f.Key) {
			count--
		}
	}
	count++
	if id.hasSpan {
		count++
	}
	if id.hasFlags {
		count++
	}
	dst = chunk.AppendMapHeader(dst, count)
	for f.Reset(old); f.Next(); {
		if !stray(f.Key) {
			dst = append(append(dst, f.Key...), f.Value...)
		}
	}
	var b [16]byte
	dst = msgp.AppendBytes(msgp.AppendString(dst, otlpTrace), unhex(b[:], id.trace[:]))
	if id.hasSpan {
		dst = msgp.AppendBytes(msgp.AppendString(dst, otlpSpan), unhex(b[:8], id.span[:]))
	}
	if id.hasFlags {
		dst = msgp.AppendUint64(msgp.AppendString(dst, otlpFlags), uintOf(id.flags[:]))
	}
	return dst
}

func stray(key record.Value) bool {
	text, ok := key.Text()
	return ok && (string(text) == otlpSpan || string(text) == otlpFlags)
}

// unhex fills dst from twice as many digits.
func unhex(dst, digits []byte) []byte {
	for i := range dst {
		dst[i] = byte(uintOf(digits[2*i : 2*i+2]))
	}
	return dst
}
