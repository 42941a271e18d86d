package record

import "flbgo/shared/chunk"

// Fields walks the members of a map in their order, duplicate keys included: Reset, then Next until it is false.
//
//	var f record.Fields
//	for f.Reset(body); f.Next(); {
//		… f.Key, f.Value
//	}
//
// Key and Value are sub-slices of the map, valid until the next Next. Not for concurrent use.
type Fields struct {
	Key, Value Value

	body []byte
	at   int // offset in body of the next key
	left int
}

// Reset starts at the first member of the map that body begins with. Anything but a map has no members.
func (f *Fields) Reset(body []byte) {
	pairs, size, _ := chunk.MapHeader(body)
	f.body, f.at, f.left = body, size, pairs
	f.Key, f.Value = nil, nil
}

// Next steps to the next member. It is false at the end of the map, or where the map is damaged.
func (f *Fields) Next() bool {
	if f.left > 0 {
		if value := next(f.body, f.at); value >= 0 {
			if end := next(f.body, value); end >= 0 {
				f.Key, f.Value = Value(f.body[f.at:value:value]), Value(f.body[value:end:end])
				f.at = end
				f.left--
				return true
			}
		}
	}
	*f = Fields{}
	return false
}

// damaged is what next returns instead of an offset where there is no complete value.
const damaged = -1

// next is the offset of what is behind the value at b[at:], or damaged. It knows the short way over strings, which most
// values of a record are.
func next(b []byte, at int) int {
	if _, to := textBounds(b, at); to != 0 {
		return to
	}
	if n, ok := chunk.Skip(b[at:]); ok {
		return at + n
	}
	return damaged
}
