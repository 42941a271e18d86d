package kafkacheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// differ compares the fields of one record.
type differ struct {
	found     *findings
	event     func() string
	tolerance time.Duration
}

// absent are the fields that a record must not have where the ledger does not
// expect them: an id was made up or taken from another event.
var absent = []string{"trace_id", "span_id", "trace_flags", "source_ip", "method", "status"}

// expect compares a record with a ledger's expectation, a JSON object.
func (d *differ) expect(obj object, want json.RawMessage) {
	wanted, err := parseObject(nil, want)
	if err != nil {
		d.found.note(&d.found.badLedger, func() string { return d.event() + ": expectation is " + err.Error() })
		return
	}
	for _, m := range wanted {
		d.field(obj, string(m.key), m.value)
	}
	for _, key := range absent {
		_, expected := wanted.get(key)
		if got, ok := obj.get(key); ok && !expected && string(got) != "null" {
			d.differ(key, got, nil)
		}
	}
}

// field compares one field of a record with a JSON value.
func (d *differ) field(obj object, key string, want json.RawMessage) {
	got, ok := obj.get(key)
	if !ok {
		d.differ(key, nil, want)
		return
	}
	if bytes.Equal(got, want) {
		return
	}
	var g, w any
	if decode(got, &g) != nil || decode(want, &w) != nil || !d.equal(key, g, w) {
		d.differ(key, got, want)
	}
}

// repeated reports keys that a record has twice: which one counts is each
// reader's own choice.
func (d *differ) repeated(obj object) {
	for i, m := range obj {
		for _, o := range obj[:i] {
			if bytes.Equal(o.key, m.key) {
				d.differ(string(m.key)+" (twice)", m.value, o.value)
				break
			}
		}
	}
}

func (d *differ) differ(key string, got, want json.RawMessage) {
	show := func(v json.RawMessage) string {
		if v == nil {
			return "nothing"
		}
		return fmt.Sprintf("%.200s", v)
	}
	if d.found.diffs == nil {
		d.found.diffs = map[string]*finding{}
	}
	f := d.found.diffs[key]
	if f == nil {
		f = &finding{}
		d.found.diffs[key] = f
	}
	d.found.note(f, func() string {
		return fmt.Sprintf("%s: %s is %s, want %s", d.event(), key, show(got), show(want))
	})
}

// decode keeps numbers as they are written: a float64 would hide what a float64
// on the way has done.
func decode(b []byte, v *any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return dec.Decode(v)
}

func (d *differ) equal(key string, got, want any) bool {
	if gn, ok := got.(json.Number); ok {
		wn, ok := want.(json.Number)
		return ok && sameNumber(string(gn), string(wn))
	}
	switch w := want.(type) {
	case string:
		g, ok := got.(string)
		switch {
		case !ok:
			return false
		case key == "timestamp":
			return d.sameTime(g, w)
		case key == "message":
			// A multiline parser may leave the newline of the last line.
			return strings.TrimSuffix(g, "\n") == w
		}
		return g == w
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !d.equal("", g[i], w[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if v, ok := g[k]; !ok || !d.equal("", v, w[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

func (d *differ) sameTime(got, want string) bool {
	g, err := time.Parse(time.RFC3339Nano, got)
	w, werr := time.Parse(time.RFC3339Nano, want)
	return err == nil && werr == nil && g.Sub(w).Abs() <= d.tolerance && strings.HasSuffix(got, "Z")
}

// sameNumber compares integers exactly and fractions as float64 with the
// rounding of one multiplication (seconds to milliseconds).
func sameNumber(got, want string) bool {
	if got == want {
		return true
	}
	g, err := json.Number(got).Float64()
	w, werr := json.Number(want).Float64()
	if err != nil || werr != nil {
		return false
	}
	if !strings.ContainsAny(want, ".eE") && (!strings.ContainsAny(got, ".eE") || math.Abs(w) >= 1<<53) {
		return false // two integers, or one that a float64 cannot hold
	}
	return math.Abs(g-w) <= 1e-12*math.Max(math.Abs(g), math.Abs(w))
}
