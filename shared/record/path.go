package record

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"flbgo/shared/chunk"
)

// Path names a field of a record. It is immutable and may be shared; the zero Path finds nothing.
//
//	status            the field "status"
//	a.b               the field "a.b" where the record has one, else "b" inside "a"
//	$a.b              the same
//	$.a.b             "b" inside "a", never the field "a.b"
//	$a['b.c'][0]      the first element of the array "b.c" inside "a"; also in double quotes
//	$['it''s']        a field whose name needs quotes; a quote inside them is written twice, as in Fluent Bit
type Path struct {
	text  string
	steps []step
	// dotted is the name that the first dots steps make when they are joined, tried first.
	dotted string
	dots   int
}

// step is one level: a key of a map, or where key is not used the index of an array.
type step struct {
	key   string
	index int // -1 for a key
}

// ParsePath reads the forms that Path shows. The error says what is wrong, at which character, and what is allowed.
func ParsePath(s string) (Path, error) {
	in := pathParser{s: s}
	p := Path{text: s}
	dollar := in.skip('$')
	strict := dollar && in.sees('.')
	if !strict && !(dollar && in.sees('[')) {
		p.steps = append(p.steps, in.name())
		p.dots = 1
	}
	for in.err == nil && in.at < len(s) {
		switch {
		case in.skip('.'):
			if !strict && p.dots == len(p.steps) {
				p.dots++
			}
			p.steps = append(p.steps, in.name())
		case in.sees('['):
			if len(p.steps) == 0 && !in.quoted() {
				in.fail(in.at, "a record is a map, not an array: expected a name in quotes")
			}
			p.steps = append(p.steps, in.bracket())
		default:
			in.fail(in.at, "expected . or [, not %q", s[in.at:in.at+1])
		}
	}
	if in.err != nil {
		return Path{}, in.err
	}
	if p.dots < 2 || strict {
		p.dots = 0
		return p, nil
	}
	names := make([]string, p.dots)
	for i := range names {
		names[i] = p.steps[i].key
	}
	p.dotted = strings.Join(names, ".")
	return p, nil
}

// pathParser reads a path from left to right, up to its first error.
type pathParser struct {
	s   string
	at  int
	err error
}

func (p *pathParser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("field path %q, character %d: %s; examples: status, $.http.status, $labels['app.name'], $items[0]",
			p.s, at+1, fmt.Sprintf(format, args...))
	}
}

func (p *pathParser) sees(c byte) bool { return p.at < len(p.s) && p.s[p.at] == c }

// skip steps over c if that is next.
func (p *pathParser) skip(c byte) bool {
	if !p.sees(c) {
		return false
	}
	p.at++
	return true
}

// quoted says whether a quote is behind the bracket that is next.
func (p *pathParser) quoted() bool {
	return p.at+1 < len(p.s) && (p.s[p.at+1] == '\'' || p.s[p.at+1] == '"')
}

// name reads a name without quotes, which ends before a dot or a bracket.
func (p *pathParser) name() step {
	start := p.at
	for p.at < len(p.s) && strings.IndexByte(".[]'\"", p.s[p.at]) < 0 && p.s[p.at] > ' ' && p.s[p.at] != 0x7f {
		p.at++
	}
	name := p.s[start:p.at]
	switch {
	case name == "" && p.at == len(p.s):
		p.fail(start, "the name of a field is missing")
	case name == "" || name[0] == '$':
		p.fail(start, "%q cannot begin a name; quote it: $['…']", p.s[start:start+1])
	case p.at < len(p.s) && !p.sees('.') && !p.sees('['):
		p.fail(p.at, "%q cannot stand in a name; quote the name: $['…']", p.s[p.at:p.at+1])
	}
	return step{key: name, index: -1}
}

// bracket reads ['name'], ["name"] or [3].
func (p *pathParser) bracket() step {
	start := p.at
	if !p.quoted() {
		end := strings.IndexByte(p.s[start:], ']')
		if end < 0 {
			p.fail(start, "[ is not closed")
			return step{}
		}
		p.at = start + end + 1
		text := p.s[start+1 : p.at-1]
		n, err := strconv.ParseUint(text, 10, 32) // msgpack arrays are no longer
		if err != nil {
			p.fail(start, "[%s] is neither a quoted name nor an index of 0 or more", text)
		}
		return step{index: int(n)}
	}
	quote := p.s[start+1]
	var key strings.Builder
	for p.at += 2; p.at < len(p.s); p.at++ {
		if !p.skip(quote) {
			key.WriteByte(p.s[p.at])
			continue
		}
		if p.skip(']') {
			return step{key: key.String(), index: -1}
		}
		if !p.sees(quote) {
			p.fail(p.at, "expected ] after the closing quote (a quote inside a name is written twice)")
			return step{}
		}
		key.WriteByte(quote)
	}
	p.fail(start, "the quote is not closed")
	return step{}
}

// String is the path as it was given to ParsePath.
func (p Path) String() string { return p.text }

// TopLevel is the name of the field where the path leads to one at the top level of the record. ok is false where it leads
// into another one. A path without a $ is taken for the name of a field, dots included.
func (p Path) TopLevel() (name string, ok bool) {
	switch {
	case len(p.steps) == 1:
		return p.steps[0].key, true
	case p.dots == len(p.steps) && p.dots > 0 && p.text[0] != '$':
		return p.dotted, true
	}
	return "", false
}

// Find looks the field up in a record, a raw msgpack map. ok is false where it is absent or the record is damaged
// before it. Of duplicate keys the last one counts. A value of nil is found.
func (p Path) Find(body []byte) (v Value, ok bool) {
	if len(p.steps) == 0 {
		return nil, false
	}
	if p.dots > 0 {
		if v, ok := lookup(body, p.dotted); ok {
			if v, ok := follow(v, p.steps[p.dots:]); ok {
				return v, true
			}
		}
	}
	return follow(body, p.steps)
}

// Top is the names of the top-level fields in which Find looks: the dotted one, "" where the path has none, and the one
// that the path begins with. The zero Path has neither.
func (p Path) Top() (dotted, first string) {
	if len(p.steps) == 0 {
		return "", ""
	}
	return p.dotted, p.steps[0].key
}

// FindIn is Find for a caller that has the values of the two top-level fields at hand, nil for one that is not there.
func (p Path) FindIn(dotted, first Value) (v Value, ok bool) {
	if dotted != nil && p.dots > 0 {
		if v, ok := follow(dotted, p.steps[p.dots:]); ok {
			return v, true
		}
	}
	if first == nil || len(p.steps) == 0 {
		return nil, false
	}
	return follow(first, p.steps[1:])
}

func follow(v Value, steps []step) (Value, bool) {
	for i := range steps {
		var ok bool
		if steps[i].index < 0 {
			v, ok = lookup(v, steps[i].key)
		} else {
			v, ok = element(v, steps[i].index)
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// lookup is the value of the last pair of the map m that has the key. It ends where the map is damaged.
func lookup(m []byte, key string) (v Value, ok bool) {
	pairs, at, _ := chunk.MapHeader(m)
	for range pairs {
		same := false
		if from, to := textBounds(m, at); to != 0 {
			same = string(m[from:to]) == key
			at = to
		} else if at = next(m, at); at < 0 {
			break
		}
		end := next(m, at)
		if end < 0 {
			break
		}
		if same {
			v, ok = Value(m[at:end:end]), true
		}
		at = end
	}
	return v, ok
}

// element is the element of the array a at an index.
func element(a []byte, index int) (Value, bool) {
	n, size := arrayHeader(a)
	if index >= n {
		return nil, false
	}
	a = a[size:]
	for ; ; index-- {
		size, ok := chunk.Skip(a)
		if !ok {
			return nil, false
		}
		if index == 0 {
			return Value(a[:size:size]), true
		}
		a = a[size:]
	}
}

// arrayHeader is the number of elements of the array at the start of b and the size of its head; 0, 0 for no array.
func arrayHeader(b []byte) (n, size int) {
	switch {
	case len(b) == 0:
	case b[0]&0xf0 == 0x90:
		return int(b[0] & 0x0f), 1
	case b[0] == 0xdc && len(b) >= 3:
		return int(binary.BigEndian.Uint16(b[1:])), 3
	case b[0] == 0xdd && len(b) >= 5:
		return int(binary.BigEndian.Uint32(b[1:])), 5
	}
	return 0, 0
}
