package batch

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

// Headers of a message, in this order: record_id, event_time, traceparent, those of headers, of header_fields, of
// headers_key. As they stand in a record of a batch: a varint of their number, then for each one the length of its key as
// a varint, its key, the length of its value, its value. Kafka allows a key more than once.
const (
	recordIDName    = "record_id"
	eventTimeName   = "event_time"
	traceParentName = "traceparent"

	// recordIDHeader is a count of one header, its key, and the length of its value.
	recordIDHeader = "\x02" + recordIDKey + "\x40"
	recordIDKey    = "\x12" + recordIDName
	eventTimeKey   = "\x14" + eventTimeName
	// traceParentHeader is its key and the length of its value.
	traceParentHeader = "\x16" + traceParentName + "\x6e"
)

const (
	// maxFieldHeaders and maxFieldHeaderBytes bound what one record brings by header_fields and headers_key: batches that
	// consist of headers help nobody, and consumers have bounds of their own.
	maxFieldHeaders     = 1000
	maxFieldHeaderBytes = 64 << 10
	// The same for the option headers, checked at the start.
	maxStaticHeaders     = 100
	maxStaticHeaderBytes = 16 << 10
	// maxIDText is how long the value of a field may be that is the record id.
	maxIDText = 256
)

// headerPlan is the constant part of headers.
type headerPlan struct {
	only   bool // record_id of our own is the only header, unless the time is outside the window
	any    bool
	static []byte // headers, without their number
	count  int    // of static
	fields []fieldHeader
	key    int // number of the field with a map of headers, -1 for none
	id     int // number of the field that is the record id, -1 for none

	traceID, spanID, traceFlags int // numbers of the fields
}

// fieldHeader is a header whose value is a field.
type fieldHeader struct {
	key   []byte // with its length
	field int
}

// appendHeaders appends the block of the event that s.fields was reset to; its span is empty where there is none. late
// says that the Kafka timestamp is not the event's.
func (e *encoder) appendHeaders(s *scratch, text []byte, sec int64, nsec uint32, late bool) (out []byte, block span) {
	p := &e.headers
	at := len(text)
	if p.only && !late && e.members.id == nil {
		text = append(text, recordIDHeader...)
		text = e.appendID(s, text, sec, nsec)
		return text, span{at, len(text)}
	}
	// The number is written when it is known, into one byte or two.
	text = append(text, 0, 0)
	n := p.count
	if e.cfg.recordID {
		text = e.appendIDHeader(s, text, sec, nsec)
		n++
	}
	if late {
		text = append(append(text, eventTimeKey...), 2*eventTimeLen)
		text = s.clock.appendISO(text, timestampISONano, sec, nsec)
		n++
	}
	if e.cfg.trace {
		var ok bool
		if text, ok = e.appendTraceParent(s, text); ok {
			n++
		}
	}
	text = append(text, p.static...)
	if len(p.fields) > 0 || p.key >= 0 {
		var more int
		text, more = e.appendFieldHeaders(s, text)
		n += more
	}
	switch {
	case n == 0:
		return text[:at], span{}
	case n < 64:
		text[at+1] = byte(n << 1)
		return text, span{at + 1, len(text)}
	}
	text[at], text[at+1] = byte(n<<1)|0x80, byte(n>>6) // at most 8191
	return text, span{at, len(text)}
}

// appendIDHeader appends record_id from the field that was named, or of our own where the record does not have it.
func (e *encoder) appendIDHeader(s *scratch, text []byte, sec int64, nsec uint32) []byte {
	text = append(text, recordIDKey...)
	if e.members.id != nil { // the value has it
		return append(binary.AppendVarint(text, int64(len(s.idText))), s.idText...)
	}
	if e.headers.id >= 0 {
		if v, ok := s.fields.Value(e.headers.id); ok {
			if s.name = v.AppendText(s.name[:0]); 0 < len(s.name) && len(s.name) <= maxIDText {
				return append(binary.AppendVarint(text, int64(len(s.name))), s.name...)
			}
		}
		s.counts.idMissing++
	}
	return e.appendID(s, append(text, 2*idTextLen), sec, nsec)
}

// appendIDMember appends the same as a string of JSON, and keeps it for the header: an id of our own counts equal records.
func (e *encoder) appendIDMember(s *scratch, text []byte, sec int64, nsec uint32) []byte {
	if e.headers.id >= 0 {
		if v, ok := s.fields.Value(e.headers.id); ok {
			if s.idText = v.AppendText(s.idText[:0]); 0 < len(s.idText) && len(s.idText) <= maxIDText {
				s.name = msgp.AppendStringFromBytes(s.name[:0], s.idText)
				return record.AppendJSON(text, s.name)
			}
		}
		s.counts.idMissing++
	}
	s.idText = e.appendID(s, s.idText[:0], sec, nsec)
	return append(append(append(text, '"'), s.idText...), '"')
}

func (e *encoder) appendID(s *scratch, text []byte, sec int64, nsec uint32) []byte {
	path, _ := s.fields.Value(e.pathField)
	offset, _ := s.fields.Value(e.offsetField)
	return s.ids.append(text, sec, nsec, s.reader.Body, path, offset, s.fields, e.ignoredField)
}

// appendFieldHeaders appends what header_fields and headers_key bring, and tells how many these are. A field that is nil
// is no header. What goes over the bounds is left out and counted.
func (e *encoder) appendFieldHeaders(s *scratch, text []byte) (out []byte, n int) {
	start := len(text)
	add := func(key []byte, value record.Value) {
		if value.Type() == record.Nil {
			return
		}
		content, ok := value.Text()
		if !ok {
			s.name = value.AppendText(s.name[:0])
			content = s.name
		}
		if n == maxFieldHeaders || len(text)-start+len(key)+len(content) > maxFieldHeaderBytes {
			s.counts.headersLeftOut++
			return
		}
		text = append(binary.AppendVarint(append(text, key...), int64(len(content))), content...)
		n++
	}
	for i := range e.headers.fields {
		if v, ok := s.fields.Value(e.headers.fields[i].field); ok {
			add(e.headers.fields[i].key, v)
		}
	}
	if e.headers.key < 0 {
		return text, n
	}
	v, ok := s.fields.Value(e.headers.key)
	if !ok || v.Type() == record.Nil {
		return text, n
	}
	if v.Type() != record.Map {
		s.counts.headersNoMap++
		return text, n
	}
	for s.walk.Reset(v); s.walk.Next(); {
		key, ok := s.walk.Key.Text()
		if !ok {
			s.headerKey = s.walk.Key.AppendText(s.headerKey[:0])
			key = s.headerKey
		}
		s.headerName = append(binary.AppendVarint(s.headerName[:0], int64(len(key))), key...)
		add(s.headerName, s.walk.Value)
	}
	s.walk.Reset(nil)
	return text, n
}

// appendTraceParent appends the header where the record has valid ids: version 00 of the W3C's Trace Context. Flags that
// are missing or none say nothing about sampling, so that they are 00.
func (e *encoder) appendTraceParent(s *scratch, text []byte) (out []byte, ok bool) {
	trace, _ := s.fields.Value(e.headers.traceID)
	span, _ := s.fields.Value(e.headers.spanID)
	flags, _ := s.fields.Value(e.headers.traceFlags)
	at := len(text)
	text = append(append(text, traceParentHeader...), "00-"...)
	if text, ok = appendHexID(text, trace, 16); !ok {
		return text[:at], false
	}
	if text, ok = appendHexID(append(text, '-'), span, 8); !ok {
		return text[:at], false
	}
	return appendFlags(append(text, '-'), flags), true
}

// appendHexID appends an id of n bytes as lower case hex, from hex or from binary data of that length. ok is false for
// anything else and for all zeros, which is no id.
func appendHexID(dst []byte, v record.Value, n int) (out []byte, ok bool) {
	id, isText := v.Text()
	at := len(dst)
	switch {
	case isText && v.Type() == record.String && len(id) == 2*n:
		for _, c := range id {
			if 'A' <= c && c <= 'F' {
				c += 'a' - 'A'
			}
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return dst, false
			}
			dst = append(dst, c)
		}
	case isText && v.Type() == record.Binary && len(id) == n:
		dst = hex.AppendEncode(dst, id)
	default:
		return dst, false
	}
	for _, c := range dst[at:] {
		if c != '0' {
			return dst, true
		}
	}
	return dst, false
}

// appendFlags appends the two hex digits: of text that is these, of an integer below 256, of a boolean that says sampled.
func appendFlags(dst []byte, v record.Value) []byte {
	const digits = "0123456789abcdef"
	n := uint64(0)
	if text, ok := v.Text(); ok {
		var b [1]byte
		if len(text) == 2 {
			if _, err := hex.Decode(b[:], text); err == nil {
				n = uint64(b[0])
			}
		}
	} else if sampled, ok := v.Bool(); ok && sampled {
		n = 1
	} else if i, ok := v.Uint(); ok && i < 256 {
		n = i
	}
	return append(dst, digits[n>>4], digits[n&15])
}

// newHeaderPlan puts the constant part together. number gives a field its number.
func newHeaderPlan(c *payload, number func(record.Path) int) headerPlan {
	p := headerPlan{
		key: number(c.headersKey), id: number(c.idField), count: len(c.headers),
		traceID: -1, spanID: -1, traceFlags: -1,
	}
	name := func(s string) []byte { return append(binary.AppendVarint(nil, int64(len(s))), s...) }
	for _, h := range c.headers {
		p.static = append(append(p.static, name(h.Key)...), name(h.Value)...)
	}
	for _, h := range c.headerFields {
		p.fields = append(p.fields, fieldHeader{name(h.name), number(h.path)})
	}
	if c.trace {
		p.traceID, p.spanID, p.traceFlags = number(traceIDField), number(spanIDField), number(traceFlagsField)
	}
	more := len(p.static) > 0 || len(p.fields) > 0 || p.key >= 0 || c.trace
	p.only = c.recordID && p.id < 0 && !more
	p.any = c.recordID || more
	return p
}

// The fields that enrich writes trace context to.
var traceIDField, spanIDField, traceFlagsField = mustPath("trace_id"), mustPath("span_id"), mustPath("trace_flags")

func mustPath(s string) record.Path {
	p, err := record.ParsePath(s)
	if err != nil {
		panic(err)
	}
	return p
}

// withEventTime returns a record's tail (key, value and headers as they stand in a batch) with the header event_time for
// a record whose time a broker refused. ms is the time that it had. A record that has the header already keeps it: that
// one is exact.
func withEventTime(tail []byte, ms int64) ([]byte, bool) {
	at := 0
	for range 2 { // key and value
		n, size := binary.Varint(tail[at:])
		if size <= 0 || n > int64(len(tail)-at-size) {
			return tail, false
		}
		at += size + int(max(n, 0))
	}
	count, size := binary.Varint(tail[at:])
	if size <= 0 || count < 0 {
		return tail, false
	}
	rest := tail[at+size:]
	for range count {
		n, k := binary.Varint(rest)
		if k <= 0 || n < 0 || n > int64(len(rest)-k) {
			return tail, false
		}
		if string(rest[k:k+int(n)]) == eventTimeName {
			return tail, false
		}
		rest = rest[k+int(n):]
		if n, k = binary.Varint(rest); k <= 0 || n > int64(len(rest)-k) {
			return tail, false
		}
		rest = rest[k+int(max(n, 0)):]
	}
	out := binary.AppendVarint(append(make([]byte, 0, len(tail)+64), tail[:at]...), count+1)
	out = append(out, tail[at+size:]...)
	out = append(append(out, eventTimeKey...), 2*eventTimeLen)
	var c clock
	return c.appendISO(out, timestampISONano, ms/1000, uint32(ms%1000)*1e6), true
}
