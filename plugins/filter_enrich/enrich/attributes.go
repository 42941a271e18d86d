package enrich

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"
)

// value is an attribute as msgpack. Slices of editor.block.
type value struct {
	slot  int
	both  []byte // name and value
	value []byte
}

// begin starts a call: it evaluates the attributes, unless they are still those of this tag.
func (e *editor) begin(tag []byte) {
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

// overwriteAll gives every field of an attribute's name its value, in its place, so that none is left with another.
func (e *editor) overwriteAll(v *value, body []byte) {
	from := len(e.scratch)
	e.scratch = append(e.scratch, v.value...)
	for i := range e.hits {
		h := &e.hits[i]
		switch {
		case int(h.slot) != v.slot || h.dropped:
		case bytes.Equal(h.of(body), v.value):
			h.from, h.to = 0, 0
		default:
			e.replace(h, from)
		}
	}
}
