package enrich

import (
	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// collect notes the record's fields that have to do with traces.
func (e *editor) collect(body []byte) {
	inside := false
	for i := range e.hits {
		h := &e.hits[i]
		s := &e.slots[h.slot]
		if h.dropped || s.target == 0 && s.trace == noName {
			continue
		}
		if s.target != 0 {
			r := rawOf(h.of(body))
			if s.target < 3 && (r.kind == rawInt && r.n == 0 || r.kind == rawText && zeros(r.text)) {
				r.kind = rawAbsent
			}
			r.hit = int32(i)
			e.context.own[s.target-1], e.context.owns = r, true
			if e.tp.rank[e.tp.own] != notAsked {
				e.context.present |= 1 << e.tp.rank[e.tp.own]
			}
		} else if isContainer(s.trace) {
			inside = true
		} else {
			r := rawOf(h.of(body))
			r.hit = int32(i)
			e.note(s.trace, r)
		}
	}
	if !inside {
		return
	}
	for i := range e.hits {
		h := &e.hits[i]
		if s := &e.slots[h.slot]; !h.dropped && s.target == 0 && isContainer(s.trace) && int(e.fields[h.slot].last) == i {
			e.look(h.of(body), containerAt(s.trace), maxContainers)
		}
	}
}

// look notes what a container has.
func (e *editor) look(v record.Value, in *container, depth int) {
	if in.array && v.Type() == record.Array {
		e.lookAt(v, in, depth)
		return
	}
	prefix := in.prefix
	var f record.Fields
	for f.Reset(v); f.Next(); {
		key, ok := f.Key.Text()
		if !ok || len(key) == 0 || prefix == "" && !e.tp.folds.may(key) {
			continue
		}
		switch name := e.tp.folds.lookup(prefix, key); {
		case name == noName:
		case !isContainer(name):
			r := rawOf(f.Value)
			if r.hit = notAField; prefix != "" {
				r.hit = inMap
			}
			e.note(name, r)
		case depth > 1:
			e.look(f.Value, containerAt(name), depth-1)
		}
	}
}

// lookAt looks at the maps of an array.
func (e *editor) lookAt(v record.Value, in *container, depth int) {
	pairs, size := 0, 1
	switch {
	case v[0]&0xf0 == 0x90:
		pairs = int(v[0] & 0x0f)
	case v[0] == 0xdc && len(v) >= 3:
		pairs, size = int(v[1])<<8|int(v[2]), 3
	}
	for rest := v[size:]; pairs > 0; pairs-- {
		n, ok := chunk.Skip(rest)
		if !ok {
			return
		}
		if inner := rest[:n:n]; inner.Type() == record.Map && depth > 1 {
			e.look(inner, in, depth-1)
		}
		rest = rest[n:]
		if pairs > maxScopes {
			pairs = maxScopes
		}
	}
}

// usual does the work of trace for what nearly all records have that have anything: a traceparent and nothing else, or ids
// that are in their target form. It is false for all others.
func (e *editor) usual(body []byte) bool {
	c, t := &e.context, e.tp
	switch {
	case e.traceHits == 1 && e.targetHits == 0:
		h := &e.hits[e.traceAt]
		v := h.of(body)
		if e.slots[h.slot].trace != w3cName || v[0] != 0xd9 {
			return false
		}
		if c.id.clear(); readTraceparent(v[2:], &c.id) != converted {
			return false
		}
		c.used = append(c.used, e.traceAt)
		e.n.of(formatW3C).found++
		e.traced = true
		e.finish(formatW3C, body)
		return true
	case e.traceHits == e.targetHits && e.traceHits > 0 && !t.decimal:
		c.id.clear()
		for i, slot := range t.targets {
			switch f := e.fields[slot]; f.count {
			case 0:
				if i == 0 {
					return false
				}
			case 1:
				if !c.id.take(i, e.hits[f.last].of(body)) {
					return false
				}
			default:
				return false
			}
		}
		e.n.of(t.own).found++
		e.traced = true
		return true
	}
	return false
}

// take takes one of the three fields if it is in its target form.
func (id *ids) take(i int, v record.Value) bool {
	const zero = 0x3030303030303030
	switch i {
	case 0:
		if len(v) != 34 || v[0] != 0xd9 {
			return false
		}
		a, b, c, d := word(v, 2), word(v, 10), word(v, 18), word(v, 26)
		id.hasTrace = hexWord(a) && hexWord(b) && hexWord(c) && hexWord(d) && (a != zero || b != zero || c != zero || d != zero)
		copy(id.trace[:], v[2:])
		return id.hasTrace
	case 1:
		if len(v) != 17 || v[0] != 0xb0 {
			return false
		}
		a, b := word(v, 1), word(v, 9)
		id.hasSpan = hexWord(a) && hexWord(b) && (a != zero || b != zero)
		copy(id.span[:], v[1:])
		return id.hasSpan
	}
	id.hasFlags = len(v) == 3 && v[0] == 0xa2 && lowerHex(id.flags[:], v[1:]) && id.flags[0] == v[1] && id.flags[1] == v[2]
	return id.hasFlags
}
