package enrich

import (
	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// editor finds out what is to change in a record, and writes the changed record. It belongs to one call of Apply at a
// time. Between two records it keeps nothing but memory.
type editor struct {
	*plan
	byTag tagValues

	// The chunk.
	n         counts
	reader    chunk.Reader
	reason    chunk.Reason // of the last damage
	malformed int          // where the first malformed bytes are
	uncertain bool         // whether anything changed behind them

	// The record.
	pairs   int
	size    int   // of the map's head
	hits    []hit // its fields that have a slot, in their order
	fields  []field
	seen    role // of all fields
	changed bool
	added   []byte // fields to be written behind the record's own, as msgpack
	all     bool   // behind added, the attributes' whole block too
	more    int    // how many fields all that is
	scratch []byte // new values of hits
	context traceContext
	traced  bool // the record has a trace, context.id

	traceHits, targetHits int   // fields that have to do with traces, and those of them that traces are written to
	traceAt               int32 // the last of them
	message               messageReader

	// The attributes that depend on the record.
	values   []span // of the leaves, in valueBuf
	valueBuf []byte
	text     []byte
	merged   []byte
	pods     pods

	levelText []byte // the level of a message, as msgpack
	finer     byte   // what its number is above the first of its word
	sizes     []int
}

func newEditor(p *plan) *editor {
	return &editor{plan: p, fields: make([]field, len(p.slots)), values: make([]span, len(p.leaves))}
}

// hit is a field of the record, and what becomes of it. Offsets count from the start of the record. No pointers: a hit
// is made for every field that matters.
type hit struct {
	slot            int32 // the name that it has at last
	key, value, end uint32
	from, to        uint32 // the new value, as msgpack in editor.scratch; both 0 where the old one stays
	dropped         bool
	renamed         bool // to the name of slot
}

// field is what is known of the fields of one slot. Of several with the same name the last one counts, as it does for
// everyone who reads the record.
type field struct {
	count int32 // fields with that name, dropped ones not counted
	last  int32 // index of the last in hits
}

// rewrite appends the new form of a chunk to dst, unless nothing in it changes. Events that begin at until or behind it
// stay as they are.
func (e *editor) rewrite(dst, data []byte, until int) (out []byte, modified bool) {
	e.n.reset()
	e.malformed, e.uncertain = len(data), false
	copied := 0
	r := &e.reader
	r.Reset(data)
	for kind := r.Next(); kind != chunk.End; kind = r.Next() {
		switch kind {
		case chunk.Record:
			e.n.count[countRecords]++
			at := r.Offset()
			if at >= until {
				continue
			}
			body := e.edit(r.Body)
			if e.traced && r.Modern && e.tp.metadata {
				from := len(dst)
				dst = append(dst, data[copied:at]...)
				var head bool
				if dst, head = e.appendHead(dst, r.Head, r.Metadata); head {
					if body {
						dst = e.appendBody(dst, r.Body)
					} else {
						dst = append(dst, r.Body...)
					}
					copied = at + len(r.Raw)
					e.enriched(at)
					continue
				}
				dst = dst[:from]
			}
			if !body {
				continue
			}
			dst = append(dst, data[copied:at+len(r.Head)]...)
			dst = e.appendBody(dst, r.Body)
			copied = at + len(r.Raw)
			e.enriched(at)
		case chunk.Damaged:
			e.n.count[countDamaged]++
			e.reason = r.Reason
			if r.Reason == chunk.Malformed {
				e.malformed = min(e.malformed, r.Offset())
			}
		default:
			e.n.count[countGroups]++
		}
	}
	e.release()
	if copied == 0 {
		return dst, false
	}
	return append(dst, data[copied:]...), true
}

func (e *editor) enriched(at int) {
	e.n.count[countEnriched]++
	e.uncertain = e.uncertain || at > e.malformed
}

// release lets go of the chunk, whose memory is borrowed.
func (e *editor) release() {
	e.reader.Reset(nil)
	e.forget()
	e.context.own = [3]raw{}
	e.message.level = nil
	if e.message.iter != nil {
		e.message.iter.ResetBytes(nil)
	}
}

// sameEvents says that the two chunks are read as the same sequence of records, markers and damage.
//
// Malformed bytes can promise more than the chunk has left: a text of 1,000 bytes where 900 follow. They stop doing so
// when the records behind them grow, and whoever reads the chunk next would take these for part of the text. So a chunk
// in which records behind malformed bytes change is read once more, and should that happen they stay as they are.
func sameEvents(a, b []byte) bool {
	var x, y chunk.Reader
	x.Reset(a)
	y.Reset(b)
	for {
		kind := x.Next()
		if kind != y.Next() || len(x.Head) != len(y.Head) || kind == chunk.Damaged && len(x.Raw) != len(y.Raw) {
			return false
		}
		if kind == chunk.End {
			return true
		}
	}
}

// edit looks at a record and says whether anything in it changes. body is a complete map.
func (e *editor) edit(body []byte) bool {
	e.traced = false
	if !e.scan(body) {
		return false
	}
	e.changed = false
	e.message.read, e.message.level = false, nil
	e.added, e.more, e.scratch = e.added[:0], 0, e.scratch[:0]
	e.gather()
	if e.seen&roleRename != 0 {
		e.rename()
	}
	if e.seen&roleDuration != 0 {
		e.convertDurations(body)
	}
	if e.seen&(roleTrace|roleMessage) != 0 || e.tp != nil && e.tp.anyRecord {
		if e.tp != nil {
			e.trace(body)
		}
	}
	if e.level != none {
		e.normaliseLevel(body)
	}
	e.addAttributes(body)
	if len(e.context.noted) > 0 {
		e.forget()
	}
	return e.changed
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

// replace makes what stands in e.scratch from an offset on the value of a field.
func (e *editor) replace(h *hit, from int) {
	h.from, h.to = uint32(from), uint32(len(e.scratch))
	e.changed = true
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
		if h.to != 0 {
			dst = append(append(dst, body[at:h.value]...), e.scratch[h.from:h.to]...)
			at = h.end
		}
	}
	dst = append(append(dst, body[at:]...), e.added...)
	if e.all {
		dst = append(dst, e.byTag.block...)
	}
	return dst
}
