package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

func TestAppendJSON(t *testing.T) {
	f := func(v []byte, want string) {
		t.Helper()
		got := string(AppendJSON([]byte("before"), v))
		if got != "before"+want {
			t.Errorf("% .40x: %s, want %s", v, got, "before"+want)
		}
		if !json.Valid([]byte(got[len("before"):])) {
			t.Errorf("% .40x: %s is not JSON", v, got)
		}
	}
	f(Value{0xc0}, "null")
	f(Value{0xc2}, "false")
	f(Value{0xc3}, "true")

	// Integers of every width, exactly.
	f(Value{0x00}, "0")
	f(Value{0x7f}, "127")
	f(Value{0xff}, "-1")
	f(be(0xcc, 1, 255), "255")
	f(be(0xcd, 2, 65535), "65535")
	f(be(0xce, 4, math.MaxUint32), "4294967295")
	f(be(0xcf, 8, math.MaxUint64), "18446744073709551615")
	f(be(0xcf, 8, 1<<53+1), "9007199254740993")
	f(be(0xd0, 1, 0x80), "-128")
	f(be(0xd1, 2, 0x8000), "-32768")
	f(be(0xd2, 4, 0x80000000), "-2147483648")
	f(be(0xd3, 8, 1<<63), "-9223372036854775808")

	// Floats stay floats.
	f(float64Value(0), "0.0")
	f(float64Value(math.Copysign(0, -1)), "-0.0")
	f(float64Value(200), "200.0")
	f(float64Value(-12.375), "-12.375")
	f(float64Value(0.1), "0.1")
	f(float64Value(0.30000000000000004), "0.30000000000000004")
	f(float64Value(1e20), "100000000000000000000.0")
	f(float64Value(1e21), "1e+21")
	f(float64Value(1e-6), "0.000001")
	f(float64Value(1e-7), "1e-7")
	f(float64Value(-2.5e-100), "-2.5e-100")
	f(float64Value(math.MaxFloat64), "1.7976931348623157e+308")
	f(float64Value(5e-324), "5e-324")
	f(float32Value(0.1), "0.1")
	f(float32Value(16777216), "16777216.0")
	f(float32Value(1e-7), "1e-7")
	f(float64Value(math.NaN()), "null")
	f(float64Value(math.Inf(1)), "null")
	f(float32Value(float32(math.Inf(-1))), "null")

	// Binary and ext.
	f(msgp.AppendBytes(nil, nil), `""`)
	f(msgp.AppendBytes(nil, []byte{1, 2, 3, 0xff}), `"AQID/w=="`)
	f(be(0xd7, 8, 1700000000<<32|5)[:1], "null")
	f(append(Value{0xd7, 0}, be(0, 8, 1700000000<<32|123456789)[1:]...), `"2023-11-14T22:13:20.123456789Z"`)
	f(append(Value{0xc7, 8, 0}, be(0, 8, 1700000000<<32)[1:]...), `"2023-11-14T22:13:20Z"`)
	f(append(Value{0xd7, 0}, be(0, 8, 1700000000<<32|1000000000)[1:]...), `{"type":0,"data":"ZVPxADuaygA="}`) // no such nanosecond
	f(be(0xd6, 4, 1700000000)[:1], "null")
	f(append(Value{0xd6, 0xff}, be(0, 4, 1700000000)[1:]...), `"2023-11-14T22:13:20Z"`)
	f(append(Value{0xd7, 0xff}, be(0, 8, 500000000<<34|1700000000)[1:]...), `"2023-11-14T22:13:20.5Z"`)
	f(slices.Concat(Value{0xc7, 12, 0xff, 0, 0, 0, 7}, be(0, 8, math.MaxUint64)[1:]), `"1969-12-31T23:59:59.000000007Z"`)
	f(slices.Concat(Value{0xc7, 12, 0xff, 0, 0, 0, 0}, be(0, 8, 253402300800)[1:]), `{"type":-1,"data":"AAAAAAAAADr/9EGA"}`) // the year 10000
	f(Value{0xd4, 5, 9}, `{"type":5,"data":"CQ=="}`)
	f(Value{0xd5, 0x80, 1, 2}, `{"type":-128,"data":"AQI="}`)
	f(append(Value{0xd8, 1}, make([]byte, 16)...), `{"type":1,"data":"AAAAAAAAAAAAAAAAAAAAAA=="}`)
	f(Value{0xc7, 0, 3}, `{"type":3,"data":""}`)
	f(Value{0xc8, 0, 1, 3, 9}, `{"type":3,"data":"CQ=="}`)
	f(Value{0xc9, 0, 0, 0, 1, 3, 9}, `{"type":3,"data":"CQ=="}`)

	// Containers.
	f(Value{0x90}, "[]")
	f(Value{0x80}, "{}")
	f(Value{0xdc, 0, 0}, "[]")
	f(Value{0xdf, 0, 0, 0, 0}, "{}")
	f(Value{0x93, 0x01, 0x90, 0x91, 0x80}, "[1,[],[{}]]")
	f(Value{0xdd, 0, 0, 0, 2, 0x01, 0x02}, "[1,2]")
	f(mapOf(t, "a", 1, "b", map[string]any{"c": []any{nil, true}}, "", "empty"), `{"a":1,"b":{"c":[null,true]},"":"empty"}`)

	// Keys that are no text.
	f(mapOf(t, 1, "a", nil, "b", true, "c", 1.5, "d"), `{"1":"a","null":"b","true":"c","1.5":"d"}`)
	f(mapOf(t, Value(msgp.AppendBytes(nil, []byte("bin\xff"))), 1), `{"bin`+"\ufffd"+`":1}`)
	f(mapOf(t, Value{0xd4, 5, 9}, 1), `{"{\"type\":5,\"data\":\"CQ==\"}":1}`)
	f(mapOf(t, append(Value{0xd6, 0xff}, be(0, 4, 0)[1:]...), 1), `{"1970-01-01T00:00:00Z":1}`)
	f(mapOf(t, Value{0x92, 0x01, 0xa1, 'x'}, 1), `{"[1,\"x\"]":1}`)
	f(mapOf(t, Value{0x81, 0xa1, 'x', 0x81, 0x90, 0x01}, 1), `{"{\"x\":{\"null\":1}}":1}`) // a container in a key's container's key

	// Damage takes the whole value.
	f(nil, "null")
	f(Value{0xc1}, "null")
	f(Value{0x92, 0x01}, "null")
	f(Value{0x92, 0x01, 0xc1}, "null")
	f(Value{0x82, 0xa1, 'a', 0x01, 0xa1}, "null")
	f(Value{0x81, 0xa1, 'a'}, "null")
	f(Value{0x81, 0x91, 0xc1, 0x01}, "null")
	f(Value{0x81, 0x81, 0x91}, "null")
	f(Value{0xdd, 0xff, 0xff, 0xff, 0xff, 0x01}, "null")
	f(Value{0xdf, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01}, "null")
	f(Value{0xdf, 0xff}, "null")
	f(Value{0xdc, 0xff}, "null")
	f(Value{0xa5, 'a'}, "null")
	f(Value{0xcb, 0}, "null")
	f(Value{0x01, 0xc1}, "1") // what is behind the value is not looked at
}

// TestJSONDepth nests arrays, maps and keys deeper than JSON is written.
func TestJSONDepth(t *testing.T) {
	nest := func(open []byte, depth int) []byte { return append(bytes.Repeat(open, depth), 0x01) }
	f := func(v []byte, want string) {
		t.Helper()
		if got := string(AppendJSON(nil, v)); got != want {
			t.Errorf("% .20x…: %s, want %s", v, got, want)
		}
	}
	open, array := []byte{0x81, 0xa1, 'a'}, []byte{0x91}
	f(nest(array, 64), strings.Repeat("[", 64)+"1"+strings.Repeat("]", 64))
	f(nest(array, 65), strings.Repeat("[", 64)+"null"+strings.Repeat("]", 64))
	f(nest(array, 1e6), strings.Repeat("[", 64)+"null"+strings.Repeat("]", 64))
	f(nest(open, 64), strings.Repeat(`{"a":`, 64)+"1"+strings.Repeat("}", 64))
	f(nest(open, 1e6), strings.Repeat(`{"a":`, 64)+"null"+strings.Repeat("}", 64))
	f(nest(array, 1e6)[:1e6], "null") // deep, and damaged at the bottom

	// Maps as keys of maps: quoted text inside quoted text would double at every level.
	keys := append(bytes.Repeat([]byte{0x81}, 1e5), 0x01)
	keys = append(keys, bytes.Repeat([]byte{0x02}, 1e5)...)
	if got := AppendJSON(nil, keys); !json.Valid(got) || len(got) > 1e3 {
		t.Errorf("%d bytes for maps as keys of maps", len(got))
	}
}

// TestJSONDuplicateKeys keeps the last of members with the same key, in its place, at every level and for every size.
func TestJSONDuplicateKeys(t *testing.T) {
	f := func(want string, kv ...any) {
		t.Helper()
		if got := string(AppendJSON(nil, mapOf(t, kv...))); got != want {
			t.Errorf("%v: %s, want %s", kv, got, want)
		}
	}
	f(`{"a":2}`, "a", 1, "a", 2)
	f(`{"b":2,"a":3}`, "a", 1, "b", 2, "a", 3)
	f(`{"a":3,"b":4}`, "a", 1, "a", 3, "b", 4)
	f(`{"a":3}`, "a", 1, "a", 2, "a", 3)
	f(`{"b":[4],"a":{}}`, "a", "long enough to be moved", "b", 1, "b", 2, "a", 3, "b", []any{4}, "a", map[string]any{})
	f(`{"a":1,"A":2,"aa":3,"":4}`, "a", 1, "A", 2, "aa", 3, "", 4)
	f(`{"m":{"x":2}}`, "m", Value(mapOf(t, "x", 1, "x", 2)))
	f(`{"m":{"x":4}}`, "m", Value(mapOf(t, "x", 1, "x", 2)), "m", Value(mapOf(t, "x", 3, "x", 4)))
	f(`{"1":"text"}`, 1, "number", "1", "text") // the same key in JSON
	f(`{"a\n":2}`, "a\n", 1, "a\n", 2)
	f("{\"\ufffd\":2}", "\xff", 1, "\xfe", 2)
	f(`{"same ending":1,"Same ending":2,"other, same ending":3}`, "same ending", 1, "Same ending", 2, "other, same ending", 3)

	for _, n := range []int{2, 20, maxListed - 1, maxListed, maxListed + 1, 500, 5000} {
		var kv []any
		for i := range n {
			kv = append(kv, fmt.Sprintf("key %d", i), i)
		}
		whole := string(AppendJSON(nil, mapOf(t, kv...)))
		twice := string(AppendJSON(nil, mapOf(t, append(slices.Clone(kv), kv...)...)))
		nested := string(AppendJSON(nil, mapOf(t, "m", Value(mapOf(t, append(slices.Clone(kv), kv...)...)))))
		if twice != whole || nested != `{"m":`+whole+"}" {
			t.Errorf("%d members: %d bytes, twice %d, nested %d", n, len(whole), len(twice), len(nested))
		}
		var m map[string]int
		if err := json.Unmarshal([]byte(whole), &m); err != nil || len(m) != n || m["key 1"] != 1 {
			t.Errorf("%d members: %d read back, %v", n, len(m), err)
		}
	}
}

func TestAppendJSONFields(t *testing.T) {
	f := func(body []byte, want string) {
		t.Helper()
		if got := string(AppendJSONFields([]byte("x"), body, true)); got != "x"+want {
			t.Errorf("% x, first: %s, want %s", body, got, "x"+want)
		}
		if want != "" {
			want = "," + want
		}
		if got := string(AppendJSONFields([]byte("x"), body, false)); got != "x"+want {
			t.Errorf("% x: %s, want %s", body, got, "x"+want)
		}
	}
	f(mapOf(t, "a", 1, "b", "x"), `"a":1,"b":"x"`)
	f(mapOf(t, "a", 1, "b", "x", "a", 2), `"b":"x","a":2`)
	f(mapOf(t), "")
	f(nil, "")
	f(Value{0xc0}, "")
	f(Value{0x91, 0x01}, "")
	f(Value{0x82, 0xa1, 'a', 0x01}, "") // damaged
}

// decoded is what encoding/json makes of the JSON that AppendJSON promises for a msgpack value, here read by msgp: an
// independent way from one to the other.
func decoded(v any) any {
	switch v := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = decoded(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = decoded(v[k])
		}
		return out
	}
	return v
}

// sameJSON compares what encoding/json read with what decoded wants: integers digit by digit, floats by value, and each to
// be what it is.
func sameJSON(got, want any) bool {
	switch want := want.(type) {
	case float64:
		g, ok := got.(json.Number)
		f, err := g.Float64()
		return ok && err == nil && f == want && strings.ContainsAny(g.String(), ".e")
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, want, sameJSON)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for k := range want {
			if x, ok := g[k]; !ok || !sameJSON(x, want[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

func readJSON(t *testing.T, b []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return v
}

// randomValue is a value of any kind that both sides know.
func randomValue(r *rand.Rand, depth int) any {
	n := 10
	if depth == 0 {
		n = 8
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return int64(r.Uint64()) >> r.IntN(64)
	case 3:
		return r.Uint64() >> r.IntN(64)
	case 4:
		return math.Round(r.NormFloat64()*1e6) / 1e3
	case 5:
		for {
			if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
				return f
			}
		}
	case 6:
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case 7:
		return randomText(r)
	case 8:
		a := make([]any, r.IntN(20))
		for i := range a {
			a[i] = randomValue(r, depth-1)
		}
		return a
	default:
		m := map[string]any{}
		for range r.IntN(70) {
			m[randomText(r)] = randomValue(r, depth-1)
		}
		return m
	}
}

func randomText(r *rand.Rand) string {
	alphabet := []rune("abcdefghijklmnopqrstuvwxyz0123456789 _-.\"\\\n\t\x00\x1f\x7fäß€\u2028😀")
	if r.IntN(3) > 0 {
		alphabet = alphabet[:36]
	}
	s := make([]rune, r.IntN(40))
	for i := range s {
		s[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(s)
}

// TestJSONAgainstMsgp writes random values with msgp, and reads our JSON of them with encoding/json: the same must come
// out as from msgp itself.
func TestJSONAgainstMsgp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		want := randomValue(r, 3)
		raw, err := msgp.AppendIntf(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		back, rest, err := msgp.ReadIntfBytes(raw)
		if err != nil || len(rest) > 0 {
			t.Fatalf("% x: %d bytes over, %v", raw, len(rest), err)
		}
		got := AppendJSON(nil, raw)
		if !sameJSON(readJSON(t, got), decoded(back)) {
			t.Fatalf("% x\n%s\nwant %v", raw, got, back)
		}
	}
}

func TestJSONAllocs(t *testing.T) {
	f := func(name string, body []byte) {
		t.Helper()
		dst := AppendJSON(nil, body)
		dst = dst[:len(dst):len(dst)] // no room but what is needed
		if n := testing.AllocsPerRun(100, func() { dst = AppendJSON(dst[:0], body) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
	f("a log record", benchBody())
	f("odd values", mapOf(t, "b", []byte{1, 2, 3}, "f", 0.1, "n", nil, "t", Value{0xd6, 0xff, 1, 2, 3, 4}, 7, "key", "esc", "a\"b\xff",
		"ext", Value{0xd4, 5, 9}, "twice", 1, "twice", 2, Value{0x91, 0x01}, "array as key", "f32", float32Value(0.1), "ü", "größer"))
}

// TestJSONAliasing gives AppendJSON a slice with live bytes behind its end: they belong to the caller if the slice has
// no room, and AppendJSON writes behind its result only inside the room that it was given.
func TestJSONAliasing(t *testing.T) {
	body := mapOf(t, "a", "b", "c", "d")
	want := string(AppendJSON(nil, body))
	for room := range 2 * len(want) {
		mem := bytes.Repeat([]byte("#"), 100)
		got := AppendJSON(mem[:0:room], body)
		if string(got) != want || strings.Trim(string(mem[room:]), "#") != "" {
			t.Errorf("room for %d: %s, behind it %s", room, got, mem[room:])
		}
	}
}
