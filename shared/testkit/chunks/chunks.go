// Package chunks builds the bytes of Fluent Bit chunks for tests: records of both forms, group markers, times of every
// kind that senders write, and damage. What it builds is deterministic, so that results can be compared byte for byte.
package chunks

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

// Builder appends events to a chunk. The zero value builds the modern form; start with New or Old. Every method returns
// the Builder, so that a chunk reads as one expression:
//
//	chunks.New().Record("msg", "hello", "status", 200).Damage(0xc1).Record("msg", "there").Bytes()
type Builder struct {
	bytes []byte
	old   bool
	sec   int64
	nsec  uint32
}

// Start is the time of a Builder's first record, in seconds since 1970. Each record is one second and one nanosecond
// later than the one before.
const Start = 1700000000

// New returns a Builder of the modern form, [[time, metadata], body].
func New() *Builder { return &Builder{sec: Start} }

// Old returns a Builder of the form before Fluent Bit 2.1, [time, body].
func Old() *Builder { return &Builder{sec: Start, old: true} }

// Bytes returns the chunk. It is the Builder's own memory: appending to the Builder again may change it.
func (b *Builder) Bytes() []byte { return b.bytes }

// At sets the time of the next record; later ones go on from there.
func (b *Builder) At(sec int64, nsec uint32) *Builder {
	b.sec, b.nsec = sec, nsec
	return b
}

// Record appends a record with the body Map(pairs...) and empty metadata.
func (b *Builder) Record(pairs ...any) *Builder { return b.RecordWith(nil, pairs...) }

// RecordWith appends a record with metadata as well, a raw msgpack map such as Map makes. The old form has no place for
// it.
func (b *Builder) RecordWith(metadata []byte, pairs ...any) *Builder {
	b.bytes = chunk.AppendEvent(b.bytes, b.sec, b.nsec, metadata, Map(pairs...), !b.old)
	b.sec++
	b.nsec++
	return b
}

// RecordAs appends a record whose time is the given raw msgpack value, as old senders write it: an integer, a float,
// an ext 8. See Value.
func (b *Builder) RecordAs(time []byte, pairs ...any) *Builder {
	b.bytes = append(b.bytes, 0x92)
	if !b.old {
		b.bytes = append(b.bytes, 0x92)
	}
	b.bytes = append(b.bytes, time...)
	if !b.old {
		b.bytes = append(b.bytes, 0x80)
	}
	b.bytes = append(b.bytes, Map(pairs...)...)
	return b
}

// Ext8Time is a time in the longer of the two forms in which msgpack writes 8 bytes of ext type 0.
func Ext8Time(sec, nsec uint32) []byte {
	t := binary.BigEndian.AppendUint32([]byte{0xc7, 0x08, 0x00}, sec)
	return binary.BigEndian.AppendUint32(t, nsec)
}

// Group appends the marker that opens a group, with metadata and body as raw msgpack maps; nil for empty ones.
func (b *Builder) Group(metadata, body []byte) *Builder {
	b.bytes = chunk.AppendGroupStart(b.bytes, metadata, body)
	return b
}

// EndGroup appends the marker that closes a group.
func (b *Builder) EndGroup() *Builder {
	b.bytes = chunk.AppendGroupEnd(b.bytes)
	return b
}

// Damage appends bytes as they are.
func (b *Builder) Damage(raw ...byte) *Builder {
	b.bytes = append(b.bytes, raw...)
	return b
}

// Cut takes the last n bytes off again, as a host that dies while it writes does.
func (b *Builder) Cut(n int) *Builder {
	b.bytes = b.bytes[:len(b.bytes)-n]
	return b
}

// Pairs is a map with its members in the order given: key, value, key, value. Keys are values of any kind.
type Pairs []any

// Map returns a raw msgpack map of key, value, key, value.
func Map(pairs ...any) []byte { return Value(Pairs(pairs)) }

// Value returns one raw msgpack value: nil, bool, int, int64, uint64, float32, float64, string, []byte (bin), []any
// (array), Pairs (map), msgp.RawExtension, or msgp.Raw, which is taken as it is. It panics on anything else.
func Value(v any) []byte { return appendValue(nil, v) }

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return msgp.AppendNil(b)
	case bool:
		return msgp.AppendBool(b, v)
	case int:
		return msgp.AppendInt(b, v)
	case int64:
		return msgp.AppendInt64(b, v)
	case uint64:
		return msgp.AppendUint64(b, v)
	case float32:
		return msgp.AppendFloat32(b, v)
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(v))
	case string:
		return msgp.AppendString(b, v)
	case []byte:
		return msgp.AppendBytes(b, v)
	case []any:
		b = msgp.AppendArrayHeader(b, uint32(len(v)))
		for _, e := range v {
			b = appendValue(b, e)
		}
		return b
	case Pairs:
		if len(v)%2 != 0 {
			panic("chunks: a key without a value")
		}
		b = msgp.AppendMapHeader(b, uint32(len(v)/2))
		for _, e := range v {
			b = appendValue(b, e)
		}
		return b
	case msgp.Raw:
		return append(b, v...)
	case *msgp.RawExtension:
		out, err := msgp.AppendExtension(b, v)
		if err != nil {
			panic(err)
		}
		return out
	}
	panic(fmt.Sprintf("chunks: no msgpack for %T", v))
}
