package enrich

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// modelID is an id of so many digits in its target form: "" for none, "?" for what is no id.
func modelID(v any, digits int) string {
	s, ok := v.(string)
	switch n := v.(type) {
	case nil:
		return ""
	case int64:
		if n < 0 {
			return "?"
		}
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%0*x", digits, n)
	}
	switch {
	case !ok:
		return "?"
	case s == "" || s == "-" || s == "N/A" || s == "null" || strings.Trim(s, "0") == "":
		return ""
	case regexp.MustCompile("^([0-9a-fA-F]{16}|[0-9a-fA-F]{32})$").MatchString(s) && len(s) <= digits:
		return strings.Repeat("0", digits-len(s)) + strings.ToLower(s)
	}
	return "?"
}

// modelFlags are flags in their target form.
func modelFlags(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "01"
		}
		return "00"
	case int64:
		if v >= 0 && v < 256 {
			return fmt.Sprintf("%02x", v)
		}
		return "?"
	case string:
		switch {
		case v == "" || v == "-" || v == "N/A" || v == "null":
			return ""
		case v == "1":
			return "01"
		case v == "0":
			return "00"
		case regexp.MustCompile("^[0-9a-fA-F]{2}$").MatchString(v):
			return strings.ToLower(v)
		}
	}
	return "?"
}

// applyTrace is the formats otel and w3c, at the top and inside the map http.
func (m *model) applyTrace(in, f []modelField) []modelField {
	last := func(f []modelField, name string) (any, bool) {
		for i := len(f) - 1; i >= 0; i-- {
			if f[i].name == name {
				return f[i].value, true
			}
		}
		return nil, false
	}
	var http []modelField
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].name == "http" {
			if f[i].raw != "" {
				http, _ = readModel([]byte(f[i].raw))
			}
			break
		}
	}
	names := [3]string{"trace_id", "span_id", "trace_flags"}
	form := func(i int, v any) string {
		if i == 2 {
			return modelFlags(v)
		}
		return modelID(v, []int{32, 16}[i])
	}
	var own, inner, result [3]string
	for i, name := range names {
		mine, _ := last(f, name)
		theirs, _ := last(http, name)
		own[i], inner[i] = form(i, mine), form(i, theirs)
	}
	tp, top := last(f, "traceparent")
	if s, ok := tp.(string); tp == nil || ok && (s == "" || s == "-" || s == "N/A" || s == "null") {
		top = false
	}
	if !top {
		tp, _ = last(http, "traceparent")
	}
	text, _ := tp.(string)
	found := false
	parts := modelTraceparent.FindStringSubmatch(text)
	switch {
	case own[0] == "?":
	case own[0] != "":
		result[0], found = own[0], true
	case inner[0] != "" && inner[0] != "?":
		result[0], found = inner[0], true
	case parts != nil && parts[1] != "ff" && (parts[1] != "00" || parts[5] == "") && modelID(parts[2], 32) != "" && modelID(parts[3], 16) != "":
		result, found = ([3]string{parts[2], parts[3], parts[4]}), true
		if top && !m.keep {
			f = slices.DeleteFunc(f, func(x modelField) bool { return x.name == "traceparent" })
		}
	}
	if !found {
		return f
	}
	for i, name := range names {
		if i > 0 && own[i] != "" {
			result[i] = own[i] // the record's own stays
		} else if i > 0 && result[i] == "" && inner[i] != "?" {
			result[i] = inner[i]
		}
		if result[i] == "" || result[i] == "?" {
			continue
		}
		at := -1
		for j := range f {
			if f[j].name == name {
				at = j
			}
		}
		switch {
		case at < 0:
			f = append(f, modelField{name: name, value: result[i]})
		case f[at].value != result[i]:
			f[at].value, f[at].raw = result[i], ""
		}
	}
	return f
}
