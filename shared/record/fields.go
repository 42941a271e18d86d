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

	rest []byte
	left int
}

// Reset starts at the first member of the map that body begins with. Anything but a map has no members.
func (f *Fields) Reset(body []byte) {
	pairs, size, ok := chunk.MapHeader(body)
	if !ok {
		*f = Fields{}
		return
	}
	*f = Fields{rest: body[size:], left: pairs}
}

// Next steps to the next member. It is false at the end of the map, or where the map is damaged.
func (f *Fields) Next() bool {
	if f.left == 0 {
		f.Key, f.Value = nil, nil
		return false
	}
	if k := skip(f.rest, 0); k >= 0 {
		if v := skip(f.rest, k); v >= 0 {
			f.Key, f.Value = Value(f.rest[:k:k]), Value(f.rest[k:v:v])
			f.rest = f.rest[v:]
			f.left--
			return true
		}
	}
	*f = Fields{}
	return false
}
