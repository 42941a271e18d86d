package enrich

import (
	"slices"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/record"
)

// role is a set of the things that a field's name can matter for.
type role uint16

const (
	roleRemove   role = 1 << iota
	roleRename        // the old name of a rename
	roleDuration      // the old name of a duration
	roleTrace         // holds trace context, or is one of the fields that it is written to
	roleLevel
	roleSeverity
	roleStatus
	roleMessage
	rolePath // values of attributes are made of it
	roleAttribute
)

// slot is one field name that the configuration has an interest in. Slots are known by their index in plan.slots.
type slot struct {
	name   string
	raw    []byte // the name as msgpack
	roles  role
	trace  uint8 // number of a trace name or container
	target uint8 // of a field that trace context is written to its place in tracePlan.targets, plus one
}

// entry is a name with the number of its slot; "" where the entry is free.
type entry struct {
	name string
	slot int
}

// none is the slot that is not there.
const none = -1

// move gives the field of one slot the name of another.
type move struct{ from, to int }

// plan is a configuration in the form that Apply works with. It does not change and is shared by all calls; where the
// sources of attributes say something new, there is a new one.
type plan struct {
	slots []slot
	// first and last have by first and by last byte a bit for each length that names have; bit 31 is for all from 31 on.
	// Most names that are of no interest end here.
	first, last [256]uint32
	// index finds slots by the hash of their name. Taken entries move on to the next.
	index []entry
	shift uint8 // what is left of a hash by this shift is its place in index

	renames   []move // in the order of the option, and so the durations
	durations []move
	leaves    []leaf
	dynamic   []int // the leaves that depend on the record
	nodes     []node
	level     int // slots or none
	severity  int
	status    int
	messages  []int
	tp        *tracePlan // nil where no trace is looked for
	textIDs   [len(textNames)]uint8
	folded    []int // slots of trace names in any spelling, by their number
	overwrite bool
	keepTrace bool
}

// newPlan makes the plan of a configuration, with what the sources of attributes have said.
func newPlan(c *Config, found []identity.Attribute) *plan {
	p := &plan{level: none, status: none, severity: none, overwrite: c.Overwrite, keepTrace: c.KeepTrace}
	for _, name := range c.Remove {
		p.slot(name, roleRemove)
	}
	for _, m := range c.Rename {
		p.renames = append(p.renames, move{p.slot(m.Key, roleRename), p.slot(m.Value, 0)})
	}
	for _, m := range c.Durations {
		p.durations = append(p.durations, move{p.slot(m.Key, roleDuration), p.slot(m.Value, 0)})
	}
	if c.Level != "" {
		p.level = p.slot(c.Level, roleLevel)
		if c.Severity != "" {
			p.severity = p.slot(c.Severity, roleSeverity)
		}
	}
	if c.Status != "" {
		p.status = p.slot(c.Status, roleStatus)
	}
	for _, name := range c.Messages {
		p.messages = append(p.messages, p.slot(name, roleMessage))
	}
	if len(c.Trace) > 0 {
		p.planTrace(c)
	}
	p.planAttributes(c, found)
	p.buildIndex()
	return p
}

func (p *plan) planTrace(c *Config) {
	t := newTracePlan(c.Trace, c.Naming)
	p.tp = t
	t.generate, t.metadata = c.Generate, c.Metadata
	p.textIDs = newTextIDs(t)
	for i, name := range c.Naming.Trace() {
		t.targets[i] = p.slot(name, roleTrace)
		p.slots[t.targets[i]].target = uint8(i + 1)
	}
	for i := range p.slots {
		s := &p.slots[i]
		if s.trace = t.folds.lookup("", []byte(s.name)); s.trace != noName {
			s.roles |= roleTrace
		}
	}
	for _, tp := range c.TracePaths {
		name := p.traceNameOf(tp.format)
		field, ok := tp.path.TopLevel()
		if ok {
			p.slots[p.slot(field, roleTrace)].trace = name
		}
		if dotted, _ := tp.path.Top(); ok && dotted == "" {
			continue
		}
		t.paths = append(t.paths, tracePath{name, tp.path})
	}
	t.plain = len(t.paths) == 0
	for _, moves := range [][]move{p.renames, p.durations} {
		for _, m := range moves {
			t.plain = t.plain && p.slots[m.to].roles&roleTrace == 0
		}
	}
	t.anyRecord = len(t.paths) > 0 || t.generate != nil
	p.folded = make([]int, len(traceNames)+len(containers)+1)
	for i := range p.folded {
		p.folded[i] = none
	}
	for _, f := range t.folds.index {
		if f.id == noName || p.folded[f.id] != none {
			continue
		}
		name := ""
		if isContainer(f.id) {
			name = containerAt(f.id).name
		} else {
			name = traceNames[f.id-1].name
		}
		p.slots = append(p.slots, slot{"", msgp.AppendString(nil, name), roleTrace, f.id, 0})
		p.folded[f.id] = len(p.slots) - 1
	}
}

// traceNameOf is the number of the name that stands for a format: of the text that has everything, else of the trace id.
func (p *plan) traceNameOf(f format) uint8 {
	for _, of := range []part{partWhole, partTrace} {
		if names := p.tp.names[f][of]; len(names) > 0 {
			return names[0]
		}
	}
	return noName
}

// planAttributes makes the tree of the fields that attributes are written to.
func (p *plan) planAttributes(c *Config, found []identity.Attribute) {
	for _, a := range c.all(found) {
		l := leaf{sources: a.sources}
		for _, t := range a.sources {
			l.ofRecord = l.ofRecord || t.ofRecord()
			for i := range t {
				switch t[i].kind {
				case piecePath:
					dotted, first := t[i].path.Top()
					if dotted != "" {
						p.slot(dotted, rolePath)
					}
					p.slot(first, rolePath)
				case piecePod:
					p.slot(podField, rolePath)
				}
			}
		}
		if c.Level != "" && len(a.path) == 1 && a.path[0] == c.Level {
			l.level = true
			p.leaves = append(p.leaves, l)
			continue // normaliseLevel writes it
		}
		if !p.addNode(&p.nodes, a.path, len(p.leaves)) {
			continue
		}
		if l.ofRecord {
			p.dynamic = append(p.dynamic, len(p.leaves))
		}
		p.leaves = append(p.leaves, l)
	}
	for i := range p.nodes {
		n := &p.nodes[i]
		n.slot = p.slot(n.name, roleAttribute)
		n.dynamic = n.ofRecord(p)
	}
}

// addNode adds a leaf at a path of names. It is false where the place is taken, or what is above it is no map: a higher
// source has been there.
func (p *plan) addNode(nodes *[]node, path []string, leaf int) bool {
	for i := range *nodes {
		if n := &(*nodes)[i]; n.name == path[0] {
			return len(path) > 1 && n.leaf == none && p.addNode(&n.kids, path[1:], leaf)
		}
	}
	if len(*nodes) == maxKids && nodes != &p.nodes {
		return false
	}
	n := node{name: path[0], key: msgp.AppendString(nil, path[0]), slot: none, leaf: none}
	if len(path) == 1 {
		n.leaf = leaf
	} else {
		p.addNode(&n.kids, path[1:], leaf)
	}
	*nodes = append(*nodes, n)
	return true
}

// slot is the number of a name, which gets the role.
func (p *plan) slot(name string, r role) int {
	for i := range p.slots {
		if p.slots[i].name == name {
			p.slots[i].roles |= r
			return i
		}
	}
	s := slot{name: name, raw: msgp.AppendString(nil, name), roles: r}
	if p.tp != nil {
		if s.trace = p.tp.folds.lookup("", []byte(name)); s.trace != noName {
			s.roles |= roleTrace
		}
	}
	p.slots = append(p.slots, s)
	return len(p.slots) - 1
}

func (p *plan) buildIndex() {
	p.shift = 32 - 8
	for 1<<(32-p.shift) < 4*len(p.slots) {
		p.shift--
	}
	p.index = make([]entry, 1<<(32-p.shift))
	for i := range p.slots {
		p.addName(p.slots[i].name, i)
	}
	if p.tp == nil {
		return
	}
	for i := range p.first {
		p.first[i] |= p.tp.folds.first[i]
		p.last[i] |= p.tp.folds.last[i]
	}
	for _, n := range traceNames {
		p.addName(n.name, p.folded[p.tp.folds.lookup("", []byte(n.name))])
	}
	for _, name := range usualNames {
		p.addName(name, p.folded[p.tp.folds.lookup("", []byte(name))])
	}
	for _, name := range likeNames {
		p.addName(name, none)
	}
}

// addName puts a name into the index, unless it is there.
func (p *plan) addName(name string, slot int) {
	if name == "" {
		return
	}
	bit := uint32(1) << min(len(name), 31)
	p.first[name[0]] |= bit
	p.last[name[len(name)-1]] |= bit
	at := hash([]byte(name)) >> p.shift
	for p.index[at].name != "" {
		if p.index[at].name == name {
			return
		}
		at = (at + 1) % uint32(len(p.index))
	}
	p.index[at] = entry{name, slot}
}

// hash is a hash of a name that is not empty, by its length and three of its bytes.
func hash(name []byte) uint32 {
	n := len(name)
	return (uint32(n) ^ uint32(name[0])<<8 ^ uint32(name[n-1])<<16 ^ uint32(name[n/2])<<24) * 0x9e3779b1
}

// find is the slot of a name, which is not empty, or none.
func (p *plan) find(name []byte) int {
	for at := hash(name) >> p.shift; ; at = (at + 1) % uint32(len(p.index)) {
		e := &p.index[at]
		if e.name == "" {
			break
		}
		if e.name == string(name) {
			return e.slot
		}
	}
	if p.tp != nil && p.tp.folds.may(name) {
		return p.folded[p.tp.folds.lookup("", name)]
	}
	return none
}

// slotOf is the slot of a name that has one of its own.
func (p *plan) slotOf(name string) int {
	if name == "" {
		return none
	}
	return p.find([]byte(name))
}

// nothing says that the configuration leaves every record as it is.
func (p *plan) nothing() bool { return len(p.slots) == 0 }

// pathOf are the names of the maps and of the field in them that an attribute is written to. Datadog's own names have no
// dots, so that service.namespace beside its service cannot go into a map of that name.
func (c *Config) pathOf(name string) []string {
	name = c.Naming.Of(name)
	path := []string{name}
	if first, _, _ := strings.Cut(name, "."); c.Nested && !(c.Naming == identity.NamingDatadog && slices.Contains(datadogFields, first)) {
		path = strings.Split(name, ".")
	}
	if c.Under != "" {
		path = append([]string{c.Under}, path...)
	}
	return path
}

var datadogFields = []string{"service", "version", "env", "host", "region", "zone"}

// tracePathConfig is a field that the user has named for a format.
type tracePathConfig struct {
	format format
	path   record.Path
}
