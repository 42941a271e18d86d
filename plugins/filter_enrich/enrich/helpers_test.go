package enrich

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/chunk"
	"flbgo/shared/option"
	"flbgo/shared/record"
)

// getter makes options of "name value" lines.
func getter(lines ...string) option.Getter {
	set := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, " ")
		set[name] = value
	}
	return func(name string) string { return set[name] }
}

// emptySystem has nothing in its environment.
var emptySystem = identity.System{Env: func(string) string { return "" }, Root: "/nonexistent"}

var discard = slog.New(slog.DiscardHandler)

func newFilter(tb testing.TB, lines ...string) *Filter {
	tb.Helper()
	f, err := newOn(emptySystem, discard, getter(lines...))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(f.Close)
	return f
}

// msgpackOf turns JSON into msgpack. Members keep their order, and keys that stand twice stay twice.
func msgpackOf(tb testing.TB, text string) []byte {
	tb.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	b, err := appendJSONValue(nil, d)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return b
}

func appendJSONValue(b []byte, d *json.Decoder) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		var inside []byte
		n := uint32(0)
		for ; d.More(); n++ {
			if inside, err = appendJSONValue(inside, d); err != nil {
				return nil, err
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		if v == '{' {
			return append(msgp.AppendMapHeader(b, n/2), inside...), nil
		}
		return append(msgp.AppendArrayHeader(b, n), inside...), nil
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return msgp.AppendInt64(b, i), nil
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return msgp.AppendUint64(b, n), nil
		}
		f, err := v.Float64()
		return msgp.AppendFloat64(b, f), err
	case string:
		return msgp.AppendString(b, v), nil
	case bool:
		return msgp.AppendBool(b, v), nil
	case nil:
		return msgp.AppendNil(b), nil
	}
	return nil, fmt.Errorf("unexpected token %v", token)
}

// chunkOf builds a chunk of records in one of the two forms.
func chunkOf(modern bool, bodies ...[]byte) []byte {
	var b []byte
	for i, body := range bodies {
		b = chunk.AppendEvent(b, 1_700_000_000+int64(i), uint32(i), nil, body, modern)
	}
	return b
}

// bodiesOf are the bodies of a chunk's records.
func bodiesOf(data []byte) (bodies [][]byte) {
	var r chunk.Reader
	r.Reset(data)
	for kind := r.Next(); kind != chunk.End; kind = r.Next() {
		if kind == chunk.Record {
			bodies = append(bodies, r.Body)
		}
	}
	return bodies
}

// apply runs a chunk through a filter, as the host does: what is not modified stays what it was.
func apply(f *Filter, data []byte, tag string) []byte {
	out, modified := f.Apply(make([]byte, 0, f.SizeHint(len(data))), data, []byte(tag))
	if !modified {
		return data
	}
	return out
}

// applyJSON runs one record through a filter.
func applyJSON(tb testing.TB, f *Filter, tag, in string) string {
	tb.Helper()
	out := apply(f, chunkOf(true, msgpackOf(tb, in)), tag)
	bodies := bodiesOf(out)
	if len(bodies) != 1 {
		tb.Fatalf("%s: %d records came out of one", in, len(bodies))
	}
	return string(record.AppendJSON(nil, bodies[0]))
}

// compact takes the spaces out of JSON.
func compact(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}
