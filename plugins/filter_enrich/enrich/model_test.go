package enrich

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// modelField is a field as an independent msgpack library reads it.
type modelField struct {
	name  string // of a key that is text; else "\x00" and its msgpack
	value any
	raw   string // the value's msgpack, "" where the model made it
}

// readModel decodes a map with vmihailenco/msgpack alone, of which the filter knows nothing.
func readModel(b []byte) (fields []modelField, err error) {
	d := msgpack.NewDecoder(bytes.NewReader(b))
	n, err := d.DecodeMapLen()
	if err != nil {
		return nil, err
	}
	for range n {
		key, err := d.DecodeRaw()
		if err != nil {
			return nil, err
		}
		name := "\x00" + string(key)
		if text, ok := modelText(key); ok {
			name = text
		}
		raw, err := d.DecodeRaw()
		if err != nil {
			return nil, err
		}
		fields = append(fields, modelField{name, modelValue(raw), string(raw)})
	}
	return fields, nil
}

// modelText is the text of a string or of binary data.
func modelText(raw []byte) (string, bool) {
	if c := raw[0]; !msgpcode.IsString(c) && !msgpcode.IsBin(c) {
		return "", false
	}
	text, err := msgpack.NewDecoder(bytes.NewReader(raw)).DecodeBytes()
	return string(text), err == nil
}

func modelValue(raw []byte) any {
	if text, ok := modelText(raw); ok {
		return text
	}
	d := msgpack.NewDecoder(bytes.NewReader(raw))
	switch c := raw[0]; {
	case c == msgpcode.Nil:
		return nil
	case c == msgpcode.True, c == msgpcode.False:
		return c == msgpcode.True
	case c == msgpcode.Double, c == msgpcode.Float:
		f, _ := d.DecodeFloat64()
		return f
	case msgpcode.IsFixedNum(c), c >= msgpcode.Uint8 && c <= msgpcode.Int64:
		n, _ := d.DecodeInt64()
		return n
	}
	return struct{}{}
}

// model says what the README says, in the plainest way: one option after the other over a list of fields.
type model struct {
	attributes, rename, durations [][2]string
	remove                        []string
	overwrite, keep               bool
	trace                         bool
	level, severity, status       string
}

// options is the model as configuration.
func (m *model) options() []string {
	pairs := func(p [][2]string) (s []string) {
		for _, kv := range p {
			s = append(s, kv[0]+"="+kv[1])
		}
		return s
	}
	lines := []string{"attributes " + strings.Join(pairs(m.attributes), ","), "rename " + strings.Join(pairs(m.rename), ","),
		"durations " + strings.Join(pairs(m.durations), ","), "remove " + strings.Join(m.remove, ",")}
	if m.overwrite {
		lines = append(lines, "on_conflict overwrite")
	}
	if m.keep {
		lines = append(lines, "keep_original on")
	}
	off := func(s string) string {
		if s == "" {
			return "off"
		}
		return s
	}
	if !m.trace {
		lines = append(lines, "trace off")
	}
	return append(lines, "level "+off(m.level), "severity_number "+off(m.severity), "level_from_status "+m.status)
}

var modelTraceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-(?s:.*))?$`)

var modelLevels = map[string]string{"info": "INFO", "warning": "WARN", "warn": "WARN", "error": "ERROR", "err": "ERROR",
	"debug": "DEBUG", "fatal": "FATAL", "critical": "FATAL", "trace": "TRACE"}

func (m *model) apply(in []modelField, tag string) []modelField {
	f := slices.Clone(in)
	index := func(name string) int { // of the last
		for i := len(f) - 1; i >= 0; i-- {
			if f[i].name == name {
				return i
			}
		}
		return -1
	}
	without := func(name string) {
		f = slices.DeleteFunc(f, func(x modelField) bool { return x.name == name })
	}
	none := func(v any) bool { return v == nil || v == "" || v == "-" || v == "N/A" || v == "null" }

	for _, name := range m.remove {
		without(name)
	}
	move := func(from, to string) bool {
		if index(from) < 0 || index(to) >= 0 && !m.overwrite {
			return false
		}
		without(to)
		for i := range f {
			if f[i].name == from {
				f[i].name = to
			}
		}
		return true
	}
	for _, r := range m.rename {
		move(r[0], r[1])
	}
	for _, d := range m.durations {
		i := index(d[0])
		if i < 0 {
			continue
		}
		ms, ok := modelMillis(f[i])
		if !ok || index(d[1]) >= 0 && !m.overwrite {
			continue
		}
		f[i].value, f[i].raw = ms, ""
		only := f[i]
		before := slices.DeleteFunc(slices.Clone(f[:i]), func(x modelField) bool { return x.name == d[0] })
		f = append(append(before, only), f[i+1:]...)
		move(d[0], d[1])
	}

	if m.trace {
		f = m.applyTrace(in, f)
	}

	level := func(s string) string {
		s = strings.Trim(s, " ")
		if l, ok := modelLevels[strings.ToLower(s)]; ok {
			return l
		}
		if n, err := strconv.ParseUint(s, 10, 7); err == nil && len(s) < 3 && modelNumber(int64(n)) != "" {
			return modelNumber(int64(n))
		}
		return strings.ToUpper(s)
	}
	known := ""
	if m.level != "" {
		i := index(m.level)
		value := ""
		for _, a := range m.attributes {
			if a[0] == m.level && (tag != "" || !strings.Contains(a[1], "$TAG")) {
				value = level(strings.ReplaceAll(a[1], "$TAG", tag))
			}
		}
		set := func(l string) {
			known = l
			if i < 0 {
				f = append(f, modelField{name: m.level, value: l})
				return
			}
			f[i].value, f[i].raw = l, ""
			kept := slices.DeleteFunc(slices.Clone(f[:i]), func(x modelField) bool { return x.name == m.level })
			f = append(kept, f[i:]...)
		}
		n := -1
		if at := index(m.status); m.status != "" && at >= 0 {
			if n, _ = strconv.Atoi(fmt.Sprint(f[at].value)); n < 100 || n > 999 {
				n = -1
			}
		}
		switch {
		case value != "" && m.overwrite:
			if count := len(slices.DeleteFunc(slices.Clone(f), func(x modelField) bool { return x.name != m.level })); count != 1 || f[i].raw != string(msgp.AppendString(nil, value)) {
				set(value)
			}
			known = value
		case i >= 0 && !none(f[i].value) && !(isText(f[i].value) && none(strings.Trim(f[i].value.(string), " "))):
			switch v := f[i].value.(type) {
			case string:
				if known = level(v); known != v {
					f[i].value, f[i].raw = known, ""
				}
			case int64:
				if l := modelNumber(v); l != "" {
					f[i].value, f[i].raw, known = l, "", l
				}
			case float64:
				if l := modelNumber(int64(v)); l != "" && v == float64(int64(v)) {
					f[i].value, f[i].raw, known = l, "", l
				}
			}
		case n >= 500:
			set("ERROR")
		case n >= 400:
			set("WARN")
		case n >= 100:
			set("INFO")
		case i < 0 && value != "":
			set(value)
		}
	}
	if number := modelNumbers[known]; number > 0 && m.severity != "" {
		i := index(m.severity)
		switch {
		case i < 0:
			f = append(f, modelField{name: m.severity, value: number})
		case isInt(f[i].value) && toInt(f[i].value) >= number && toInt(f[i].value) < number+4:
		case m.overwrite || none(f[i].value) || isInt(f[i].value) && toInt(f[i].value) == 0:
			f[i].value, f[i].raw = number, ""
		}
	}
	for _, a := range m.attributes {
		value := strings.ReplaceAll(a[1], "$TAG", tag)
		if a[0] == m.level {
			continue
		}
		if tag == "" && strings.Contains(a[1], "$TAG") {
			continue
		}
		if index(a[0]) < 0 {
			f = append(f, modelField{name: a[0], value: value})
		}
		for i := range f {
			if f[i].name == a[0] && m.overwrite && f[i].raw != string(msgp.AppendString(nil, value)) { // binary becomes a string
				f[i].value, f[i].raw = value, ""
			}
		}
	}
	return f
}

var modelNumbers = map[string]int64{"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}

func isText(v any) bool { _, ok := v.(string); return ok }

func isInt(v any) bool {
	_, ok := v.(int64)
	f, isFloat := v.(float64)
	return ok || isFloat && f == float64(int64(f))
}

func toInt(v any) int64 {
	if f, ok := v.(float64); ok {
		return int64(f)
	}
	return v.(int64)
}

// modelNumber is what syslog's and pino's numbers mean.
func modelNumber(n int64) string {
	switch {
	case n >= 0 && n <= 7:
		return []string{"FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG"}[n]
	case n >= 10 && n < 70:
		return []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}[n/10-1]
	}
	return ""
}

func modelMillis(f modelField) (float64, bool) {
	switch v := f.value.(type) {
	case int64:
		return float64(v) * 1000, true
	case float64:
		return v * 1000, true // the values in use scale exactly
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return float64(n) * 1000, true
		}
		d, err := time.ParseDuration(v)
		return float64(d) / 1e6, err == nil
	}
	return 0, false
}

// The filter does to random records, under random configurations, what the model says: every field of every record is
// compared, and those that no option is about byte for byte. Twice is once.
func TestAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	accepted := 0
	for range 4000 {
		m := randomModel(r)
		f, err := newOn(emptySystem, discard, getter(m.options()...))
		if err != nil {
			continue // names that do not go together
		}
		accepted++
		for range 10 {
			body := randomBody(r)
			modern := r.IntN(2) == 0
			in := chunkOf(modern, body)
			tag := []string{"app", "", "kube.x"}[r.IntN(3)]
			once := apply(f, in, tag)
			fields, err := readModel(body)
			if err != nil {
				t.Fatal(err)
			}
			bodies := bodiesOf(once)
			if len(bodies) != 1 || !bytes.Equal(once[:len(once)-len(bodies[0])], in[:len(in)-len(body)]) {
				t.Fatalf("%q: % x became % x", m.options(), in, once)
			}
			got, err := readModel(bodies[0])
			if err != nil {
				t.Fatal(err)
			}
			want := m.apply(fields, tag)
			if !slices.EqualFunc(got, want, func(g, w modelField) bool {
				return g.name == w.name && (g.raw == w.raw || w.raw == "" && g.value == w.value)
			}) {
				t.Fatalf("%q\ntag  %s\nin   %+q\ngot  %+q\nwant %+q", m.options(), tag, fields, got, want)
			}
			if twice := apply(f, once, tag); !bytes.Equal(twice, once) {
				t.Fatalf("%q: a second pass changes % x to % x", m.options(), once, twice)
			}
		}
	}
	if accepted < 400 {
		t.Errorf("only %d configurations were tried", accepted)
	}
}
