package fieldmetrics

import (
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"flbgo/shared/record"
)

// maxConditionDepth bounds how deep and and or are nested.
const maxConditionDepth = 16

// conditions reads a list of conditions; a single one needs no list.
func (f *metricsFile) conditions(n *yaml.Node, path string, depth int) (list []condition) {
	if depth > maxConditionDepth {
		f.fail(n.Line, "%sconditions are nested deeper than the %d levels that are allowed", dotted(path, ""), maxConditionDepth)
		return nil
	}
	if n.Kind == yaml.MappingNode {
		return f.condition(n, path, depth)
	}
	for i, item := range f.items(n, path) {
		list = append(list, f.condition(item, fmt.Sprintf("%s[%d]", path, i), depth)...)
	}
	return list
}

// condition reads one mapping: the comparisons of a field, or conditions joined by and, or. What it returns holds as a
// whole.
func (f *metricsFile) condition(n *yaml.Node, path string, depth int) (list []condition) {
	before := len(f.errs)
	pairs := f.pairs(n, path, conditionKeys)
	if len(pairs) == 0 {
		if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			f.fail(n.Line, "%sis empty; example: {field: status, gte: 500}", dotted(path, ""))
		}
		return nil
	}
	var field record.Path
	named, joined, compared := false, false, false
	for _, p := range pairs {
		at := path + "." + p.key
		switch p.key {
		case "field":
			named = true
			text, ok := f.scalar(p.value, at)
			if !ok {
				continue
			}
			var err error
			if field, err = record.ParsePath(text); err != nil {
				f.fail(p.line, "%s%v", dotted(at, ""), err)
			}
		case "and", "or":
			joined = true
			op := opAnd
			if p.key == "or" {
				op = opOr
			}
			errs := len(f.errs)
			c := condition{Op: op, List: f.conditions(p.value, at, depth+1)}
			if len(c.List) == 0 && len(f.errs) == errs {
				f.fail(p.line, "%sthe list is empty; example: %s", dotted(at, ""), conditionKeys.example(p.key))
			}
			list = append(list, c)
		default:
			compared = true
			list = append(list, f.comparison(p, at))
		}
	}
	switch {
	case len(f.errs) > before: // one is enough
	case compared && !named:
		f.fail(n.Line, "%sfield is missing: which one is compared? example: {field: status, gte: 500}", dotted(path, ""))
	case named && !compared:
		f.fail(n.Line, "%sthe field is compared with nothing; example: {field: status, gte: 500}", dotted(path, ""))
	case joined && named:
		f.fail(n.Line, "%sfield does not go together with and, or; put the comparison into the list, for example: or: [{field: a, eq: 1}]", dotted(path, ""))
	}
	for i := range list {
		list[i].Field = field
	}
	if len(list) > 1 {
		return []condition{{Op: opAnd, List: list}} // one element, also inside or
	}
	return list
}

// comparison reads one operator and what it compares with.
func (f *metricsFile) comparison(p pair, path string) condition {
	c := condition{Op: operator(slices.Index(operatorNames[:], p.key))}
	switch c.Op {
	case opExists:
		c.Exists = f.onOff(p.value, path)
	case opIn, opNotIn:
		for _, item := range f.items(p.value, path) {
			if o, ok := f.operand(item, path); ok {
				c.Operands = append(c.Operands, o)
			}
		}
		if len(c.Operands) == 0 && p.value.Kind == yaml.SequenceNode {
			f.fail(p.line, "%sthe list is empty; example: %s", dotted(path, ""), conditionKeys.example(p.key))
		}
	case opRegex, opNotRegex:
		text, ok := f.scalar(p.value, path)
		if !ok {
			break
		}
		var err error
		if c.Regex, err = regexp.Compile(text); err != nil {
			f.fail(p.line, "%s%q is no regular expression (%s); example: %s", dotted(path, ""), text, regexError(err), conditionKeys.example(p.key))
		}
	default:
		o, ok := f.operand(p.value, path)
		if ok && !o.isNum && c.Op != opEq && c.Op != opNeq {
			f.fail(p.line, "%s%q is not a number; example: %s", dotted(path, ""), o.text, conditionKeys.example(p.key))
		}
		c.Operands = []operand{o}
	}
	return c
}

// operand reads what a field is compared with. In quotes a number is a text.
func (f *metricsFile) operand(n *yaml.Node, path string) (operand, bool) {
	text, ok := f.scalar(n, path)
	if !ok {
		return operand{}, false
	}
	o := operand{text: text}
	if n.Tag == "!!int" || n.Tag == "!!float" {
		var number float64
		if err := n.Decode(&number); err != nil || number != number {
			f.fail(n.Line, "%s%q is not a finite number%s", dotted(path, ""), text, exampleOf(path))
			return o, false
		}
		o.number, o.isNum = number, true
	}
	return o, true
}
