package enrich

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// leaf is the value of one attribute: the first of its sources that has one.
type leaf struct {
	sources  []template
	ofRecord bool // a source depends on the record
	level    bool // it is the level of records that have none
}

// node is a field that attributes are written to: a leaf, or with layout nested or under a key a map of nodes.
type node struct {
	name string
	key  []byte // the name as msgpack
	leaf int    // none for a map
	kids []node

	// Of the ones at the top:
	slot    int
	dynamic bool // something in it depends on the record
}

// maxKids and maxDepth bound the maps that attributes make.
const (
	maxKids  = 64
	maxDepth = 8
)

// tagValues are the attributes for a tag.
type tagValues struct {
	begun  bool
	tag    []byte
	values []span // of the leaves
	buf    []byte
	tops   []top
	block  []byte // the fields of tops, one behind the other
	fields int    // how many that are
	level  defaultLevel
}

// span is where in a buffer a value stands; both 0 for none.
type span struct{ from, to int }

// top is a field at the top: its name and its value as msgpack, slices of tagValues.block; nil where it has none, or
// depends on the record.
type top struct{ both, value []byte }

// begin starts a call: it evaluates the attributes, unless they are still those of this tag.
func (e *editor) begin(tag []byte) {
	b := &e.byTag
	if b.begun && bytes.Equal(b.tag, tag) {
		return
	}
	*b = tagValues{begun: true, tag: append(b.tag[:0], tag...), values: b.values[:0], buf: b.buf[:0], tops: b.tops[:0],
		block: b.block[:0]}
	for i := range e.leaves {
		l := &e.leaves[i]
		at := span{}
		for _, t := range l.sources {
			if l.ofRecord {
				break
			}
			text, ok := t.append(e.scratch[:0], tag)
			e.scratch = text
			if !ok {
				continue
			}
			if l.level {
				b.level.severity = severityOf(trimLevel(text))
				text = normalLevel(text)
			}
			at.from = len(b.buf)
			b.buf = msgp.AppendStringFromBytes(b.buf, text)
			at.to = len(b.buf)
			break
		}
		b.values = append(b.values, at)
	}
	for i := range e.leaves {
		if v := b.values[i]; e.leaves[i].level && v.to > 0 {
			b.level.raw = b.buf[v.from:v.to:v.to]
		}
	}
	sizes := e.sizes[:0]
	for i := range e.nodes {
		n := &e.nodes[i]
		from := len(b.block)
		if !n.dynamic {
			b.block = e.appendNode(b.block, n)
		}
		sizes = append(sizes, len(b.block)-from)
	}
	e.sizes = sizes
	at := 0 // the block lies still now
	for i, size := range sizes {
		t := top{}
		if size > 0 {
			b.fields++
			t.both = b.block[at : at+size : at+size]
			t.value = t.both[len(e.nodes[i].key):]
		}
		b.tops = append(b.tops, t)
		at += size
	}
}

// ofRecord says that something in the node depends on the record.
func (n *node) ofRecord(p *plan) bool {
	if n.leaf != none {
		return p.leaves[n.leaf].ofRecord
	}
	for i := range n.kids {
		if n.kids[i].ofRecord(p) {
			return true
		}
	}
	return false
}

// valueOf is the value of a leaf as msgpack, nil where it has none.
func (e *editor) valueOf(leaf int) []byte {
	if e.leaves[leaf].ofRecord {
		v := e.values[leaf]
		return e.valueBuf[v.from:v.to:v.to]
	}
	v := e.byTag.values[leaf]
	return e.byTag.buf[v.from:v.to:v.to]
}

// has says that a node has a value.
func (e *editor) has(n *node) bool {
	if n.leaf != none {
		return len(e.valueOf(n.leaf)) > 0
	}
	for i := range n.kids {
		if e.has(&n.kids[i]) {
			return true
		}
	}
	return false
}

// appendNode appends a node's name and value, nothing where it has none.
func (e *editor) appendNode(dst []byte, n *node) []byte {
	if !e.has(n) {
		return dst
	}
	return e.appendValue(append(dst, n.key...), n)
}

func (e *editor) appendValue(dst []byte, n *node) []byte {
	if n.leaf != none {
		return append(dst, e.valueOf(n.leaf)...)
	}
	pairs := 0
	for i := range n.kids {
		if e.has(&n.kids[i]) {
			pairs++
		}
	}
	dst = chunk.AppendMapHeader(dst, pairs)
	for i := range n.kids {
		dst = e.appendNode(dst, &n.kids[i])
	}
	return dst
}

// evaluate finds the values of the leaves that depend on the record.
func (e *editor) evaluate(body []byte) {
	e.valueBuf = e.valueBuf[:0]
	for _, i := range e.dynamic {
		e.values[i] = span{}
		from := len(e.valueBuf)
		for _, t := range e.leaves[i].sources {
			if e.appendTemplate(t, body) {
				e.values[i] = span{from, len(e.valueBuf)}
				break
			}
			e.valueBuf = e.valueBuf[:from]
		}
	}
}

// appendTemplate appends the value of a template to valueBuf as msgpack.
func (e *editor) appendTemplate(t template, body []byte) bool {
	if path, ok := t.whole(); ok {
		v, found := e.find(path, body)
		if !found || blank(v) && v.Type() != record.Ext {
			return false
		}
		if text, ok := v.Text(); ok && len(text) == 0 {
			return false
		}
		e.valueBuf = append(e.valueBuf, v...)
		return true
	}
	text := e.text[:0]
	for i := range t {
		from := len(text)
		switch p := &t[i]; p.kind {
		case pieceText:
			text = append(text, p.text...)
		case pieceTag:
			text = append(text, tagPart(e.byTag.tag, p.part)...)
		case piecePath:
			if v, ok := e.find(p.path, body); ok {
				text = v.AppendText(text)
			}
		case piecePod:
			text = append(text, e.pod(body)[p.part]...)
		}
		if len(text) == from {
			e.text = text
			return false
		}
	}
	e.text = text
	e.valueBuf = msgp.AppendStringFromBytes(e.valueBuf, text)
	return true
}

// find looks a path up in the record as the other options have left it.
func (e *editor) find(path record.Path, body []byte) (record.Value, bool) {
	dotted, first := path.Top()
	var d record.Value
	if dotted != "" {
		d = e.field(dotted, body)
	}
	return path.FindIn(d, e.field(first, body))
}

// field is the value of the field with a name that has a slot, nil where there is none.
func (e *editor) field(name string, body []byte) record.Value {
	h := e.lastOf(e.slotOf(name))
	if h == nil {
		return nil
	}
	return e.now(h, body)
}

// now is the value that a field has by now.
func (e *editor) now(h *hit, body []byte) record.Value {
	if h.to != 0 {
		return record.Value(e.scratch[h.from:h.to:h.to])
	}
	return h.of(body)
}

// addAttributes comes last: an attribute is for records that have no such field, under whatever name they came.
func (e *editor) addAttributes(body []byte) {
	e.all = e.seen&roleAttribute == 0 && len(e.dynamic) == 0
	if e.all {
		if e.byTag.fields > 0 {
			e.more += e.byTag.fields
			e.changed = true
		}
		return
	}
	if len(e.dynamic) > 0 {
		e.evaluate(body)
	}
	for i := range e.nodes {
		n, t := &e.nodes[i], e.byTag.tops[i]
		if t.both == nil && (!n.dynamic || !e.has(n)) {
			continue
		}
		h := e.lastOf(n.slot)
		switch {
		case h == nil && t.both != nil:
			e.added = append(e.added, t.both...)
			e.more++
			e.changed = true
		case h == nil:
			e.added = e.appendNode(e.added, n)
			e.more++
			e.changed = true
		case n.leaf == none:
			e.mergeField(h, n, body)
		default:
			v := t.value
			if v == nil {
				v = e.valueOf(n.leaf)
			}
			if e.overwrite {
				e.overwriteAll(n.slot, v, body)
			} else if h.renamed || !bytes.Equal(e.now(h, body), v) {
				e.n.count[countConflicts]++
			}
		}
	}
}

// overwriteAll gives every field of an attribute's name its value, in its place, so that none is left with another.
func (e *editor) overwriteAll(slot int, value, body []byte) {
	from := len(e.scratch)
	e.scratch = append(e.scratch, value...)
	for i := range e.hits {
		h := &e.hits[i]
		switch {
		case int(h.slot) != slot || h.dropped:
		case bytes.Equal(h.of(body), value):
			h.from, h.to = 0, 0
		default:
			e.replace(h, from)
		}
	}
}

// mergeField puts the attributes of a map into the map that the record has.
func (e *editor) mergeField(h *hit, n *node, body []byte) {
	old := e.now(h, body)
	if old.Type() != record.Map {
		if !e.overwrite {
			e.n.count[countConflicts]++
			return
		}
		from := len(e.scratch)
		e.scratch = e.appendValue(e.scratch, n)
		e.only(n.slot)
		e.replace(h, from)
		return
	}
	out, changed := e.merge(e.merged[:0], n, old)
	e.merged = out
	if changed {
		from := len(e.scratch)
		e.scratch = append(e.scratch, out...)
		e.replace(h, from)
	}
}

// merge appends the map m with the attributes of n in it. Of a name that stands twice in m the last one counts.
func (e *editor) merge(dst []byte, n *node, m record.Value) (out []byte, changed bool) {
	var last [maxKids]int // of each of n's kids, the number of its member in m plus one
	var f record.Fields
	count := 0
	for f.Reset(m); f.Next(); {
		count++
		if k := n.kid(f.Key); k >= 0 {
			last[k] = count
		}
	}
	pairs := count
	for k := range n.kids {
		if last[k] == 0 && e.has(&n.kids[k]) {
			pairs++
			changed = true
		}
	}
	dst = chunk.AppendMapHeader(dst, pairs)
	at := 0
	for f.Reset(m); f.Next(); {
		at++
		dst = append(dst, f.Key...)
		k := n.kid(f.Key)
		if k < 0 || last[k] != at || !e.has(&n.kids[k]) {
			dst = append(dst, f.Value...)
			continue
		}
		kid := &n.kids[k]
		switch {
		case kid.leaf == none && f.Value.Type() == record.Map:
			var c bool
			dst, c = e.merge(dst, kid, f.Value)
			changed = changed || c
		case kid.leaf != none && bytes.Equal(f.Value, e.valueOf(kid.leaf)):
			dst = append(dst, f.Value...)
		case e.overwrite:
			dst = e.appendValue(dst, kid)
			changed = true
		default:
			e.n.count[countConflicts]++
			dst = append(dst, f.Value...)
		}
	}
	for k := range n.kids {
		if last[k] == 0 {
			dst = e.appendNode(dst, &n.kids[k])
		}
	}
	return dst, changed
}

// kid is the number of the kid of that name, -1 for none.
func (n *node) kid(key record.Value) int {
	text, ok := key.Text()
	if !ok {
		return -1
	}
	for i := range n.kids {
		if n.kids[i].name == string(text) {
			return i
		}
	}
	return -1
}
