package enrich

import (
	"math"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// scan walks the fields once and collects those that have a slot. It is false for a map that is not complete, which
// chunk.Reader does not let through, and for one whose size passes 32 bits.
func (e *editor) scan(body []byte) bool {
	pairs, at, ok := chunk.MapHeader(body)
	if !ok || uint64(len(body)) > math.MaxUint32 {
		return false
	}
	e.clearFields()
	p, hits, seen := e.plan, e.hits[:0], role(0)
	e.hits = hits
	e.pairs, e.size = pairs, at
	for range pairs {
		if at >= len(body) {
			return false
		}
		key, start := at, at+1
		n := int(body[at]) - 0xa0
		if at = start + n; uint(n) > 31 {
			size, ok := chunk.Skip(body[key:])
			if !ok {
				return false
			}
			text, _ := record.Value(body[key : key+size]).Text()
			at = key + size
			start, n = at-len(text), len(text)
		}
		value := at
		if at >= len(body) {
			return false
		}
		if c := body[at]; c&0xe0 == 0xa0 {
			at += 1 + int(c&0x1f)
		} else if size := int(shortSize[c]); size != 0 {
			at += size
		} else {
			size, ok := chunk.Skip(body[at:])
			if !ok {
				return false
			}
			at += size
		}
		if n == 0 || p.first[body[start]]>>min(n, 31)&1 == 0 || p.last[body[start+n-1]]>>min(n, 31)&1 == 0 || at > len(body) {
			continue
		}
		if slot := p.find(body[start : start+n]); slot != none {
			hits = append(hits, hit{slot: int32(slot), key: uint32(key), value: uint32(value), end: uint32(at)})
			seen |= p.slots[slot].roles
		}
	}
	e.hits, e.seen = hits, seen
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
	e.traceHits, e.targetHits = 0, 0
	for i := range e.hits {
		h := &e.hits[i]
		s := &e.slots[h.slot]
		if s.roles&(roleRemove|roleTrace) != 0 {
			if s.roles&roleRemove != 0 {
				h.dropped, e.changed = true, true
				continue
			}
			e.traceHits++
			e.traceAt = int32(i)
			if s.target != 0 {
				e.targetHits++
			}
		}
		f := &e.fields[h.slot]
		f.count++
		f.last = int32(i)
	}
}

// clearFields forgets the fields of the last record. What has another name by now has been forgotten under the old one.
func (e *editor) clearFields() {
	for i := range e.hits {
		e.fields[e.hits[i].slot] = field{}
	}
}
