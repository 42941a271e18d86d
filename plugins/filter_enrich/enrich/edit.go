package enrich

import (
	"bytes"
	"math"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// editor finds out what is to change in a record, and writes the changed record. It belongs to one call of Apply at a
// time. Between two records it keeps nothing but memory.
type editor struct {
	*plan
	n counts

	// The attributes, for a tag.
	begun  bool
	tag    []byte
	values []value
	block  []byte // all of them as msgpack, one behind the other, each with its name

	// The record, and the chunk that it is in.
	reader  chunk.Reader
	pairs   int
	size    int   // of the map's head
	hits    []hit // its fields that have a slot, in their order
	fields  []field
	seen    role // of all fields
	changed bool
	added   []byte // fields to be written behind the record's own, as msgpack
	all     bool   // behind added, the whole block too
	more    int    // how many fields all that is
	scratch []byte // memory of hit.newValue

	levelAdded bool
}

// value is an attribute as msgpack. Slices of editor.block.
type value struct {
	slot  int
	both  []byte // name and value
	value []byte
}

// hit is a field of the record, and what becomes of it. Offsets count from the start of the record.
type hit struct {
	slot            int32 // the name that it has at last
	key, value, end uint32
	dropped         bool
	renamed         bool   // to the name of slot
	newValue        []byte // msgpack to write instead of its value; nil where that stays
}

// field is what is known of the fields of one slot. Of several with the same name the last one counts, as it does for
// everyone who reads the record.
type field struct {
	count int32 // fields with that name, dropped ones not counted
	last  int32 // index of the last in hits
}

// begin starts a call: it evaluates the attributes, unless they are still those of this tag.
func (e *editor) begin(tag []byte) {
	e.n = counts{}
	if e.begun && bytes.Equal(e.tag, tag) {
		return
	}
	e.begun = true
	e.tag = append(e.tag[:0], tag...)
	e.values, e.block = e.values[:0], e.block[:0]
	for _, a := range e.attributes {
		text, ok := a.value.append(e.scratch[:0], tag)
		if ok && a.slot == e.level {
			text = normalLevel(text)
		}
		e.scratch = text
		if !ok {
			continue
		}
		from := len(e.block)
		e.block = append(e.block, e.slots[a.slot].raw...)
		at := len(e.block)
		e.block = msgp.AppendStringFromBytes(e.block, text)
		e.values = append(e.values, value{slot: a.slot, both: e.block[from:], value: e.block[at:]})
	}
	// The block may have moved while it grew: now it lies still.
	at := 0
	for i := range e.values {
		v := &e.values[i]
		end := at + len(v.both)
		v.both, v.value = e.block[at:end:end], e.block[end-len(v.value):end:end]
		at = end
	}
}

// edit looks at a record and says whether anything in it changes. body is a complete map.
func (e *editor) edit(body []byte) bool {
	if !e.scan(body) {
		return false
	}
	e.changed, e.levelAdded = false, false
	e.added, e.more, e.scratch = e.added[:0], 0, e.scratch[:0]
	if len(e.hits) > 0 {
		e.gather()
	}
	if e.seen&roleRename != 0 {
		e.rename()
	}
	if e.seen&roleDuration != 0 {
		e.convertDurations(body)
	}
	if e.nested != nil || e.seen&roleTraceparent != 0 {
		e.trace(body)
	}
	if e.level != none {
		e.normaliseLevel(body)
	}
	e.addAttributes(body)
	return e.changed
}

// scan walks the fields once and collects those that have a slot. It is false for a map that is not complete, which
// chunk.Reader does not let through, and for one whose size passes 32 bits.
func (e *editor) scan(body []byte) bool {
	pairs, at, ok := chunk.MapHeader(body)
	if !ok || uint64(len(body)) > math.MaxUint32 {
		return false
	}
	p, hits, seen := e.plan, e.hits[:0], role(0)
	e.pairs, e.size = pairs, at
	for range pairs {
		if at >= len(body) {
			return false
		}
		key, start, n := at, 0, 0
		if c := body[at]; c&0xe0 == 0xa0 {
			start, n = at+1, int(c&0x1f)
			at = start + n
		} else {
			size, ok := chunk.Skip(body[at:])
			if !ok {
				return false
			}
			text, _ := record.Value(body[at : at+size]).Text()
			at += size
			start, n = at-len(text), len(text)
		}
		value := at
		if at >= len(body) {
			return false
		}
		if size := int(shortSize[body[at]]); size != 0 {
			at += size
		} else {
			size, ok := chunk.Skip(body[at:])
			if !ok {
				return false
			}
			at += size
		}
		if n == 0 || p.lengths[body[start]]>>min(n, 31)&1 == 0 || at > len(body) {
			continue
		}
		if slot := p.find(body[start : start+n]); slot != none {
			hits = append(hits, hit{slot: int32(slot), key: uint32(key), value: uint32(value), end: uint32(at)})
			seen |= p.slots[slot].roles
		}
	}
	e.hits, e.seen = hits, seen
	return at <= len(body)
}

// shortSize is the size of the values whose first byte says it and that logs are full of: small integers, floats, short
// strings. 0 for all others, which chunk.Skip steps over.
var shortSize = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c < 0x80 || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
			t[c] = 1
		case c&0xe0 == 0xa0:
			t[c] = uint8(1 + c&0x1f)
		case c == 0xcb:
			t[c] = 9
		case c >= 0xcc && c <= 0xd3:
			t[c] = uint8(1 + 1<<(c&3))
		}
	}
	return t
}()

// gather drops what is to be removed, and counts the rest.
func (e *editor) gather() {
	clear(e.fields)
	for i := range e.hits {
		h := &e.hits[i]
		if e.slots[h.slot].roles&roleRemove != 0 {
			h.dropped, e.changed = true, true
			continue
		}
		f := &e.fields[h.slot]
		f.count++
		f.last = int32(i)
	}
}

// lastOf is the last field of a slot, nil where there is none.
func (e *editor) lastOf(slot int) *hit {
	if slot == none || len(e.hits) == 0 || e.fields[slot].count == 0 {
		return nil
	}
	return &e.hits[e.fields[slot].last]
}

// of is the value that a field of the record has.
func (h *hit) of(body []byte) record.Value { return record.Value(body[h.value:h.end]) }

// replace makes msgpack the value of a field. The bytes have to stay what they are until the record is written.
func (e *editor) replace(h *hit, msgpack []byte) {
	h.newValue = msgpack
	e.changed = true
}

// clearFor makes a name free for a field that is to get it, and is false where the field with that name stays.
func (e *editor) clearFor(slot int) bool {
	if e.fields[slot].count == 0 {
		return true
	}
	if !e.overwrite {
		e.n[countConflicts]++
		return false
	}
	e.drop(slot)
	return true
}

func (e *editor) drop(slot int) {
	for i := range e.hits {
		if h := &e.hits[i]; int(h.slot) == slot {
			h.dropped = true
		}
	}
	e.fields[slot] = field{}
	e.changed = true
}

// name gives all fields of a slot another name, which is free.
func (e *editor) name(m move) {
	for i := range e.hits {
		if h := &e.hits[i]; int(h.slot) == m.from && !h.dropped {
			h.slot, h.renamed = int32(m.to), true
		}
	}
	e.fields[m.from], e.fields[m.to] = field{}, e.fields[m.from]
	e.seen |= e.slots[m.to].roles
	e.changed = true
}

func (e *editor) rename() {
	for _, m := range e.renames {
		if e.fields[m.from].count > 0 && e.clearFor(m.to) {
			e.name(m)
		}
	}
}

func (e *editor) convertDurations(body []byte) {
	for _, m := range e.durations {
		h := e.lastOf(m.from)
		if h == nil {
			continue
		}
		ms, what := millis(h.of(body))
		if what == invalid {
			e.n[countDurationsInvalid]++
		}
		if what != converted || !e.clearFor(m.to) {
			continue
		}
		e.n[countDurations]++
		from := len(e.scratch)
		e.scratch = msgp.AppendFloat64(e.scratch, ms)
		e.only(m.from)
		e.replace(h, e.scratch[from:])
		e.name(m)
	}
}

// only drops all fields of a slot but the last.
func (e *editor) only(slot int) {
	f := &e.fields[slot]
	if f.count == 1 {
		return
	}
	for i := range e.hits[:f.last] {
		if h := &e.hits[i]; int(h.slot) == slot {
			h.dropped, e.changed = true, true
		}
	}
	f.count = 1
}

// trace makes the ids from the traceparent.
func (e *editor) trace(body []byte) {
	var v record.Value
	h := e.lastOf(e.traceparent)
	if h != nil {
		v = h.of(body)
	} else if e.nested != nil {
		v, _ = e.nested.Find(body)
	}
	if v == nil {
		return
	}
	if id := e.lastOf(e.traceIDs[0]); id != nil && !noID(id.of(body)) {
		e.n[countTraceExplicit]++
		return
	}
	if blank(v) {
		e.n[countTraceAbsent]++
		return
	}
	text, _ := v.Text()
	if !validTraceparent(text) {
		e.n[countTraceInvalid]++
		return
	}
	e.n[countTraceFound]++
	if e.seen&roleTraceID == 0 {
		from := len(e.added)
		e.added = append(e.added, traceFields...)
		added := e.added[from:]
		copy(added[traceIDAt:], text[traceIDFrom:traceIDTo])
		copy(added[spanIDAt:], text[spanIDFrom:spanIDTo])
		copy(added[flagsAt:], text[flagsFrom:flagsTo])
		e.more += len(traceNames)
		e.changed = true
	} else {
		e.setID(0, body, text[traceIDFrom:traceIDTo])
		e.setID(1, body, text[spanIDFrom:spanIDTo])
		e.setID(2, body, text[flagsFrom:flagsTo])
	}
	if h != nil && !e.keepTrace {
		e.drop(e.traceparent)
	}
}

// setID writes one of the three fields, unless the record has its own.
func (e *editor) setID(i int, body, text []byte) {
	slot := e.traceIDs[i]
	h := e.lastOf(slot)
	if h == nil {
		e.added = append(e.added, e.slots[slot].raw...)
		e.added = msgp.AppendStringFromBytes(e.added, text)
		e.more++
		e.changed = true
		return
	}
	if old := h.of(body); blank(old) || i < 2 && noID(old) {
		from := len(e.scratch)
		e.scratch = msgp.AppendStringFromBytes(e.scratch, text)
		e.replace(h, e.scratch[from:])
	}
}

// normaliseLevel writes the level in its normal form, or one where there is none and the status tells it.
func (e *editor) normaliseLevel(body []byte) {
	h := e.lastOf(e.level)
	if h != nil {
		v := h.of(body)
		text, ok := v.Text()
		if ok && e.upperLevel(h, text) || !blank(v) {
			return
		}
	}
	s := e.lastOf(e.status)
	if s == nil {
		return
	}
	level := severityOfStatus(statusOf(s.of(body)))
	if level == unknown {
		return
	}
	e.n[countLevelsFromStatus]++
	if h != nil {
		e.replace(h, severities[level].raw)
		return
	}
	e.added = append(e.added, e.slots[e.level].raw...)
	e.added = append(e.added, severities[level].raw...)
	e.more++
	e.changed, e.levelAdded = true, true
}

// upperLevel writes a level that is text in its normal form. It is false for text that says that there is none.
func (e *editor) upperLevel(h *hit, text []byte) bool {
	level := severityOf(text)
	if level == unknown {
		trimmed := trimLevel(text)
		if level = severityOf(trimmed); level == unknown {
			switch {
			case len(trimmed) == 0 || isBlank(trimmed):
				return false
			case len(trimmed) == len(text) && isUpper(text):
				return true
			}
			from := len(e.scratch)
			e.scratch = msgp.AppendStringFromBytes(e.scratch, trimmed)
			upper(e.scratch[len(e.scratch)-len(trimmed):])
			e.n[countLevels]++
			e.replace(h, e.scratch[from:])
			return true
		}
	}
	if s := &severities[level]; s.name != string(text) {
		e.n[countLevels]++
		e.replace(h, s.raw)
	}
	return true
}

// addAttributes comes last: an attribute is for records that have no such field, under whatever name they came.
func (e *editor) addAttributes(body []byte) {
	e.all = e.seen&roleAttribute == 0 && !e.levelAdded
	if e.all {
		e.more += len(e.values)
		e.changed = e.changed || len(e.values) > 0
		return
	}
	for i := range e.values {
		v := &e.values[i]
		h := e.lastOf(v.slot)
		switch {
		case h == nil && v.slot == e.level && e.levelAdded:
		case h == nil:
			e.added = append(e.added, v.both...)
			e.more++
			e.changed = true
		case e.overwrite:
			e.overwriteAll(v, body)
		case h.renamed || !bytes.Equal(h.of(body), v.value):
			e.n[countConflicts]++
		}
	}
}

func (e *editor) overwriteAll(v *value, body []byte) {
	for i := range e.hits {
		h := &e.hits[i]
		switch {
		case int(h.slot) != v.slot || h.dropped:
		case bytes.Equal(h.of(body), v.value):
			h.newValue = nil
		default:
			e.replace(h, v.value)
		}
	}
}

// appendBody appends the record that edit has looked at in its new form: its own fields in their order, then the ids,
// the level and the attributes that were added. The number of fields needs no check: each takes two bytes at least, so
// that a chunk with more of them than msgpack can count would not fit the 32 bits of its size.
func (e *editor) appendBody(dst, body []byte) []byte {
	pairs := e.pairs + e.more
	for i := range e.hits {
		if e.hits[i].dropped {
			pairs--
		}
	}
	dst = chunk.AppendMapHeader(dst, pairs)
	at := uint32(e.size)
	for i := range e.hits {
		h := &e.hits[i]
		if h.dropped {
			dst = append(dst, body[at:h.key]...)
			at = h.end
			continue
		}
		if h.renamed {
			dst = append(append(dst, body[at:h.key]...), e.slots[h.slot].raw...)
			at = h.value
		}
		if h.newValue != nil {
			dst = append(append(dst, body[at:h.value]...), h.newValue...)
			at = h.end
		}
	}
	dst = append(append(dst, body[at:]...), e.added...)
	if e.all {
		dst = append(dst, e.block...)
	}
	return dst
}
