package record

import "flbgo/shared/chunk"

// Omit has AppendJSONFields and AppendFields leave out every member of the record's top level that has this name, or
// write it again. Paths find it all the same. Names are compared as they stand in the record: only text is one.
func (f *Finder) Omit(name string, omit bool) { f.names[f.add(name)].omit = omit }

// AppendJSONFields is Reset and the function AppendJSONFields in one walk, without the members to omit.
func (f *Finder) AppendJSONFields(dst, body []byte, first bool) []byte {
	start := len(dst)
	dst, size := f.AppendJSONOpen(dst, body)
	return fieldsEnd(dst, start, size, first)
}

// AppendJSONOpen is AppendJSONFields for a map that has something behind it, with a comma before the first member: size is
// that of the map, or negative where it is damaged, and then what is appended is of no use.
func (f *Finder) AppendJSONOpen(dst, b []byte) (out []byte, size int) {
	f.forget()
	e := &f.encoder
	e.finder, e.top, e.used, e.inKey = f, nil, 0, false
	if f.shapes.start() {
		return e.shaped(dst, b, 0, maxDepth, 0)
	}
	e.top = f
	return e.fields(dst, b, 0, maxDepth)
}

// AppendFields is Reset, and appends the members as the raw msgpack that they are, duplicate keys included, without
// those to omit; n is how many it has appended. A caller puts the head of a map before them.
func (f *Finder) AppendFields(dst, body []byte) (out []byte, n int) {
	f.forget()
	pairs, at, _ := chunk.MapHeader(body)
	run := at // what is not yet appended
	for range pairs {
		from, value := textBounds(body, at)
		hit := f.want(body, from, value)
		if value == 0 {
			if value = next(body, at); value < 0 {
				break
			}
		}
		end := next(body, value)
		if end < 0 {
			break
		}
		if hit != nil {
			hit.value = Value(body[value:end:end])
		}
		if hit != nil && hit.omit {
			dst = append(dst, body[run:at]...)
			run = end
		} else {
			n++
		}
		at = end
	}
	return append(dst, body[run:at]...), n
}

// forget lets the last record go.
func (f *Finder) forget() {
	for i := range f.names {
		f.names[i].value = nil
	}
}

// want is the wanted name that the text body[from:to] is, nil for any other and where to is 0.
func (f *Finder) want(body []byte, from, to int) *wanted {
	// An empty text has the byte before it for its last one.
	if to == 0 || f.filter&filterBit(body[to-1], to-from) == 0 {
		return nil
	}
	return f.match(body[from:to])
}

//go:noinline
func (f *Finder) match(key []byte) *wanted {
	for i := range f.names {
		if w := &f.names[i]; string(key) == w.name {
			return w
		}
	}
	return nil
}

// pass notes the value at body[at:] and returns the offset of what is behind it, or damaged.
func (w *wanted) pass(body []byte, at int) int {
	end := next(body, at)
	if end >= 0 {
		w.value = Value(body[at:end:end])
	}
	return end
}
