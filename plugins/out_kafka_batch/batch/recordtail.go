package batch

import (
	"encoding/binary"
	"time"
)

// Names of headers.
const (
	recordIDName  = "record_id"
	eventTimeName = "event_time"
)

// appendHeader appends a header as it stands in a record: the length of its name as a varint, its name, the length of
// its value, its value.
func appendHeader(dst []byte, name string, value []byte) []byte {
	dst = append(binary.AppendVarint(dst, int64(len(name))), name...)
	return append(binary.AppendVarint(dst, int64(len(value))), value...)
}

// recordTail is what follows the offset delta of a record, taken apart. All of it is borrowed.
type recordTail struct {
	key, value []byte
	headers    []byte // without their number
	count      int64  // of the headers
}

// parseTail takes a tail apart that this package wrote.
func parseTail(b []byte) (t recordTail) {
	field := func() (v []byte) {
		n, size := binary.Varint(b)
		b = b[size:]
		if n > 0 {
			v, b = b[:n:n], b[n:]
		}
		return v
	}
	t.key = field()
	t.value = field()
	n, size := binary.Varint(b)
	t.count, t.headers = n, b[size:]
	return t
}

// header returns the value of a header, nil where there is none of that name.
func (t *recordTail) header(name string) []byte {
	b := t.headers
	for range t.count {
		n, size := binary.Varint(b)
		key := b[size : size+int(n)]
		b = b[size+int(n):]
		n, size = binary.Varint(b)
		value := b[size : size+int(n)]
		b = b[size+int(n):]
		if string(key) == name {
			return value
		}
	}
	return nil
}

// withEventTime appends a tail with the header event_time to dst, unless it has one already.
func withEventTime(dst, tail []byte, ms int64) []byte {
	t := parseTail(tail)
	if t.header(eventTimeName) != nil {
		return append(dst, tail...)
	}
	dst = append(dst, tail[:len(tail)-len(t.headers)-varintLen(t.count)]...)
	dst = binary.AppendVarint(dst, t.count+1)
	dst = append(dst, t.headers...)
	var text [32]byte
	return appendHeader(dst, eventTimeName, time.UnixMilli(ms).UTC().AppendFormat(text[:0], "2006-01-02T15:04:05.000Z"))
}
