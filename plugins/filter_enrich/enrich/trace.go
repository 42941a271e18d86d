package enrich

import (
	"math/bits"

	"github.com/tinylib/msgp/msgp"

	"flbgo/plugins/filter_enrich/identity"
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
	c.counted, c.present = 0, 0
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
		e.finish(f, body)
	case what == nothing && t.generate != nil && e.generate(body):
		e.n.count[countGenerated]++
		e.traced = true
		e.finish(formats, body)
	case what == nothing && said && c.counted == 0:
		e.n.count[countTraceAbsent]++
	}
	if c.owns {
		c.own, c.owns = [3]raw{}, false
	}
}

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
