package enrich

import (
	"math/bits"
	"strconv"

	"github.com/tinylib/msgp/msgp"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// tracePlan is how trace context is looked for and written.
type tracePlan struct {
	order   []format       // highest first; the one whose names are written stands first, unless sources are kept
	rank    [formats]uint8 // place in order; notAsked
	names   [formats][parts][]uint8
	folds   *folds
	own     format // that whose names are written
	decimal bool   // ids are written as Datadog has them
	targets [3]int // slots of the names that are written
	// block is the three fields as msgpack, with room for the digits at the places of at.
	block     []byte
	at        [3]int
	paths     []tracePath
	generate  *record.Path
	metadata  bool // the event's metadata get the ids too
	ownsFirst bool
	plain     bool // no field gets a name that has to do with traces, and no path is looked up: see usual
	anyRecord bool // also a record without any field of a trace's can get one
}

const notAsked = 255

// tracePath is a field that the user has named as one of a format.
type tracePath struct {
	name uint8
	path record.Path
}

func newTracePlan(order []format, naming identity.Naming) *tracePlan {
	t := &tracePlan{order: order, own: formatOTel}
	switch naming {
	case identity.NamingECS:
		t.own = formatElastic
	case identity.NamingDatadog:
		t.own, t.decimal = formatDatadog, true
	}
	for i := range t.rank {
		t.rank[i] = notAsked
	}
	for i, f := range order {
		t.rank[f] = uint8(i)
	}
	t.ownsFirst = t.rank[t.own] == 0
	for i, n := range traceNames {
		if t.rank[n.format] != notAsked {
			t.names[n.format][n.part] = append(t.names[n.format][n.part], nameOf(i))
		}
	}
	t.folds = newFolds(func(f format) bool { return t.rank[f] != notAsked })
	for i, name := range naming.Trace() {
		t.block = msgp.AppendString(t.block, name)
		t.block = append(t.block, [3]string{"\xd9\x20", "\xb0", "\xa2"}[i]...)
		t.at[i] = len(t.block)
		t.block = append(t.block, make([]byte, [3]int{32, 16, 2}[i])...)
	}
	return t
}

// traceContext is what is known of a record's trace. It belongs to one record at a time.
type traceContext struct {
	id      ids
	own     [3]raw // the fields that are written, as the record has them
	vals    [128]raw
	noted   []uint8
	present uint32 // formats with a value, by rank
	used    []int32
	counted uint32 // formats of which a value was invalid, by bit: each counts once a record
	owns    bool   // own has something
}

// Where a value stands that is no top-level field, besides notAField: in the message, or in a map that makes a name of a
// format, as trace does with id.
const (
	inMessage = -2
	inMap     = -3
)

// note keeps a value. Of a name that stands twice the last one counts, and a field at the top beats one inside another.
func (e *editor) note(name uint8, r raw) {
	c := &e.context
	old := &c.vals[name]
	if r.hit < 0 && old.hit >= 0 && old.kind > rawAbsent {
		return
	}
	if old.kind == rawNone {
		c.noted = append(c.noted, name)
	}
	*old = r
	c.present |= 1 << e.tp.rank[traceNames[name-1].format]
}

// forget lets go of everything that points into the record.
func (e *editor) forget() {
	c := &e.context
	for _, name := range c.noted {
		c.vals[name] = raw{}
	}
	c.noted, c.present = c.noted[:0], 0
}

// trace finds the record's trace context and writes it in its target form.
func (e *editor) trace(body []byte) {
	c, t := &e.context, e.tp
	c.used = c.used[:0]
	c.counted = 0
	if t.plain && e.usual(body) {
		return
	}
	if e.seen&roleTrace != 0 {
		e.collect(body)
	}
	for i := range t.paths {
		if v, ok := t.paths[i].path.Find(body); ok {
			r := rawOf(v)
			r.hit = notAField
			e.note(t.paths[i].name, r)
		}
	}
	said := c.present != 0
	f, what := e.resolve()
	if what == nothing && e.readMessage(body) {
		said = said || c.present != 0
		f, what = e.resolve()
	}
	switch {
	case what == converted:
		e.n.of(f).found++
		e.traced = true
		e.finish(f)
	case what == nothing && t.generate != nil && e.generate(body):
		e.n.count[countGenerated]++
		e.traced = true
		e.finish(formats)
	case what == nothing && said && c.counted == 0:
		e.n.count[countTraceAbsent]++
	}
	if c.owns {
		c.own, c.owns = [3]raw{}, false
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
		e.finish(formatW3C)
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

// nothing is the outcome where no field has a trace id, valid or not.
const nothing outcome = 3

// blocked is the outcome where the field for the trace id holds something that is none: nothing else is written there.
const blocked outcome = 4

// resolve asks the formats that are there, highest first, for the trace context.
func (e *editor) resolve() (format, outcome) {
	t := e.tp
	if t.rank[t.own] == notAsked && e.context.own[0].kind > rawAbsent {
		return t.own, e.ownOnly()
	}
	for m := e.context.present; m != 0; m &= m - 1 {
		f := t.order[bits.TrailingZeros32(m)]
		e.context.id.clear()
		switch what := e.read(f); what {
		case converted:
			return f, converted
		case invalid:
			e.invalid(f)
			if f == t.own && e.context.own[0].kind > rawAbsent {
				return f, blocked
			}
		}
	}
	return 0, nothing
}

// ownOnly is for a configuration that does not ask for the format whose names it writes: an id that stands there stays.
func (e *editor) ownOnly() outcome {
	e.context.id = ids{}
	if what := e.read(e.tp.own); what == converted {
		return converted
	}
	e.invalid(e.tp.own)
	return blocked
}

func (e *editor) invalid(f format) {
	if bit := uint32(1) << f; e.context.counted&bit == 0 {
		e.context.counted |= bit
		e.n.of(f).invalid++
	}
}

// read reads the context of one format.
func (e *editor) read(f format) outcome {
	c := &e.context
	result := nothing
	c.used = c.used[:0]
	for _, name := range e.tp.names[f][partWhole] {
		what := absent
		switch r := &c.vals[name]; r.kind {
		case rawNone, rawAbsent:
			continue
		case rawText:
			if what = readWhole(f, r.text, &c.id); what == converted {
				c.used = append(c.used, r.hit)
				return converted
			}
			c.id = ids{}
		default:
			what = invalid
		}
		if what == invalid {
			result = invalid
		}
	}
	how := howOf[f]
	r, what := e.first(f, partTrace, how)
	if what == nothing {
		return result
	}
	if what != converted {
		if what == invalid && f == formatAppInsights {
			return result // an id of the old form, |root.1., or one that has nothing to do with traces
		}
		return what
	}
	c.id.hasTrace = true
	e.use(r)
	if f == formatDatadog {
		e.high()
	}
	e.spanOf(f)
	return converted
}

// howOf is how the ids of a format are written.
var howOf = [formats]digits{formatDatadog: decimalDigits, formatB3: halfHex, formatOpenTracing: paddedHex,
	formatAppInsights: exactHex}

// ownOf is the field that is written, where the format has it.
func (e *editor) ownOf(f format, i int) *raw {
	if f == e.tp.own {
		return &e.context.own[i]
	}
	return &missing
}

var missing raw

// first reads the trace id of a format: from the field that is written, else from the first of its names that has one.
func (e *editor) first(f format, p part, how digits) (*raw, outcome) {
	c := &e.context
	what := nothing
	if f == e.tp.own && c.own[0].kind != rawNone {
		if what = e.readTrace(f, &c.own[0], how); what != absent {
			return &c.own[0], what
		}
	}
	for _, name := range e.tp.names[f][p] {
		r := &c.vals[name]
		if r.kind == rawNone {
			continue
		}
		now := e.readTrace(f, r, how)
		if now == converted {
			return r, converted
		}
		if now == invalid || what == nothing {
			what = now
		}
	}
	if what == absent {
		what = nothing
	}
	return nil, what
}

func (e *editor) readTrace(f format, r *raw, how digits) outcome {
	if f == formatGCP && r.kind == rawText {
		// projects/P/traces/<id>
		for i := len(r.text) - 1; i >= 0; i-- {
			if r.text[i] == '/' {
				tail := *r
				tail.text = r.text[i+1:]
				return readTrace(&tail, exactHex, &e.context.id.trace)
			}
		}
	}
	return readTrace(r, how, &e.context.id.trace)
}

// use marks a field that is converted, so that it goes.
func (e *editor) use(r *raw) {
	e.context.used = append(e.context.used, r.hit)
}

// high puts the upper half of a trace id where Datadog writes it: in a field of its own.
func (e *editor) high() {
	c := &e.context
	for _, name := range e.tp.names[formatDatadog][partHigh] {
		if r := &c.vals[name]; r.kind == rawText && len(r.text) == 16 && zeros(c.id.trace[:16]) {
			var half [16]byte
			if lowerHex(half[:], r.text) {
				copy(c.id.trace[:16], half[:])
				e.use(r)
			}
		}
	}
}

// spanOf reads the span id and the flags of a format whose trace id has been read.
func (e *editor) spanOf(f format) {
	c := &e.context
	how := howOf[f]
	try := func(r *raw, keep bool) bool {
		switch readSpan(r, how, &c.id.span) {
		case converted:
			c.id.hasSpan = true
			if !keep {
				e.use(r)
			}
			return true
		case invalid:
			if f != formatAppInsights {
				e.invalid(f)
			}
		}
		return false
	}
	if own := e.ownOf(f, 1); !c.id.hasSpan && own.kind > rawAbsent {
		try(own, true)
	} else if !c.id.hasSpan {
		for _, name := range e.tp.names[f][partSpan] {
			if try(&c.vals[name], false) {
				break
			}
		}
	}
	if c.own[1].kind > rawAbsent && f == e.tp.own {
		// What stands there stays, an id or not.
	} else if !c.id.hasSpan {
		for _, name := range e.tp.names[f][partOther] {
			if try(&c.vals[name], true) {
				break
			}
		}
	}
	if c.id.hasFlags {
		return
	}
	if own := e.ownOf(f, 2); own.kind > rawAbsent {
		c.id.hasFlags = readFlags(own, &c.id.flags)
		return
	}
	for _, name := range e.tp.names[f][partFlags] {
		if r := &c.vals[name]; readFlags(r, &c.id.flags) {
			c.id.hasFlags = true
			e.use(r)
			break
		}
	}
	for _, name := range e.tp.names[f][partDebug] {
		if r := &c.vals[name]; r.kind == rawInt && r.n == 1 || r.kind == rawText && string(r.text) == "1" {
			c.id.flags, c.id.hasFlags = [2]byte{'0', '1'}, true
			e.use(r)
		}
	}
}

// finish writes what was found in the format f, and takes away the fields that it was in.
func (e *editor) finish(f format) {
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
			e.drop(int(e.hits[hit].slot))
		}
	}
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
