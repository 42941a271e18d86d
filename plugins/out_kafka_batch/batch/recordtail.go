package batch

import "encoding/binary"

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
