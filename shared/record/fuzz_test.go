package record

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"flbgo/shared/chunk"

	"github.com/tinylib/msgp/msgp"
)

// FuzzAppendJSON holds JSON to what it promises for any bytes: valid JSON and valid UTF-8, no key twice in a map, the same
// with and without braces and for any room in dst; null for what is not complete.
func FuzzAppendJSON(f *testing.F) {
	f.Add(benchBody())
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		got := AppendJSON(nil, data)
		if !json.Valid(got) || !utf8.Valid(got) {
			t.Fatalf("% x: %q", data, got)
		}
		n, ok := chunk.Skip(data)
		if !ok && string(got) != "null" {
			t.Fatalf("% x is not complete: %s", data, got)
		}
		checkKeys(t, json.NewDecoder(bytes.NewReader(got)))
		if again := AppendJSON(make([]byte, 0, len(got)+100), data); !bytes.Equal(again, got) {
			t.Fatalf("% x: %s, with room %s", data, got, again)
		}
		if ok {
			if alone := AppendJSON(nil, data[:n:n]); !bytes.Equal(alone, got) {
				t.Fatalf("% x: %s, alone %s", data, got, alone)
			}
		}
		fields := AppendJSONFields([]byte("{"), data, true)
		if rest := AppendJSONFields(nil, data, false); len(rest) > 0 && string(rest[1:]) != string(fields[1:]) || len(rest) == 0 && len(fields) > 1 {
			t.Fatalf("% x: members %s, and %s", data, fields, rest)
		}
		if ok && Value(data).Type() == Map && string(append(fields, '}')) != string(got) {
			t.Fatalf("% x: %s, but members %s", data, got, fields)
		}
		if !bytes.Equal(data, before) {
			t.Fatalf("% x became % x", before, data)
		}
		if text := Value(data).AppendText(nil); !ok && len(text) > 0 {
			t.Fatalf("% x is not complete, but has the text %q", data, text)
		}
	})
}

// checkKeys reads one value, and fails where an object in it has a key twice.
func checkKeys(t *testing.T, d *json.Decoder) {
	d.UseNumber()
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch tok {
	case json.Delim('['):
		for d.More() {
			checkKeys(t, d)
		}
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			if seen[key.(string)] {
				t.Fatalf("the key %q comes twice", key)
			}
			seen[key.(string)] = true
			checkKeys(t, d)
		}
	default:
		return
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
}

// FuzzPath looks a path up in any bytes in all the ways there are: by Path, by Finder, and for a plain name by walking
// Fields. They must agree, and find one complete value.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"status", "kubernetes.pod", "$kubernetes['pod']", "$.a.b", "$list[1][0]", `$["say ""x"""]`} {
		f.Add(p, benchBody())
	}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		p, err := ParsePath(text)
		if err != nil {
			if v, ok := p.Find(body); ok {
				t.Fatalf("%q: %v, but finds % x", text, err, v)
			}
			return
		}
		if p.String() != text {
			t.Fatalf("%q shows as %q", text, p)
		}
		v, ok := p.Find(body)
		if n, whole := chunk.Skip(v); ok && (!whole || n != len(v) || !bytes.Contains(body, v)) {
			t.Fatalf("%q finds % x", text, v)
		}
		finder := NewFinder(p)
		finder.Reset(body)
		if w, wok := finder.Value(0); ok != wok || !bytes.Equal(v, w) {
			t.Fatalf("%q finds % x, %v; Finder % x, %v", text, v, ok, w, wok)
		}
		if len(p.steps) > 1 {
			return
		}
		var fields Fields
		var want Value
		for fields.Reset(body); fields.Next(); {
			if key, is := fields.Key.Text(); is && string(key) == p.steps[0].key {
				want = fields.Value
			}
		}
		if !bytes.Equal(v, want) {
			t.Fatalf("%q finds % x, Fields % x", text, v, want)
		}
	})
}

// FuzzJSONValues writes a record with msgp and reads its JSON with encoding/json.
func FuzzJSONValues(f *testing.F) {
	f.Add("key", "value", int64(-5), uint64(1<<63), 0.1, []byte{0xff})
	f.Add("\xff", "größer\n", int64(1)<<53+1, uint64(7), 1e300, []byte(nil))
	f.Fuzz(func(t *testing.T, key, text string, i int64, u uint64, fl float64, bin []byte) {
		if fl != fl || fl-fl != 0 {
			fl = 0 // not a number, or infinite: null, as the tables have it
		}
		raw := msgp.AppendMapHeader(nil, 5)
		raw = msgp.AppendString(msgp.AppendString(raw, key), text)
		raw = msgp.AppendInt64(msgp.AppendString(raw, key+"i"), i)
		raw = msgp.AppendUint64(msgp.AppendString(raw, key+"u"), u)
		raw = msgp.AppendFloat64(msgp.AppendString(raw, key+"f"), fl)
		raw = msgp.AppendBytes(msgp.AppendString(raw, key+"b"), bin)
		valid := func(s string) string { return string([]rune(s)) }
		want := decoded(map[string]any{valid(key): valid(text), valid(key + "i"): i, valid(key + "u"): u, valid(key + "f"): fl, valid(key + "b"): bin})
		if got := AppendJSON(nil, raw); !sameJSON(readJSON(t, got), want) {
			t.Fatalf("% x\n%s\nwant %v", raw, got, want)
		}
	})
}
