package batch

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// format is what the value of a message is.
type format uint8

const (
	formatJSON format = iota
	formatMsgpack
	formatRaw
)

var formats = map[string]format{"json": formatJSON, "msgpack": formatMsgpack, "raw": formatRaw}

// Members that include_metadata writes, behind the record's.
const (
	metadataKey = "event_metadata"
	groupKey    = "event_group"
)

// members are the constant parts of a value, in its format.
type members struct {
	timestamp []byte // the key, in JSON with a comma before it and a colon behind it
	tag       []byte
	metadata  []byte
	group     []byte
	id        []byte // nil where the value has none
}

func newMembers(c *payload) members {
	key := func(name string) []byte {
		b := msgp.AppendString(nil, name)
		if c.format == formatMsgpack {
			return b
		}
		return append(record.AppendJSON([]byte{','}, b), ':')
	}
	m := members{timestamp: key(c.timestampKey), tag: key(c.tagKey), metadata: key(metadataKey), group: key(groupKey)}
	if c.idKey != "" {
		m.id = key(c.idKey)
	}
	return m
}

// appendValue appends the value of the event that the reader stands on, and has s.fields find what else is read of it.
// ok is false where the event has turned out to be damaged.
func (e *encoder) appendValue(s *scratch, text []byte, sec int64, nsec uint32) (out []byte, ok bool) {
	switch e.cfg.format {
	case formatMsgpack:
		return e.appendMsgpack(s, text, sec, nsec), true
	case formatRaw:
		s.fields.Reset(s.reader.Body)
		if v, ok := s.fields.Value(e.rawField); ok && v.Type() != record.Nil {
			return v.AppendText(text), true
		}
		s.counts.rawMissing++
	}
	return e.appendJSON(s, text, sec, nsec)
}

// appendJSON appends one JSON object: the time, the tag, the record's fields in their order, metadata. It closes a record
// that the reader has opened.
func (e *encoder) appendJSON(s *scratch, text []byte, sec int64, nsec uint32) (out []byte, ok bool) {
	start := len(text)
	if e.cfg.timestamp != timestampOff {
		text = s.clock.append(append(text, e.members.timestamp...), e.cfg.timestamp, sec, nsec)
	}
	if e.cfg.tagKey != "" {
		text = append(append(text, e.members.tag...), s.tag...)
	}
	metadata, group := e.metadata(s)
	if s.reader.Raw != nil {
		text = s.fields.AppendJSONFields(text, s.reader.Body, false)
	} else {
		var size int
		if text, size = s.fields.AppendJSONOpen(text, s.reader.Body); size < 0 {
			return text, false
		}
		s.reader.Close(size)
	}
	if metadata != nil {
		text = record.AppendJSON(append(text, e.members.metadata...), metadata)
	}
	if group != nil {
		text = s.appendGroup(append(text, e.members.group...), group)
	}
	if e.members.id != nil {
		text = e.appendIDMember(s, append(text, e.members.id...), sec, nsec)
	}
	if len(text) == start {
		return append(text, '{', '}'), true
	}
	text[start] = '{' // over the first member's comma
	return append(text, '}'), true
}

// metadata is what include_metadata writes of this event, nil for nothing. A field of the record gives way to a member
// of that name only where there is one.
func (e *encoder) metadata(s *scratch) (metadata, group []byte) {
	if !e.cfg.metadata {
		return nil, nil
	}
	r := &s.reader
	if n, _, _ := chunk.MapHeader(r.Metadata); n > 0 {
		metadata = r.Metadata
	}
	if n, _, _ := chunk.MapHeader(r.GroupBody); n > 0 && r.Modern {
		group = r.GroupBody
	}
	s.fields.Omit(metadataKey, metadata != nil || slices.Contains(e.cfg.exclude, metadataKey))
	s.fields.Omit(groupKey, group != nil || slices.Contains(e.cfg.exclude, groupKey))
	return metadata, group
}

// appendGroup appends the JSON of a group's attributes, which it keeps: all records of a group have them.
func (s *scratch) appendGroup(text, group []byte) []byte {
	if p := unsafe.SliceData(group); s.group != p || s.groupText.to == s.groupText.from {
		at := len(text)
		text = record.AppendJSON(text, group)
		s.group, s.groupText = p, span{at, len(text)}
		return text
	}
	return append(text, s.groupText.of(text)...)
}

// appendMsgpack appends the same as a msgpack map. Values are copied as they are, duplicate keys of the record too.
func (e *encoder) appendMsgpack(s *scratch, text []byte, sec int64, nsec uint32) []byte {
	const room = 5 // the head of the largest map
	start := len(text)
	text = append(text, "     "[:room]...)
	n := 0
	if e.cfg.timestamp != timestampOff {
		text = s.clock.appendMsgpack(append(text, e.members.timestamp...), e.cfg.timestamp, sec, nsec)
		n++
	}
	if e.cfg.tagKey != "" {
		text = append(append(text, e.members.tag...), s.tag...)
		n++
	}
	metadata, group := e.metadata(s)
	text, fields := s.fields.AppendFields(text, s.reader.Body)
	n += fields
	if metadata != nil {
		text = append(append(text, e.members.metadata...), metadata...)
		n++
	}
	if group != nil {
		text = append(append(text, e.members.group...), group...)
		n++
	}
	var head [room]byte
	h := copy(text[start:], chunk.AppendMapHeader(head[:0], n))
	return append(text[:start+h], text[start+room:]...)
}

// appendMsgpack is append for msgpack: a float, a string or an integer.
func (c *clock) appendMsgpack(dst []byte, f timestampFormat, sec int64, nsec uint32) []byte {
	switch f {
	case timestampDouble:
		dst = append(dst, 0xcb)
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(sec)+float64(nsec)/1e9))
	case timestampMillis:
		return msgp.AppendInt64(dst, sec*1000+int64(nsec/1e6))
	}
	at := len(dst)
	dst = c.appendISO(append(dst, 0xa0), f, sec, nsec) // at most 30 characters
	dst[at] |= byte(len(dst) - at - 1)
	return dst
}
