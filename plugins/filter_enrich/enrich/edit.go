package enrich

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// editor finds out what is to change in a record, and writes the changed record. It belongs to one call of Apply at a
// time. Between two records it keeps nothing but memory.
type editor struct {
	*plan
	n counts

	// The attributes of this call, for its tag.
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
	slot             int // the name that it has at last
	key, value, end  int
	dropped          bool
	newKey, newValue []byte // msgpack to write instead of the field's own; nil where that stays
}

// field is what is known of the fields of one slot. Of several with the same name the last one counts, as it does for
// everyone who reads the record.
type field struct {
	count int32 // fields with that name, dropped ones not counted
	last  int32 // index of the last in hits
}

// begin takes the tag of a new call.
func (e *editor) begin(tag []byte) {
	e.n = counts{}
	e.values, e.block = e.values[:0], e.block[:0]
	for _, a := range e.attributes {
		e.scratch = e.scratch[:0]
		text, ok := a.value.append(e.scratch, tag)
		e.scratch = text
		if !ok {
			continue
		}
		if a.slot == e.level {
			text = normalLevel(text)
			e.scratch = text
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
// chunk.Reader does not let through.
func (e *editor) scan(body []byte) bool {
	pairs, size, ok := chunk.MapHeader(body)
	if !ok {
		return false
	}
	e.pairs, e.size, e.seen, e.hits = pairs, size, 0, e.hits[:0]
	at := size
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
			if text, ok := record.Value(body[at : at+size]).Text(); ok {
				start, n = at+size-len(text), len(text)
			}
			at += size
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
		if n == 0 || at > len(body) {
			continue
		}
		name := body[start : start+n]
		entry := hash(name) >> e.shift
		if e.index[entry] == 0 {
			continue
		}
		if slot := e.find(name, entry); slot != none {
			e.hits = append(e.hits, hit{slot: slot, key: key, value: value, end: at})
			e.seen |= e.slots[slot].roles
		}
	}
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
		if h := &e.hits[i]; h.slot == slot {
			h.dropped = true
		}
	}
	e.fields[slot] = field{}
	e.changed = true
}

// name gives all fields of a slot another name, which is free.
func (e *editor) name(m move) {
	for i := range e.hits {
		if h := &e.hits[i]; h.slot == m.from && !h.dropped {
			h.slot, h.newKey = m.to, e.slots[m.to].raw
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
		if h := &e.hits[i]; h.slot == slot {
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
	e.setID(0, body, text[traceIDFrom:traceIDTo])
	e.setID(1, body, text[spanIDFrom:spanIDTo])
	e.setID(2, body, text[flagsFrom:flagsTo])
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
		if !blank(v) {
			e.upperLevel(h, v)
			return
		}
	}
	s := e.lastOf(e.status)
	if s == nil {
		return
	}
	level := levelOfStatus(statusOf(s.of(body)))
	if level == "" {
		return
	}
	e.n[countLevelsFromStatus]++
	if h != nil {
		from := len(e.scratch)
		e.scratch = msgp.AppendString(e.scratch, level)
		e.replace(h, e.scratch[from:])
		return
	}
	e.added = append(e.added, e.slots[e.level].raw...)
	e.added = msgp.AppendString(e.added, level)
	e.more++
	e.changed, e.levelAdded = true, true
}

// upperLevel writes a level that is text in its normal form.
func (e *editor) upperLevel(h *hit, v record.Value) {
	text, ok := v.Text()
	if !ok {
		return
	}
	trimmed := trimLevel(text)
	level := levelOf(trimmed)
	if level == string(text) || len(trimmed) == 0 || level == "" && len(trimmed) == len(text) && isUpper(text) {
		return
	}
	from := len(e.scratch)
	if level != "" {
		e.scratch = msgp.AppendString(e.scratch, level)
	} else {
		e.scratch = msgp.AppendStringFromBytes(e.scratch, trimmed)
		upper(e.scratch[len(e.scratch)-len(trimmed):])
	}
	e.n[countLevels]++
	e.replace(h, e.scratch[from:])
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
		case h.newKey != nil || !bytes.Equal(h.of(body), v.value):
			e.n[countConflicts]++
		}
	}
}

func (e *editor) overwriteAll(v *value, body []byte) {
	for i := range e.hits {
		h := &e.hits[i]
		switch {
		case h.slot != v.slot || h.dropped:
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
	at := e.size
	for i := range e.hits {
		h := &e.hits[i]
		if h.dropped {
			dst = append(dst, body[at:h.key]...)
			at = h.end
			continue
		}
		if h.newKey != nil {
			dst = append(append(dst, body[at:h.key]...), h.newKey...)
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
