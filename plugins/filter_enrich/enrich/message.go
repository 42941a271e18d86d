package enrich

import (
	"bytes"

	jsoniter "github.com/json-iterator/go"

	"flbgo/shared/record"
)

// messageReader reads trace fields and the level out of the text of a message: JSON, which container runtimes put into
// the field log, or text with k=v in it.
type messageReader struct {
	iter    *jsoniter.Iterator
	skipped []byte // what the iterator has stepped over last
	read    bool   // the record's message has been read
	level   []byte // the level in it, text or number as it stands, nil for none
}

// maxJSONDepth bounds how deep JSON is followed.
const maxJSONDepth = 32

var jsonConfig = jsoniter.Config{}.Froze()

// levelNames are what loggers call the level in JSON, besides the name that the option level has.
var levelNames = [...]string{"level", "severity", "lvl", "levelname", "log.level", "@l", "loglevel"}

// readMessage reads the record's message, once. It says whether there is one.
func (e *editor) readMessage(body []byte) bool {
	m := &e.message
	if m.read || e.messages == nil || e.seen&roleMessage == 0 {
		return false
	}
	m.read = true
	for _, slot := range e.messages {
		h := e.lastOf(slot)
		if h == nil {
			continue
		}
		text, ok := h.of(body).Text()
		if !ok || len(text) == 0 {
			continue
		}
		if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
			e.jsonObject(trimmed[:len(trimmed):len(trimmed)], 0, "", maxContainers, 0)
		} else if e.tp != nil {
			e.textPatterns(text)
		}
		return true
	}
	return false
}

// jsonObject notes the members of the object at b[at:] and returns what is behind it, -1 where it is no JSON. look is
// how many containers deep names are still looked for, 0 for not at all. The iterator steps over scalars; names and
// structure are walked here, because it makes a string of every name.
func (e *editor) jsonObject(b []byte, at int, prefix string, look, depth int) int {
	if depth == maxJSONDepth {
		return -1
	}
	at = space(b, at+1)
	if at < len(b) && b[at] == '}' {
		return at + 1
	}
	for {
		if at >= len(b) || b[at] != '"' {
			return -1
		}
		n := nameLen(b[at+1:])
		if n < 0 {
			return -1
		}
		key := b[at+1 : at+1+n]
		at = space(b, at+n+2)
		if at >= len(b) || b[at] != ':' {
			return -1
		}
		at = space(b, at+1)
		from := at
		name := uint8(noName)
		if look > 0 && len(key) > 0 && e.tp != nil && (prefix != "" || e.tp.folds.may(key)) {
			name = e.tp.folds.lookup(prefix, key)
		}
		inner, below := "", 0
		if isContainer(name) {
			inner, below = containerAt(name).prefix, look-1
			if at < len(b) && b[at] == '[' && !containerAt(name).array {
				below = 0
			}
		}
		if at = e.jsonValue(b, at, inner, below, depth+1); at < 0 {
			return -1
		}
		switch {
		case name != noName && !isContainer(name):
			e.noteJSON(name, b[from:at])
		case depth == 0 && e.message.level == nil && e.isLevelName(key):
			e.message.level = b[from:at]
		}
		at = space(b, at)
		switch {
		case at >= len(b):
			return -1
		case b[at] == '}':
			return at + 1
		case b[at] != ',':
			return -1
		}
		at = space(b, at+1)
	}
}

// jsonValue steps over a value, and looks into one that may hold names.
func (e *editor) jsonValue(b []byte, at int, prefix string, look, depth int) int {
	if at >= len(b) {
		return -1
	}
	switch b[at] {
	case '{':
		return e.jsonObject(b, at, prefix, look, depth)
	case '[':
		if depth == maxJSONDepth {
			return -1
		}
		if at = space(b, at+1); at < len(b) && b[at] == ']' {
			return at + 1
		}
		for {
			if at = e.jsonValue(b, at, prefix, look, depth+1); at < 0 {
				return -1
			}
			at = space(b, at)
			switch {
			case at >= len(b):
				return -1
			case b[at] == ']':
				return at + 1
			case b[at] != ',':
				return -1
			}
			at = space(b, at+1)
		}
	case '"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 't', 'f', 'n':
	default:
		return -1
	}
	m := &e.message
	if m.iter == nil {
		m.iter = jsoniter.NewIterator(jsonConfig)
		m.skipped = make([]byte, 0, 256)
	}
	m.iter.Error = nil
	m.iter.ResetBytes(b[at:])
	m.skipped = m.iter.SkipAndAppendBytes(m.skipped[:0])
	if n := len(m.skipped); n > 0 && (m.iter.Error == nil || at+n == len(b)) {
		return at + n
	}
	return -1
}

// nameLen is the length of the name that ends in the first quote of b that no backslash escapes, -1 for none. A name with
// an escape in it is none of those that are looked for.
func nameLen(b []byte) int {
	for n := 0; ; n++ {
		i := bytes.IndexByte(b[n:], '"')
		if i < 0 {
			return -1
		}
		n += i
		if escapes := n - len(bytes.TrimRight(b[:n], `\`)); escapes%2 == 0 {
			return n
		}
	}
}

func space(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

func (e *editor) isLevelName(key []byte) bool {
	if e.level == none {
		return false
	}
	if string(key) == e.slots[e.level].name {
		return true
	}
	for _, name := range levelNames {
		if string(key) == name {
			return true
		}
	}
	return false
}

// noteJSON notes a scalar of JSON. An id has no escapes; text that has is left.
func (e *editor) noteJSON(name uint8, token []byte) {
	r := raw{kind: rawOther, hit: inMessage}
	switch c := token[0]; {
	case c == '"' && len(token) >= 2:
		if text := token[1 : len(token)-1]; bytes.IndexByte(text, '\\') < 0 {
			r = rawOfText(text)
			r.hit = inMessage
		}
	case c == 'n':
		r.kind = rawAbsent
	case c == 't':
		r.kind, r.n = rawBool, 1
	case c == 'f':
		r.kind = rawBool
	case c-'0' <= 9:
		if n, ok := parseUint(token); ok {
			r.kind, r.n = rawInt, n
		}
	}
	e.note(name, r)
}

// textNames are what stands before = in text, with the names that it means.
var textNames = [...]struct{ text, name string }{
	{"trace_id", "trace_id"},
	{"traceId", "trace_id"},
	{"trace.id", "trace.id"},
	{"traceparent", "traceparent"},
	{"dd.trace_id", "dd.trace_id"},
	{"span_id", "span_id"},
	{"spanId", "span_id"},
	{"span.id", "span.id"},
	{"dd.span_id", "dd.span_id"},
	{"trace_flags", "trace_flags"},
	{"trace_sampled", "trace_sampled"},
	{"dt.trace_id", "dt.trace_id"},
	{"dt.span_id", "dt.span_id"},
	{"dt.trace_sampled", "dt.trace_sampled"},
}

const longestTextName = len("dt.trace_sampled")

// textPatterns notes what stands behind name= in text, after a separator, behind "name": where JSON stands behind text, as
// zap's console encoder writes it, and behind TID:.
func (e *editor) textPatterns(text []byte) {
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], '=')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		e.textName(text, i, at)
	}
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(`":`))
		if i < 0 {
			break
		}
		i += at
		at = i + 2
		e.textName(text, i, space(text, at))
	}
	// SkyWalking's own id is none of a trace, and is left; other loggers write an id there.
	if i := bytes.Index(text, []byte("TID:")); i >= 0 && (i == 0 || !isNameByte(text[i-1])) {
		if v := value(bytes.TrimLeft(text[i+4:], " ")); len(v) == 32 {
			e.noteText(e.textIDs[0], v)
		}
	}
}

// textName notes the value at text[at:] if the name that ends at text[end] is one.
func (e *editor) textName(text []byte, end, at int) {
	from := end
	for from > 0 && end-from <= longestTextName && isNameByte(text[from-1]) {
		from--
	}
	if end-from < len("spanId") || end-from > longestTextName {
		return
	}
	for j := range textNames {
		if n := &textNames[j]; n.text == string(text[from:end]) {
			e.noteText(e.textIDs[j], value(text[at:]))
			return
		}
	}
}

func (e *editor) noteText(name uint8, v []byte) {
	if name != noName && e.context.vals[name].hit != inMessage { // the first counts: what comes later may be a user's words
		r := rawOfText(v)
		r.hit = inMessage
		e.note(name, r)
	}
}

func isNameByte(c byte) bool {
	return c-'0' <= 9 || c|0x20-'a' < 26 || c == '_' || c == '.' || c == '-'
}

// value is the id at the start of text, behind a quote where there is one.
func value(text []byte) []byte {
	if len(text) > 0 && (text[0] == '"' || text[0] == '\'') {
		text = text[1:]
	}
	n := 0
	for n < len(text) && (text[n]-'0' <= 9 || text[n]|0x20-'a' < 26 || text[n] == '-' || text[n] == '/') {
		n++
	}
	return text[:n:n]
}

// newTextIDs are the numbers of the names of textNames, noName for those of formats that are not asked.
func newTextIDs(t *tracePlan) (ids [len(textNames)]uint8) {
	for i, n := range textNames {
		for j := range traceNames {
			if traceNames[j].name == n.name && t.rank[traceNames[j].format] != notAsked {
				ids[i] = nameOf(j)
			}
		}
	}
	return ids
}

// levelOfMessage is the level that the message has, as a value of the record would be.
func (e *editor) levelOfMessage(body []byte) record.Value {
	e.readMessage(body)
	token := e.message.level
	switch {
	case len(token) < 2 && (len(token) == 0 || token[0]-'0' > 9):
		return nil
	case token[0] == '"':
		text := token[1 : len(token)-1]
		if len(text) > 31 || bytes.IndexByte(text, '\\') >= 0 {
			return nil
		}
		e.levelText = append(append(e.levelText[:0], 0xa0|byte(len(text))), text...)
		return e.levelText
	}
	n, ok := parseUint(token)
	if !ok || n > 127 {
		return nil
	}
	e.levelText = append(e.levelText[:0], byte(n))
	return e.levelText
}
