package fieldmetrics

import (
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"flbgo/shared/record"
)

// maxLabelValue is how many bytes of a label's value are kept unless max_length says otherwise; the rest is cut off, at
// the border of a character. It bounds what a series can cost, far above what makes a useful label.
const maxLabelValue = 1024

// otherValue is what every label of the series has that takes what max_series has no room for.
const otherValue = "other"

// separator stands between the label values of a key. It is in no UTF-8 text.
const separator = 0xff

// ifMissing is what a record's lack of a label means.
type ifMissing uint8

const (
	missingEmpty ifMissing = iota
	missingDefault
	missingSkip
)

var missingNames = []string{"empty", "default", "skip"}

// label is one label of a metric: from a field, or where Path is nil from a template.
type label struct {
	Name      string
	Path      *record.Path
	Template  template
	Missing   ifMissing
	Default   string
	Values    []valueRule
	MaxLength int
}

// valueRule gives all values that match one expression as a whole one name.
type valueRule struct {
	Match *regexp.Regexp
	To    string
}

// labelReader reads one label that differs from series to series.
type labelReader struct {
	path     int // number of the field's path; -1: from the tag
	template template
	missing  ifMissing
	def      []byte
	values   []valueRule
	max      int
}

func newLabelReader(l *label, paths *pathList) labelReader {
	r := labelReader{path: -1, template: l.Template, missing: l.Missing, values: l.Values, max: l.MaxLength}
	r.def = appendCut(nil, []byte(l.Default), r.max)
	if l.Path != nil {
		r.path = paths.add(*l.Path)
	}
	return r
}

// scratch is what reading a record under one rule works with, kept from chunk to chunk.
type scratch struct {
	text  []byte
	tags  [][]byte            // by label: its value for the chunk's tag, nil where that lacks it
	known []map[string]string // by label: what its value rules made of some values
}

// begin readies the labels that come from the tag.
func (s *scratch) begin(labels []labelReader, tag string) {
	if len(s.tags) != len(labels) {
		s.tags, s.known = make([][]byte, len(labels)), make([]map[string]string, len(labels))
	}
	for i := range labels {
		if l := &labels[i]; l.path < 0 {
			var ok bool
			if s.text, ok = l.template.append(s.text[:0], tag); ok {
				s.tags[i] = l.appendText(s.tags[i][:0], s.text, &s.known[i])
			} else {
				s.tags[i] = nil
			}
		}
	}
}

// appendKey appends the values that labels have in a record, with separators between them. Where two records have equal
// keys they have equal label values, and the other way round. ok is false where the lack of a label skips the record.
func appendKey(dst []byte, labels []labelReader, fields *record.Finder, s *scratch) (out []byte, ok bool) {
	for i := range labels {
		if i > 0 {
			dst = append(dst, separator)
		}
		l := &labels[i]
		if l.path < 0 {
			if s.tags[i] != nil {
				dst = append(dst, s.tags[i]...)
				continue
			}
		} else if v, found := fields.Value(l.path); found && v.Type() != record.Nil {
			text, isText := v.Text()
			if !isText {
				if n, ok := wholeNumber(v); ok && len(l.values) == 0 && l.max >= maxWhole {
					dst = strconv.AppendInt(dst, n, 10)
					continue
				}
				s.text = v.AppendText(s.text[:0])
				text = s.text
			}
			dst = l.appendText(dst, text, &s.known[i])
			continue
		}
		switch l.missing {
		case missingSkip:
			return dst, false
		case missingDefault:
			dst = append(dst, l.def...)
		}
	}
	return dst, true
}

// maxWhole is the longest that a whole number is.
const maxWhole = len("-9223372036854775808")

// wholeNumber is the short way for what most labels are that are no text.
func wholeNumber(v record.Value) (int64, bool) {
	if t := v.Type(); t != record.Uint && t != record.Int {
		return 0, false
	}
	return v.Int()
}

// Values are looked up by regular expressions once and then remembered: maxKnown of them, none longer than maxKnownText.
const (
	maxKnown     = 1024
	maxKnownText = 256
)

// appendText appends a value as the label shows it.
func (l *labelReader) appendText(dst, text []byte, known *map[string]string) []byte {
	if len(l.values) == 0 {
		return appendCut(dst, text, l.max)
	}
	if to, ok := (*known)[string(text)]; ok {
		return append(dst, to...)
	}
	from := len(dst)
	at := slices.IndexFunc(l.values, func(v valueRule) bool { return v.Match.Match(text) })
	if at >= 0 {
		dst = appendCut(dst, unsafe.Slice(unsafe.StringData(l.values[at].To), len(l.values[at].To)), l.max)
	} else {
		dst = appendCut(dst, text, l.max)
	}
	if len(*known) < maxKnown && len(text) <= maxKnownText {
		if *known == nil {
			*known = map[string]string{}
		}
		(*known)[string(text)] = string(dst[from:])
	}
	return dst
}

// appendCut appends at most max bytes of valid UTF-8, which is all that Prometheus takes.
func appendCut(dst, text []byte, max int) []byte {
	if len(text) <= max && utf8.Valid(text) {
		return append(dst, text...)
	}
	from := len(dst)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text) // U+FFFD for a byte that is none
		if len(dst)-from+utf8.RuneLen(r) > max {
			break
		}
		dst = utf8.AppendRune(dst, r)
		text = text[size:]
	}
	return dst
}

// initialKey is the key of a series whose label values are given, in the order of the labels.
func (r *rule) initialKey(values []string) (key []byte) {
	for i, v := range values {
		if i > 0 {
			key = append(key, separator)
		}
		key = appendCut(key, []byte(v), r.labels[i].max)
	}
	return key
}

func otherKey(labels int) (key []byte) {
	for i := range labels {
		if i > 0 {
			key = append(key, separator)
		}
		key = append(key, otherValue...)
	}
	return key
}
