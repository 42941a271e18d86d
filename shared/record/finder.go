package record

import (
	"slices"

	"flbgo/shared/chunk"
)

// Finder looks several paths up in one walk over a record: for a plugin that reads the same fields of every record.
// What it finds is what Path.Find finds. It allocates only when it is made, and is not for concurrent use. A plugin that
// writes the record too has both from one walk: see AppendJSONFields and Omit.
//
//	f := record.NewFinder(status, method)
//	for … {
//		f.Reset(body)
//		v, ok := f.Value(0) // status
//	}
type Finder struct {
	paths []Path
	ways  []way // of each path
	names []wanted
	// filter has the bit of every wanted name set: most keys of a record are told from those by that alone.
	filter uint64

	shapes  shapes // of the records that it has written
	encoder encoder
}

// way is where a path begins: the number of its name in names, and where the path has a dotted name, of that; else -1.
type way struct{ name, dotted int }

// wanted is a key at the top level that some path begins with.
type wanted struct {
	name  string
	value Value // the last one in the record, nil if there is none
	omit  bool  // not written, see Omit
}

// NewFinder makes a Finder for the paths, which Value counts from 0 in this order.
func NewFinder(paths ...Path) *Finder {
	f := &Finder{paths: slices.Clone(paths)}
	for _, p := range paths {
		w := way{name: -1, dotted: -1}
		if len(p.steps) > 0 {
			w.name = f.add(p.steps[0].key)
		}
		if p.dots > 0 {
			w.dotted = f.add(p.dotted)
		}
		f.ways = append(f.ways, w)
	}
	return f
}

// add is the number of a name.
func (f *Finder) add(name string) int {
	for i := range f.names {
		if f.names[i].name == name {
			return i
		}
	}
	f.names = append(f.names, wanted{name: name})
	f.shapes.used = 0 // a key that was nothing special may be wanted now
	if name == "" {
		f.filter = 1<<64 - 1 // it has no last byte
	} else {
		f.filter |= filterBit(name[len(name)-1], len(name))
	}
	return len(f.names) - 1
}

// filterBit is the bit of a name with that last byte and length.
func filterBit(last byte, n int) uint64 { return 1 << ((uint(last) ^ uint(n)<<3) & 63) }

// Reset walks a record, a raw msgpack map. Values are sub-slices of it. Reset(nil) lets the last one go.
func (f *Finder) Reset(body []byte) {
	f.forget()
	pairs, at, _ := chunk.MapHeader(body)
	for range pairs {
		from, to := textBounds(body, at)
		value := to
		if to == 0 {
			if value = next(body, at); value < 0 {
				return
			}
		}
		if at = next(body, value); at < 0 {
			return
		}
		if hit := f.want(body, from, to); hit != nil {
			hit.value = Value(body[value:at:at])
		}
	}
}

// Value is what the path of that number found in the last record.
func (f *Finder) Value(i int) (v Value, ok bool) {
	p, w := &f.paths[i], f.ways[i]
	if w.dotted >= 0 {
		if v := f.names[w.dotted].value; v != nil {
			if v, ok := follow(v, p.steps[p.dots:]); ok {
				return v, true
			}
		}
	}
	if w.name >= 0 {
		if v := f.names[w.name].value; v != nil {
			return follow(v, p.steps[1:])
		}
	}
	return nil, false
}
