package record

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

// without is the body without the members of these names, put together from Fields, and how many there are.
func without(body []byte, names ...string) (rest []byte, n int) {
	var f Fields
	var members []byte
	for f.Reset(body); f.Next(); {
		text, ok := f.Key.Text()
		omit := false
		for _, name := range names {
			omit = omit || ok && string(text) == name
		}
		if !omit {
			members = append(append(members, f.Key...), f.Value...)
			n++
		}
	}
	return append(chunk.AppendMapHeader(nil, n), members...), n
}

// A Finder that writes the record finds what it finds otherwise, and writes what is written otherwise, without what is
// to be left out: for records with few members and with many, and names that are there more than once.
func TestFinderWrites(t *testing.T) {
	f := func(name string, body []byte, names ...string) {
		t.Run(name, func(t *testing.T) {
			paths := []Path{mustPath(t, "a"), mustPath(t, "$k['pod']"), mustPath(t, "missing"), mustPath(t, "k.pod")}
			finder, want := NewFinder(paths...), NewFinder(paths...)
			for _, n := range names {
				finder.Omit(n, true)
			}
			want.Reset(body)
			rest, members := without(body, names...)
			same := func() {
				t.Helper()
				for i := range paths {
					v, ok := finder.Value(i)
					if w, wok := want.Value(i); ok != wok || !bytes.Equal(v, w) {
						t.Errorf("%v: % x, %v; want % x, %v", paths[i], v, ok, w, wok)
					}
				}
			}
			for _, first := range []bool{false, true} {
				if got, w := finder.AppendJSONFields([]byte("x"), body, first), AppendJSONFields([]byte("x"), rest, first); !bytes.Equal(got, w) {
					t.Errorf("%s\nwant %s", got, w)
				}
				same()
			}
			got, n := finder.AppendFields([]byte{}, body)
			if w := rest[len(chunk.AppendMapHeader(nil, members)):]; n != members || !bytes.Equal(got, w) {
				t.Errorf("%d members, % x\nwant %d, % x", n, got, members, w)
			}
			same()
			for _, n := range names {
				finder.Omit(n, false)
			}
			if got, w := finder.AppendJSONFields(nil, body, false), AppendJSONFields(nil, body, false); !bytes.Equal(got, w) {
				t.Errorf("%s\nwant %s", got, w)
			}
		})
	}
	body := func(kv ...any) []byte {
		b := msgp.AppendMapHeader(nil, uint32(len(kv)/2))
		for i := range kv {
			if raw, ok := kv[i].(msgp.Raw); ok {
				b = append(b, raw...)
				continue
			}
			b, _ = msgp.AppendIntf(b, kv[i])
		}
		return b
	}
	k := msgp.Raw(body("pod", "p-1"))
	f("bench", benchBody(), "level", "kubernetes")
	f("nothing to omit", body("a", 1, "k", k))
	f("first, last", body("x", 1, "a", 2, "y", 3), "x", "y")
	f("all", body("x", 1, "x", 2), "x")
	f("none", body())
	f("found and omitted", body("a", 1, "k", k, "b", 2), "a", "k")
	f("twice", body("a", 1, "b", 1, "a", 2, "b", 2, "k", k, "k", 1), "b")
	f("empty names", body("", 1, "x", 2, "", 3, "y", 4), "x")
	f("empty name omitted", body("", 1, "x", 2, "", 3), "")
	f("key of another type", body(7, 1, "7", 2, nil, 3), "7")
	f("nested is another", body("b", msgp.Raw(body("x", 1)), "x", 2), "x")
	f("no map", []byte{1}, "x")
	f("empty", nil, "x")
	var many []any
	for i := range 200 {
		many = append(many, fmt.Sprintf("n%d", i%150), i)
	}
	f("many", body(append(many, "a", 1, "k", k)...), "n3", "n149", "a")
}

// FuzzMembers is TestFinderWrites for any bytes.
func FuzzMembers(f *testing.F) {
	f.Add(benchBody(), "level", "kubernetes.pod")
	f.Add([]byte{0x83, 0xa0, 1, 0xa1, 'x', 2, 0xa0, 3}, "x", "x")
	f.Fuzz(func(t *testing.T, body []byte, omit, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		finder := NewFinder(p)
		finder.Omit(omit, true)
		if n, ok := chunk.Skip(body); !ok || n != len(body) {
			// Damaged: only that nothing worse comes of it.
			finder.AppendJSONFields(nil, body, false)
			finder.AppendFields(nil, body)
			return
		}
		rest, members := without(body, omit)
		if got, want := finder.AppendJSONFields(nil, body, false), AppendJSONFields(nil, rest, false); !bytes.Equal(got, want) {
			t.Fatalf("%s\nwant %s", got, want)
		}
		v, ok := finder.Value(0)
		if w, wok := p.Find(body); ok != wok || !bytes.Equal(v, w) {
			t.Fatalf("%q finds % x, %v; Finder % x, %v", text, w, wok, v, ok)
		}
		got, n := finder.AppendFields(nil, body)
		if want := rest[len(chunk.AppendMapHeader(nil, members)):]; n != members || !bytes.Equal(got, want) {
			t.Fatalf("%d members, % x\nwant %d, % x", n, got, members, want)
		}
		if w, wok := finder.Value(0); ok != wok || !bytes.Equal(v, w) {
			t.Fatalf("%q: % x, then % x", text, v, w)
		}
	})
}

func TestTopLevel(t *testing.T) {
	f := func(text, want string, wantOK bool) {
		t.Helper()
		if name, ok := mustPath(t, text).TopLevel(); name != want || ok != wantOK {
			t.Errorf("%s: %q, %v", text, name, ok)
		}
	}
	f("a", "a", true)
	f("$a", "a", true)
	f("$.a", "a", true)
	f("$['a.b']", "a.b", true)
	f("a.b", "a.b", true)
	f("$a.b", "", false)
	f("$.a.b", "", false)
	f("$a['b']", "", false)
	f("a[0]", "", false)
	f("a.b[0]", "", false)
}

func BenchmarkFinderJSON(b *testing.B) {
	body := benchBody()
	var paths []Path
	for _, s := range []string{"file", "offset", "$kubernetes['namespace']"} {
		p, err := ParsePath(s)
		if err != nil {
			b.Fatal(err)
		}
		paths = append(paths, p)
	}
	f := NewFinder(paths...)
	f.Omit("@timestamp", true)
	dst := f.AppendJSONFields(nil, body, true)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = f.AppendJSONFields(dst[:0], body, true)
	}
}
