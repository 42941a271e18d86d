package enrich

import (
	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

// role is a set of the things that a field's name can matter for.
type role uint16

const (
	roleRemove   role = 1 << iota
	roleRename        // the old name of a rename
	roleDuration      // the old name of a duration
	roleTraceparent
	roleLevel
	roleStatus
	roleTraceID // trace_id, span_id or trace_flags
	roleAttribute
)

// slot is one field name that the configuration has an interest in. Slots are known by their index in plan.slots.
type slot struct {
	name  string
	raw   []byte // the name as msgpack
	roles role
}

// none is the slot that is not there.
const none = -1

// move gives the field of one slot the name of another.
type move struct{ from, to int }

// addition is one attribute.
type addition struct {
	slot  int
	value template
}

// plan is a configuration in the form that Apply works with. It does not change and is shared by all calls.
type plan struct {
	slots []slot
	// lengths has by first byte a bit for each length that names which begin so have; bit 31 is for all from 31 on. Most
	// names that are of no interest end here.
	lengths [256]uint32
	// index finds slots by hash: the slot's number plus one, 0 for none. Taken entries move on to the next.
	index []uint16
	shift uint8 // what is left of a hash by this shift is its place in index

	renames     []move // in the order of the option, and so the durations and attributes
	durations   []move
	attributes  []addition
	level       int // slots or none
	status      int
	traceparent int
	traceIDs    [3]int       // in the order of traceNames; none where traceparent is off
	nested      *record.Path // where the traceparent may stand below the top level
	overwrite   bool
	keepTrace   bool
}

func newPlan(c *Config) *plan {
	p := &plan{
		level: none, status: none, traceparent: none, traceIDs: [3]int{none, none, none},
		overwrite: c.Overwrite, keepTrace: c.KeepTrace,
	}
	for _, name := range c.Remove {
		p.slot(name, roleRemove)
	}
	for _, m := range c.Rename {
		p.renames = append(p.renames, move{p.slot(m.Key, roleRename), p.slot(m.Value, 0)})
	}
	for _, m := range c.Durations {
		p.durations = append(p.durations, move{p.slot(m.Key, roleDuration), p.slot(m.Value, 0)})
	}
	if c.Traceparent != "" {
		whole, first := pathNames(c.Traceparent)
		if whole != "" {
			p.traceparent = p.slot(whole, roleTraceparent)
		}
		if first != "" && first != whole {
			path, err := record.ParsePath(c.Traceparent)
			if err == nil { // load has seen that it is valid
				p.nested = &path
			}
		}
		for i, name := range traceNames {
			p.traceIDs[i] = p.slot(name, roleTraceID)
		}
	}
	if c.Level != "" {
		p.level = p.slot(c.Level, roleLevel)
	}
	if c.Status != "" {
		p.status = p.slot(c.Status, roleStatus)
	}
	for _, a := range c.Attributes {
		p.attributes = append(p.attributes, addition{p.slot(a.Name, roleAttribute), a.value})
	}
	p.buildIndex()
	return p
}

// slot is the number of a name, which gets the role.
func (p *plan) slot(name string, r role) int {
	for i := range p.slots {
		if p.slots[i].name == name {
			p.slots[i].roles |= r
			return i
		}
	}
	p.slots = append(p.slots, slot{name, msgp.AppendString(nil, name), r})
	return len(p.slots) - 1
}

func (p *plan) buildIndex() {
	p.shift = 32 - 6
	for 1<<(32-p.shift) < 4*len(p.slots) {
		p.shift--
	}
	p.index = make([]uint16, 1<<(32-p.shift))
	for i := range p.slots {
		name := []byte(p.slots[i].name)
		p.lengths[name[0]] |= 1 << min(len(name), 31)
		at := hash(name) >> p.shift
		for p.index[at] != 0 {
			at = (at + 1) % uint32(len(p.index))
		}
		p.index[at] = uint16(i + 1)
	}
}

// hash is a hash of a name that is not empty, by its length and three of its bytes.
func hash(name []byte) uint32 {
	n := len(name)
	return (uint32(n) ^ uint32(name[0])<<8 ^ uint32(name[n-1])<<16 ^ uint32(name[n/2])<<24) * 0x9e3779b1
}

// find is the slot of a name, which is not empty, or none.
func (p *plan) find(name []byte) int {
	for at := hash(name) >> p.shift; ; at = (at + 1) % uint32(len(p.index)) {
		i := int(p.index[at]) - 1
		if i < 0 || p.slots[i].name == string(name) {
			return i
		}
	}
}

// nothing says that the configuration leaves every record as it is.
func (p *plan) nothing() bool {
	return len(p.slots) == 0 && p.nested == nil
}
