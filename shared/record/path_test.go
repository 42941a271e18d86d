package record

import (
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// mapOf writes a map of these keys and values in this order, so that keys can come twice.
func mapOf(t testing.TB, kv ...any) []byte {
	t.Helper()
	b := msgp.AppendMapHeader(nil, uint32(len(kv)/2))
	for _, x := range kv {
		if raw, ok := x.(Value); ok {
			b = append(b, raw...)
			continue
		}
		var err error
		if b, err = msgp.AppendIntf(b, x); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func mustPath(t testing.TB, s string) Path {
	t.Helper()
	p, err := ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// find looks a path up in all the ways there are, which must agree, and shows what was found as text.
func find(t *testing.T, body []byte, path string) string {
	t.Helper()
	p := mustPath(t, path)
	if p.String() != path {
		t.Errorf("the path %q shows as %q", path, p)
	}
	f := NewFinder(mustPath(t, "other"), p, mustPath(t, "a.b"))
	f.Reset(mapOf(t, "a", "of an earlier record"))
	f.Reset(body)
	v, ok := p.Find(body)
	w, wok := f.Value(1)
	if ok != wok || string(v) != string(w) {
		t.Errorf("%s: Path finds % x, %v; Finder % x, %v", path, v, ok, w, wok)
	}
	if !ok {
		return "none"
	}
	if len(v) != cap(v) {
		t.Errorf("%s: %d bytes with a capacity of %d", path, len(v), cap(v))
	}
	return v.Type().String() + " " + string(v.AppendText(nil))
}

func TestPathFind(t *testing.T) {
	body := mapOf(t,
		"status", 200,
		"nothing", nil,
		"a", map[string]any{"b": "nested", "c": map[string]any{"d": "deep"}},
		"x.y", "dotted",
		"x", map[string]any{"y": "not this one", "z": "other"},
		"p.q", map[string]any{"r": "in dotted"},
		"list", []any{"zero", []any{"one zero"}, map[string]any{"k": "two k"}},
		"odd name", 1, "it's", 2, `say "x"`, 3, "", 4, "b]", 5, "$d", 6, "größe", 7,
		Value(msgp.AppendBytes(nil, []byte("binary key"))), 8,
		1, "a key that is no text",
		"twice", "first", "twice", "last",
		strings.Repeat("k", 100), "long",
	)
	f := func(path, want string) {
		t.Helper()
		if got := find(t, body, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for _, p := range []string{"status", "$status", "$.status", "$['status']", `$["status"]`} {
		f(p, "int 200")
	}
	f("nothing", "nil ")
	for _, p := range []string{"a.b", "$a.b", "$.a.b", "$a['b']", "a['b']", "$['a']['b']", "$['a'].b"} {
		f(p, "string nested")
	}
	f("a.c.d", "string deep")
	f("$a['c'].d", "string deep")
	f("x.y", "string dotted") // the field of that very name comes first …
	f("$x.y", "string dotted")
	f("$['x.y']", "string dotted")
	f("$.x.y", "string not this one") // … unless the path says otherwise
	f("$x['y']", "string not this one")
	f("x.z", "string other")
	f("p.q['r']", "string in dotted")
	f("p.q.r", "none")
	f("$list[0]", "string zero")
	f("list[1][0]", "string one zero")
	f("$.list[2].k", "string two k")
	f("$list[3]", "none")
	f("$list[4294967295]", "none")
	f("$status[0]", "none")
	f("$list['0']", "none")
	f("$a[0]", "none")
	f("status.code", "none")
	f("missing", "none")
	f("$['odd name']", "uint 1")
	f("$['it''s']", "uint 2")
	f(`$["it's"]`, "uint 2")
	f(`$["say ""x"""]`, "uint 3")
	f("$['']", "uint 4")
	f("$['b]']", "uint 5")
	f("$['$d']", "uint 6")
	f("größe", "uint 7")
	f("$['binary key']", "uint 8")
	f("1", "none")
	f("twice", "string last")
	f(strings.Repeat("k", 100), "string long")
}

// TestPathFindInDamage takes records that are no map, and maps that end early: what is before the damage is found.
func TestPathFindInDamage(t *testing.T) {
	whole := mapOf(t, "a", 1, "b", map[string]any{"c": 2}, "d", []any{3, 4})
	for _, path := range []string{"a", "b.c", "$d[1]"} {
		want := find(t, whole, path)
		first := len(whole)
		for n := len(whole); n >= 0; n-- {
			got := find(t, whole[:n:n], path)
			switch {
			case got == want && n == first-1 || n == len(whole):
				first = n
			case got == want || got != "none":
				t.Errorf("%s in the first %d bytes: %q", path, n, got)
			}
		}
	}
	for _, b := range [][]byte{nil, {0xc0}, {0xc1}, {0x91, 0x01}, {0xdf}, {0xdf, 0xff, 0xff, 0xff, 0xff}, []byte("\x82\xa1a\xc1")} {
		if got := find(t, b, "a"); got != "none" {
			t.Errorf("% x: %q", b, got)
		}
	}
	var none Path
	if _, ok := none.Find(whole); ok {
		t.Error("the path of nothing found something")
	}
	if _, ok := NewFinder(none).Value(0); ok {
		t.Error("the path of nothing found something")
	}
}

func TestParsePathErrors(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		p, err := ParsePath(path)
		if err == nil {
			t.Errorf("%q is a path: %v", path, p.steps)
			return
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "examples: ") {
			t.Errorf("%q: the error %q does not say %q", path, err, want)
		}
	}
	f("", "character 1: the name of a field is missing")
	f("$", "character 2: the name of a field is missing")
	f("$.", "character 3: the name of a field is missing")
	f("a.", "the name of a field is missing")
	f("a..b", `character 3: "." cannot begin a name`)
	f(".a", `character 1: "." cannot begin a name`)
	f("[0]", `"[" cannot begin a name`)
	f("['a']", `"[" cannot begin a name`)
	f("$$a", `"$" cannot begin a name`)
	f("$.['a']", `"[" cannot begin a name`)
	f("a b", `character 2: " " cannot stand in a name`)
	f("a]", `"]" cannot stand in a name`)
	f("a'b", `"'" cannot stand in a name`)
	f("a\n", `cannot stand in a name`)
	f("$[0]", "a record is a map")
	f("$a[", "[ is not closed")
	f("$a[0", "[ is not closed")
	f("$a[]", "neither a quoted name nor an index")
	f("$a[-1]", "neither a quoted name nor an index")
	f("$a[1.5]", "neither a quoted name nor an index")
	f("$a[b]", "neither a quoted name nor an index")
	f("$a[4294967296]", "neither a quoted name nor an index")
	f("$a['b", "the quote is not closed")
	f("$a['b'", "expected ] after the closing quote")
	f("$a['it's']", "expected ] after the closing quote")
	f("$a['b']c", `character 8: expected . or [, not "c"`)
}

func TestFinderSharesNames(t *testing.T) {
	f := NewFinder(mustPath(t, "$a['x']"), mustPath(t, "a.y"), mustPath(t, "a"))
	if len(f.names) != 2 { // a, a.y
		t.Errorf("%d names to look for", len(f.names))
	}
	f.Reset(mapOf(t, "a", map[string]any{"x": 1, "y": 2}))
	for i, want := range []string{"1", "2"} {
		if v, ok := f.Value(i); !ok || string(v.AppendText(nil)) != want {
			t.Errorf("path %d: % x, %v", i, v, ok)
		}
	}
	f.Reset(nil)
	if v, ok := f.Value(2); ok {
		t.Errorf("the value % x of the last record is left over", v)
	}
}

// The top-level fields that a path can lead through, for a caller that walks the record itself.
func TestPathTop(t *testing.T) {
	f := func(path, dotted, first string) {
		t.Helper()
		if d, one := mustPath(t, path).Top(); d != dotted || one != first {
			t.Errorf("%s: top %q, %q", path, d, one)
		}
	}
	f("status", "", "status")
	f("$status", "", "status")
	f("$['it''s']", "", "it's")
	f("a.b", "a.b", "a")
	f("$.a.b", "", "a")
	f("$a['b.c'][0]", "", "a")
	f("a.b[0]", "a.b", "a")
	if d, first := (Path{}).Top(); d != "" || first != "" {
		t.Error("the zero Path has names")
	}
}

// FindIn finds what Find finds.
func TestFindIn(t *testing.T) {
	for _, body := range [][]byte{
		mapOf(t, "a.b", 1), mapOf(t, "a", map[string]any{"b": 2}), mapOf(t, "a.b", 1, "a", map[string]any{"b": 2}),
		mapOf(t, "a.b", []any{7}), mapOf(t, "a", map[string]any{"b": []any{8}}), mapOf(t), mapOf(t, "a", 5), mapOf(t, "a", nil),
	} {
		for _, text := range []string{"a", "a.b", "$a.b", "$.a.b", "$a['b']", "a.b[0]", "$['a.b']"} {
			p := mustPath(t, text)
			get := func(name string) Value {
				v, _ := lookup(body, name)
				return v
			}
			dotted, first := p.Top()
			want, ok := p.Find(body)
			if got, found := p.FindIn(get(dotted), get(first)); found != ok || string(got) != string(want) {
				t.Errorf("%s in % x: % x, %v, want % x, %v", text, body, got, found, want, ok)
			}
		}
	}
	if _, ok := (Path{}).FindIn(Value{1}, Value{1}); ok {
		t.Error("the zero Path finds something")
	}
}

func TestFields(t *testing.T) {
	body := mapOf(t, "a", 1, "b", []any{1, 2}, "a", "again", 5, nil)
	var f Fields
	var got []string
	for f.Reset(append(body, 0xc1)); f.Next(); {
		if len(f.Key) != cap(f.Key) || len(f.Value) != cap(f.Value) {
			t.Errorf("key % x or value % x has room behind it", f.Key, f.Value)
		}
		got = append(got, string(f.Key.AppendText(nil))+"="+string(f.Value.AppendText(nil)))
	}
	if s := strings.Join(got, " "); s != "a=1 b=[1,2] a=again 5=" {
		t.Errorf("got %q", s)
	}
	if f.Next() || f.Key != nil || f.Value != nil {
		t.Error("there is something behind the end")
	}
	for n := range body {
		count := 0
		for f.Reset(body[:n:n]); f.Next(); count++ {
		}
		if count > 3 {
			t.Errorf("%d members in %d of %d bytes", count, n, len(body))
		}
	}
	for f.Reset([]byte{0xa1, 'a'}); f.Next(); {
		t.Errorf("text has the member % x", f.Key)
	}
	var zero Fields
	if zero.Next() {
		t.Error("the zero Fields has a member")
	}
}

func TestFindAllocs(t *testing.T) {
	body := benchBody()
	status, pod, dotted := mustPath(t, "status"), mustPath(t, "$kubernetes['pod']"), mustPath(t, "kubernetes.pod")
	finder := NewFinder(status, pod, dotted)
	var fields Fields
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range []Path{status, pod, dotted} {
			if _, ok := p.Find(body); !ok {
				t.Fatalf("%v is not there", p)
			}
		}
		finder.Reset(body)
		if _, ok := finder.Value(2); !ok {
			t.Fatal("kubernetes.pod is not there")
		}
		for fields.Reset(body); fields.Next(); {
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
