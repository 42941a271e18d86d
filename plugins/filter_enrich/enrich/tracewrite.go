package enrich

import (
	"strconv"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

// finish writes what was found in the format f, and takes away the fields that it was in.
func (e *editor) finish(f format, body []byte) {
	c, t := &e.context, e.tp
	if f == t.own && c.own[0].kind == rawNone && c.used[0] == inMap {
		return // a map trace with an id in it is what trace.id means: a second one beside it would be too much
	}
	if f != t.own {
		// The record's own span stays, and one without a trace id of its own joins the trace that was found.
		if t.ownsFirst && c.own[1].kind > rawAbsent {
			c.id.hasSpan = false
		}
		if t.ownsFirst && c.own[2].kind > rawAbsent {
			c.id.hasFlags = false
		}
		e.spanOf(t.own)
	}
	if !t.decimal && c.id.hasSpan && c.id.hasFlags && !c.owns {
		from := len(e.added)
		e.added = append(e.added, t.block...)
		added := e.added[from:]
		copy(added[t.at[0]:], c.id.trace[:])
		copy(added[t.at[1]:], c.id.span[:])
		copy(added[t.at[2]:], c.id.flags[:])
		e.more += 3
		e.changed = true
		e.converted(f)
	} else {
		before := e.changed
		e.changed = false
		e.setID(0, true)
		e.setID(1, c.id.hasSpan)
		e.setID(2, c.id.hasFlags)
		if e.changed {
			e.converted(f)
		}
		e.changed = e.changed || before
	}
	if e.keepTrace {
		return
	}
	for _, hit := range c.used {
		if hit >= 0 && e.slots[e.hits[hit].slot].target == 0 {
			e.dropRead(hit, body)
		}
	}
}

// dropRead leaves out a field that ids were made from. One that has the same name in another spelling stays: traceparent
// and http_traceparent may be of two traces.
func (e *editor) dropRead(hit int32, body []byte) {
	used := &e.hits[hit]
	used.dropped = true
	for i := range e.hits {
		if h := &e.hits[i]; h.slot == used.slot && !h.dropped {
			name, _ := record.Value(body[used.key:used.value]).Text()
			other, _ := record.Value(body[h.key:h.value]).Text()
			h.dropped = string(name) == string(other)
		}
	}
	e.fields[used.slot] = field{} // nobody asks for those that stay
	e.changed = true
}

func (e *editor) converted(f format) {
	if f < formats {
		e.n.of(f).converted++
	}
}

// setID writes one of the three fields.
func (e *editor) setID(i int, have bool) {
	if !have {
		return
	}
	slot := e.tp.targets[i]
	var buf [32]byte
	text := e.textOf(buf[:0], i)
	h := e.lastOf(slot)
	if h == nil {
		e.added = append(e.added, e.slots[slot].raw...)
		e.added = msgp.AppendStringFromBytes(e.added, text)
		e.more++
		e.changed = true
		return
	}
	if old := &e.context.own[i]; old.kind == rawText && string(old.text) == string(text) {
		return
	}
	from := len(e.scratch)
	e.scratch = msgp.AppendStringFromBytes(e.scratch, text)
	e.replace(h, from)
}

// textOf is one of the ids in the form in which the naming has it. Datadog's is decimal, but for trace ids of which the
// upper half is not zero.
// https://docs.datadoghq.com/tracing/other_telemetry/connect_logs_and_traces/opentelemetry/
func (e *editor) textOf(dst []byte, i int) []byte {
	id := &e.context.id
	switch {
	case i == 2:
		return append(dst, id.flags[:]...)
	case i == 1 && e.tp.decimal:
		return strconv.AppendUint(dst, uintOf(id.span[:]), 10)
	case i == 1:
		return append(dst, id.span[:]...)
	case e.tp.decimal && zeros(id.trace[:16]):
		return strconv.AppendUint(dst, uintOf(id.trace[16:]), 10)
	}
	return append(dst, id.trace[:]...)
}

// generate makes a trace id of a request id that is a UUID: its digits, so that all lines of the request have the same.
func (e *editor) generate(body []byte) bool {
	v, ok := e.tp.generate.Find(body)
	if !ok {
		return false
	}
	text, _ := v.Text()
	id := &e.context.id
	*id = ids{}
	switch len(text) {
	case 32:
		id.hasTrace = readText(text, exactHex, id.trace[:]) == converted
	case 36:
		if text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
			return false
		}
		var hex [32]byte
		n := copy(hex[:], text[:8])
		n += copy(hex[n:], text[9:13])
		n += copy(hex[n:], text[14:18])
		n += copy(hex[n:], text[19:23])
		copy(hex[n:], text[24:])
		id.hasTrace = readText(hex[:], exactHex, id.trace[:]) == converted
	}
	e.context.used = e.context.used[:0]
	return id.hasTrace
}
