package enrich

// clearFor makes a name free for a field that is to get it, and is false where the field with that name stays.
func (e *editor) clearFor(slot int) bool {
	if e.fields[slot].count == 0 {
		return true
	}
	if !e.overwrite {
		e.n.count[countConflicts]++
		return false
	}
	e.drop(slot)
	return true
}

// drop leaves out all fields of a slot.
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

// rename gives fields their new names, one rule after the other, so that of two for the same name the first that finds
// its field wins, or where fields are overwritten the last.
func (e *editor) rename() {
	for _, m := range e.renames {
		if e.fields[m.from].count > 0 && e.clearFor(m.to) {
			e.name(m)
		}
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
