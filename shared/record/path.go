package record

import (
	"encoding/binary"
	"errors"
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
//	$['odd name']     a field whose name needs quotes
//
// Inside quotes the quote itself is written twice, as Fluent Bit does it: $a['it”s'].
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

// maxIndex bounds what a path may ask for; msgpack arrays are no longer.
const maxIndex = 1<<32 - 1

// ParsePath reads the forms that Path shows. The error says what is wrong, at which character, and what is allowed.
func ParsePath(s string) (Path, error) {
	p := Path{text: s}
	wrong := func(at int, format string, args ...any) (Path, error) {
		return Path{}, fmt.Errorf("field path %q, character %d: %s; examples: status, $.http.status, $labels['app.name'], $items[0]",
			s, at+1, fmt.Sprintf(format, args...))
	}
	rest, dollar := strings.CutPrefix(s, "$")
	at := len(s) - len(rest)
	if rest == "" {
		return wrong(at, "the name of a field is missing")
	}
	strict := dollar && rest[0] == '.'
	named := !strict // the next thing is a name without a dot before it
	if dollar && rest[0] == '[' {
		named = false
	}
	for first := true; at < len(s); first = false {
		switch {
		case named || s[at] == '.':
			if !named {
				at++
			}
			named = false
			end := at
			for end < len(s) && !strings.ContainsRune(".[]'\"", rune(s[end])) && s[end] > ' ' && s[end] != 0x7f {
				end++
			}
			if end == at {
				if at == len(s) {
					return wrong(at, "the name of a field is missing")
				}
				return wrong(at, "%q cannot begin a name; quote it: $['…']", s[at:at+1])
			}
			if end < len(s) && s[end] != '.' && s[end] != '[' {
				return wrong(end, "%q cannot stand in a name; quote the name: $['…']", s[end:end+1])
			}
			p.steps = append(p.steps, step{key: s[at:end], index: -1})
			if !strict && p.dots == len(p.steps)-1 {
				p.dots++
			}
			at = end
		case s[at] == '[':
			st, size, err := bracket(s[at:])
			if err != nil {
				return wrong(at, "%v", err)
			}
			if first && st.index >= 0 {
				return wrong(at, "a record is a map, not an array: expected a name in quotes")
			}
			p.steps = append(p.steps, st)
			at += size
		default:
			return wrong(at, "expected . or [, not %q", s[at:at+1])
		}
	}
	if p.dots > 1 {
		names := make([]string, p.dots)
		for i := range names {
			names[i] = p.steps[i].key
		}
		p.dotted = strings.Join(names, ".")
	} else {
		p.dots = 0
	}
	return p, nil
}

// bracket reads ['name'], ["name"] or [3] at the start of s.
func bracket(s string) (st step, size int, err error) {
	if len(s) < 2 {
		return st, 0, errors.New("[ is not closed")
	}
	if q := s[1]; q == '\'' || q == '"' {
		var key strings.Builder
		for i := 2; i < len(s); i++ {
			switch {
			case s[i] != q:
				key.WriteByte(s[i])
			case i+1 < len(s) && s[i+1] == q:
				key.WriteByte(q)
				i++
			case i+1 < len(s) && s[i+1] == ']':
				return step{key: key.String(), index: -1}, i + 2, nil
			default:
				return st, 0, fmt.Errorf("expected ] after the closing quote (a quote inside a name is written twice)")
			}
		}
		return st, 0, errors.New("the quote is not closed")
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return st, 0, errors.New("[ is not closed")
	}
	n, err := strconv.ParseUint(s[1:end], 10, 64)
	if err != nil || n > maxIndex {
		return st, 0, fmt.Errorf("[%s] is neither a quoted name nor an index of 0 or more", s[1:end])
	}
	return step{index: int(n)}, end + 1, nil
}

// String is the path as it was given to ParsePath.
func (p Path) String() string { return p.text }

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
