package fieldmetrics

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"flbgo/shared/record"
)

// metric reads one metric of the file.
func (f *metricsFile) metric(n *yaml.Node, path string) ruleConfig {
	lines := map[string]int{}
	d := newDraft(func(key, format string, args ...any) {
		line, found := lines[key], lines[key] > 0
		for k := key; !found && k != ""; line, found = lines[k], lines[k] > 0 {
			k = k[:max(strings.LastIndexByte(k, '.'), 0)]
		}
		if !found {
			line = n.Line
		}
		f.fail(line, "%s%s", dotted(path, key), fmt.Sprintf(format, args...))
	})
	d.Origin = fmt.Sprintf("%s:%d", f.name, n.Line)
	pairs := f.pairs(n, path, metricKeys)
	for _, p := range pairs {
		lines[p.key] = p.line
		d.given[p.key] = true
		f.metricKey(d, p, path+"."+p.key, lines)
	}
	if n.Kind == yaml.MappingNode && !d.given["name"] {
		f.fail(n.Line, "%sis missing; example: %s", dotted(path, "name"), metricKeys.example("name"))
	}
	d.finish()
	return d.ruleConfig
}

func (f *metricsFile) metricKey(d *draft, p pair, path string, lines map[string]int) {
	switch p.key {
	case "labels":
		for _, l := range f.pairs(p.value, path, nil) {
			lines["labels."+l.key] = l.line
			d.Labels = append(d.Labels, f.label(l.key, l.value, path+"."+l.key))
		}
		return
	case "where":
		d.Where = f.conditions(p.value, path, 0)
		return
	case "initialize":
		d.initial = f.initialize(p.value, path)
		return
	case "buckets":
		if p.value.Kind == yaml.SequenceNode {
			var list []string
			for _, item := range f.items(p.value, path) {
				if text, ok := f.scalar(item, path); ok {
					list = append(list, text)
				}
			}
			d.setBuckets(strings.Join(list, ","))
			return
		}
	}
	text, ok := f.scalar(p.value, path)
	if !ok {
		return
	}
	switch p.key {
	case "name":
		d.Name = text
		if text == "" {
			d.fail("name", "is empty; example: %s", metricKeys.example("name"))
		}
	case "type":
		setChoice(d, p.key, text, kindNames, &d.Kind)
	case "help":
		d.Help = text
	case "value":
		d.setValue(text)
	case "unit", "number_unit":
		d.setUnit(p.key, text)
	case "action":
		setChoice(d, p.key, text, actionNames, &d.Action)
	case "buckets":
		d.setBuckets(text)
	case "native_factor":
		var err error
		if d.NativeFactor, err = finite(text); err != nil {
			d.fail(p.key, "%q is not a number; example: %s", text, metricKeys.example(p.key))
			d.NativeFactor = defaultNativeFactor
		}
	case "native_max_buckets":
		d.NativeMax = d.number(p.key, text, minNativeMax, maxNativeMax, d.NativeMax)
	case "max_series":
		d.MaxSeries = d.number(p.key, text, 1, maxMaxSeries, d.MaxSeries)
	case "idle_timeout":
		var err error
		if d.Idle, err = parseIdle(text); err != nil {
			d.fail(p.key, "%v", err)
		}
	case "exemplars":
		d.Exemplars = f.onOff(p.value, path)
	}
}

// number reads a whole number in a range.
func (d *draft) number(key, text string, from, to, def int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < from || n > to {
		d.fail(key, "%q is not a whole number from %d to %d; example: %s", text, from, to, metricKeys.example(key))
		return def
	}
	return n
}

func (f *metricsFile) onOff(n *yaml.Node, path string) bool {
	text, ok := f.scalar(n, path)
	if !ok {
		return false
	}
	switch strings.ToLower(text) {
	case "on", "true", "yes":
		return true
	case "off", "false", "no":
		return false
	}
	f.fail(n.Line, "%s%q is not on or off%s", dotted(path, ""), text, exampleOf(path))
	return false
}

// label reads one label: a path, a text with a part of the tag, or a mapping.
func (f *metricsFile) label(name string, n *yaml.Node, path string) label {
	l := label{Name: name, MaxLength: maxLabelValue}
	if n.Kind == yaml.ScalarNode {
		if text, ok := f.scalar(n, path); ok {
			if err := l.setSource(text); err != nil {
				f.fail(n.Line, "%s%v", dotted(path, ""), err)
			}
		}
		return l
	}
	given, before := map[string]bool{}, len(f.errs)
	for _, p := range f.pairs(n, path, labelKeys) {
		given[p.key] = true
		at := path + "." + p.key
		if p.key == "values" {
			l.Values = f.valueRules(p.value, at)
			continue
		}
		text, ok := f.scalar(p.value, at)
		if !ok {
			continue
		}
		var err error
		switch p.key {
		case "field":
			var path record.Path
			path, err = record.ParsePath(text)
			l.Path = &path
		case "value":
			l.Template, err = parseTemplate(text)
		case "default":
			l.Default = text
		case "max_length":
			var n int
			if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxLabelValue {
				err = fmt.Errorf("%q is not a whole number from 1 to %d; example: %s", text, maxLabelValue, labelKeys.example(p.key))
			}
			l.MaxLength = n
		case "missing":
			i := slices.Index(missingNames, text)
			if i < 0 {
				err = fmt.Errorf("%q is not one of %s; example: %s", text, strings.Join(missingNames, ", "), labelKeys.example(p.key))
			}
			l.Missing = ifMissing(max(i, 0))
		}
		if err != nil {
			f.fail(p.line, "%s%v", dotted(at, ""), err)
		}
	}
	switch {
	case len(f.errs) > before: // one is enough
	case given["field"] == given["value"]:
		f.fail(n.Line, "%smust have either field or value, for example: {field: $http.status} or {value: $TAG[1]}", dotted(path, ""))
	case given["value"] && l.Template.constant() && (given["values"] || given["default"] || given["missing"]):
		f.fail(n.Line, "%sthe value is the same for every record and never missing: values, default and missing do nothing; leave them out", dotted(path, ""))
	case given["default"] && given["missing"] && l.Missing != missingDefault:
		f.fail(n.Line, "%sthere is a default, and missing says %s; leave one of them out", dotted(path, ""), missingNames[l.Missing])
	case l.Missing == missingDefault && !given["default"]:
		f.fail(n.Line, "%smissing says default, and there is none, for example: default: unknown", dotted(path, ""))
	case given["default"]:
		l.Missing = missingDefault
	}
	return l
}

// setSource reads the short form of a label.
func (l *label) setSource(text string) (err error) {
	if strings.HasPrefix(text, "$TAG") {
		l.Template, err = parseTemplate(text)
		return err
	}
	path, err := record.ParsePath(text)
	l.Path = &path
	return err
}

func (f *metricsFile) valueRules(n *yaml.Node, path string) (list []valueRule) {
	for _, p := range f.pairs(n, path, nil) {
		to, ok := f.scalar(p.value, path+"."+p.key)
		if !ok {
			continue
		}
		match, err := regexp.Compile("^(?:" + p.key + ")$")
		if err != nil {
			f.fail(p.line, "%s%q is no regular expression (%s); example: %s", dotted(path, ""), p.key, regexError(err), labelKeys.example("values"))
			continue
		}
		list = append(list, valueRule{match, to})
	}
	return list
}

// regexError is what is wrong, without the expression, which may have something around it that the user did not write.
func regexError(err error) string {
	text := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	text, _, _ = strings.Cut(text, ":")
	return text
}

// initialize reads one mapping from labels to their values, or several in a list.
func (f *metricsFile) initialize(n *yaml.Node, path string) (sets []initialSet) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = f.items(n, path)
	}
	for _, item := range items {
		var set initialSet
		for _, p := range f.pairs(item, path, nil) {
			at := path + "." + p.key
			l := initialLabel{name: p.key}
			values := []*yaml.Node{p.value}
			if p.value.Kind == yaml.SequenceNode {
				if values = f.items(p.value, at); len(p.value.Content) == 0 {
					f.fail(p.line, "%sthere is no value; example: %s", dotted(at, ""), metricKeys.example("initialize"))
				}
			}
			for _, v := range values {
				if text, ok := f.scalar(v, at); ok {
					l.values = append(l.values, text)
				}
			}
			set = append(set, l)
		}
		sets = append(sets, set)
	}
	return sets
}
