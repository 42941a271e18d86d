package enrich

import "bytes"

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
	if f == formatDatadog && r != &c.own[0] { // where dd.trace_id is what is written, its upper half stays where it is
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

// high puts the upper half of a trace id where Datadog writes it: in a field of its own, or among others in the header
// x-datadog-tags, which stays.
func (e *editor) high() {
	c := &e.context
	for _, name := range e.tp.names[formatDatadog][partHigh] {
		r := &c.vals[name]
		if r.kind <= rawAbsent || !zeros(c.id.trace[:16]) {
			continue
		}
		text := r.text
		if name == datadogTagsName {
			tag := bytes.Index(text, highTag)
			if tag < 0 || tag > 0 && text[tag-1] != ',' {
				continue
			}
			text, _, _ = bytes.Cut(text[tag+len(highTag):], []byte(","))
		}
		var half [16]byte
		if len(text) != len(half) || !lowerHex(half[:], text) {
			e.invalid(formatDatadog)
			continue
		}
		copy(c.id.trace[:16], half[:])
		if name != datadogTagsName {
			e.use(r)
		}
	}
}

var highTag = []byte("_dd.p.tid=")

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
		if c.id.hasFlags = readFlags(own, &c.id.flags); !c.id.hasFlags {
			e.invalid(f)
		}
		return
	}
	for _, name := range e.tp.names[f][partFlags] {
		r := &c.vals[name]
		if c.id.hasFlags = readFlags(r, &c.id.flags); c.id.hasFlags {
			e.use(r)
			break
		}
		if r.kind > rawAbsent {
			e.invalid(f)
		}
	}
	for _, name := range e.tp.names[f][partDebug] {
		if r := &c.vals[name]; r.kind == rawInt && r.n == 1 || r.kind == rawText && string(r.text) == "1" {
			c.id.flags, c.id.hasFlags = [2]byte{'0', '1'}, true
			e.use(r)
		}
	}
}
