package fieldmetrics

import (
	"bytes"
	"regexp"
	"slices"

	"flbgo/shared/record"
)

// operator is how a condition compares a field.
type operator uint8

const (
	opExists operator = iota
	opEq
	opNeq
	opGt
	opLt
	opGte
	opLte
	opIn
	opNotIn
	opRegex
	opNotRegex
	opAnd // of conditions
	opOr
)

var operatorNames = [...]string{"exists", "eq", "neq", "gt", "lt", "gte", "lte", "in", "not_in", "regex", "not_regex", "and", "or"}

func (o operator) String() string { return operatorNames[o] }

// operand is what a field is compared with. A number compares with numbers and with text that is one; anything else as
// text, for which numbers and booleans have their shortest form.
type operand struct {
	text   string
	number float64
	isNum  bool
}

// condition is one comparison, or several conditions joined.
type condition struct {
	Op       operator
	Field    record.Path
	Operands []operand // one; more for in and not_in
	Regex    *regexp.Regexp
	Exists   bool
	List     []condition // of and, or
}

// matcher is a condition whose field has a number.
type matcher struct {
	*condition
	field int
	list  []matcher
}

func (c *condition) compile(paths *pathList) matcher {
	m := matcher{condition: c, field: -1}
	if c.Op == opAnd || c.Op == opOr {
		for i := range c.List {
			m.list = append(m.list, c.List[i].compile(paths))
		}
	} else {
		m.field = paths.add(c.Field)
	}
	return m
}

// holds tells whether the record meets the condition. neq, not_in and not_regex are the opposites of eq, in and regex:
// they hold where the field is missing, as nothing else but exists: false does. nil is as good as missing.
func (m *matcher) holds(fields *record.Finder, s *scratch) bool {
	switch m.Op {
	case opAnd:
		for i := range m.list {
			if !m.list[i].holds(fields, s) {
				return false
			}
		}
		return true
	case opOr:
		for i := range m.list {
			if m.list[i].holds(fields, s) {
				return true
			}
		}
		return false
	}
	v, ok := fields.Value(m.field)
	ok = ok && v.Type() != record.Nil
	switch m.Op {
	case opExists:
		return ok == m.Exists
	case opEq, opIn:
		return ok && m.isOneOf(v, s)
	case opNeq, opNotIn:
		return !ok || !m.isOneOf(v, s)
	case opRegex:
		return ok && m.Regex.Match(s.textOf(v))
	case opNotRegex:
		return !ok || !m.Regex.Match(s.textOf(v))
	}
	f, isNumber := v.ParseFloat()
	if !ok || !isNumber {
		return false
	}
	n := m.Operands[0].number
	switch m.Op {
	case opGt:
		return f > n
	case opLt:
		return f < n
	case opGte:
		return f >= n
	default:
		return f <= n
	}
}

func (m *matcher) isOneOf(v record.Value, s *scratch) bool {
	f, isNumber := v.ParseFloat()
	text := s.textOf(v)
	return slices.ContainsFunc(m.Operands, func(o operand) bool {
		if o.isNum {
			return isNumber && f == o.number
		}
		return string(text) == o.text
	})
}

// textOf is a value as text, valid until the next call.
func (s *scratch) textOf(v record.Value) []byte {
	if text, ok := v.Text(); ok {
		return text
	}
	s.text = v.AppendText(s.text[:0])
	return bytes.TrimSpace(s.text)
}
