package record

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

// checkShaped writes the first record of b by a Finder that may remember its shape and by the plain way, alone and with
// what stands behind it, into little room and much. It returns the size of the record, 0 for damage.
func checkShaped(t *testing.T, f *Finder, b []byte, omit ...string) int {
	t.Helper()
	n, whole := chunk.Skip(b)
	if _, _, isMap := chunk.MapHeader(b); !whole || !isMap {
		if out, size := f.AppendJSONOpen(nil, b); size >= 0 {
			t.Fatalf("% x is damaged, or no map: %d, %s", b, size, out)
		}
		return 0
	}
	rest, _ := without(b[:n], omit...)
	want := AppendJSONFields([]byte("x"), rest, false)
	for _, room := range []int{0, 7, 40, 4096} {
		dst := append(make([]byte, 0, 1+room), 'x')
		got, size := f.AppendJSONOpen(dst, b)
		if size != n || !bytes.Equal(got, want) {
			t.Fatalf("% x\nsize %d, %s\nwant %d, %s", b, size, got, n, want)
		}
		if got := f.AppendJSONFields(dst, b[:n:n], false); !bytes.Equal(got, want) {
			t.Fatalf("% x, alone\n%s\nwant %s", b, got, want)
		}
	}
	plain := NewFinder(f.paths...)
	plain.Reset(b[:n])
	for i := range f.paths {
		v, ok := f.Value(i)
		if w, wok := plain.Value(i); ok != wok || !bytes.Equal(v, w) {
			t.Fatalf("%v in % x: % x, %v; want % x, %v", f.paths[i], b, v, ok, w, wok)
		}
	}
	return n
}

func raw(kv ...any) msgp.Raw {
	b := msgp.AppendMapHeader(nil, uint32(len(kv)/2))
	for _, v := range kv {
		if r, ok := v.(msgp.Raw); ok {
			b = append(b, r...)
		} else {
			b, _ = msgp.AppendIntf(b, v)
		}
	}
	return b
}

// What was remembered must not show: each record comes behind all that came before it, twice.
func TestShapes(t *testing.T) {
	long := strings.Repeat("k", 40)
	inner := raw("x", 1, "y", raw("z", "é"))
	records := []msgp.Raw{
		benchBody(),
		raw(),
		raw("a", 1),
		raw("a", 1, "b", 2),
		raw("a", 1, "c", 2),
		raw("b", 1, "a", "omitted"),
		raw("a", 1, "a", 2),         // a duplicate of what is remembered
		raw("a", 1, "b", 2, "a", 3), // and behind more of it
		raw("m", inner, "a", 1),
		raw("m", 7, "a", 1), // no map this time
		raw("m", raw("x", 1, "x", 2)),
		raw("m", raw(), "a", raw()),
		raw("l", []any{1, "x", map[string]any{"q": 1}}, "a", nil),
		raw(1, 2, "1", 3), // the same in JSON
		raw("say \"x\"\n", 1, "\xff", 2),
		raw("\xff", 1, "\xfe", 2), // become the same in JSON
		raw(long, 1, long+"a", 2, long+"b", 3),
		raw(long[:15], 1, long[:14], 2, long[:16], 3, long[:31], 4, long[:32], 5),
		raw(strings.Repeat("n", 300), 1, "a", 2),
		raw("", 1, "a", 2),
		raw("a\x00", 1, "a", 2),
		raw("secret", 1, "a", 2, "secret", 3),
		raw("f", 0.1, "g", 12.375, "h", -3.0, "i", 1e300, "j", math.Copysign(0, -1), "k", math.NaN(), "l", 123456.000001, "m", float32(0.1)),
		raw("u", uint64(math.MaxUint64), "v", int64(math.MinInt64), "w", 99, "x", 100, "y", 12345678, "z", -1, "o", true, "p", false, "q", []byte{1}),
	}
	for n := range 40 {
		records = append(records, raw("text", strings.Repeat("t", n), "e", strings.Repeat("t", n)+"\"", "é", "é"+strings.Repeat("u", n)))
	}
	for _, n := range []int{255, 256, 65536} {
		records = append(records, raw("text", strings.Repeat("t", n), "tail", 1))
	}
	for _, v := range []uint64{0, 9, 10, 99, 100, 999, 1000, 9999, 10000, 99999999, 100000000, 1e12, 1e16, math.MaxUint32, math.MaxUint16} {
		records = append(records, raw("u", v, "f", float64(v), "g", float64(v)/1000, "end", "of it"))
	}
	deep := raw("d", 1)
	for range 80 {
		deep = raw("d", deep)
	}
	records = append(records, deep)
	finder := func() *Finder {
		f := NewFinder(mustPath(t, "a"), mustPath(t, "m.y.z"), mustPath(t, "kubernetes"))
		f.Omit("secret", true)
		return f
	}
	shared := finder()
	for i, r := range records {
		// The one learns little after so much that cannot be learned, the other has only seen one like it.
		f := finder()
		checkShaped(t, f, records[(i+1)%len(records)], "secret")
		for _, f := range []*Finder{shared, f} {
			checkShaped(t, f, r, "secret")
			checkShaped(t, f, append(bytes.Clone(r), bytes.Repeat([]byte{0xc1}, 64)...), "secret")
			for cut := range min(len(r), 200) {
				checkShaped(t, f, r[:cut], "secret")
			}
		}
	}
	shared.Omit("a", true)
	shared.Omit("secret", false)
	for _, r := range records {
		checkShaped(t, shared, r, "a")
	}
}

// Names that never come again fill what is remembered, and must not keep it from what comes later; nor does it grow.
func TestShapesForget(t *testing.T) {
	f := NewFinder()
	for i := range 4 * forgetVain {
		f.AppendJSONOpen(nil, raw(fmt.Sprint("name", i), raw(fmt.Sprint("inner", i), i)))
	}
	if len(f.shapes.long) > maxShapeKeys*maxShapeBytes*2 {
		t.Errorf("%d bytes of names", len(f.shapes.long))
	}
	known := func() bool {
		for range 2 * maxPause {
			f.AppendJSONOpen(nil, raw("same", 1, "as", 2, "ever", 3))
		}
		return f.shapes.paused == 0
	}
	learned := false
	for range forgetVain {
		learned = learned || known()
	}
	if !learned {
		t.Error("records that look the same are not remembered")
	}
}

func TestShapesAllocateNothing(t *testing.T) {
	f := NewFinder(mustPath(t, "status"))
	dst := make([]byte, 0, 4096)
	i := 0
	bodies := [][]byte{benchBody(), raw("a", 1), raw("a", 1, "a", 2), raw("x", raw("y", 1))}
	run := func() {
		f.AppendJSONOpen(dst, bodies[i%len(bodies)])
		i++
	}
	for range 3 * forgetVain {
		run()
	}
	if n := testing.AllocsPerRun(2*forgetVain, run); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}

// FuzzShapes is TestShapes for any bytes: one record after the other.
func FuzzShapes(f *testing.F) {
	f.Add([]byte(append(append(raw("a", 1, "b", raw("c", "d")), raw("a", 1, "a", 2)...), benchBody()...)), "a", "level")
	f.Add([]byte(append(benchBody(), benchBody()...)), "kubernetes.pod", "x")
	f.Fuzz(func(t *testing.T, data []byte, text, omit string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		finder := NewFinder(p)
		finder.Omit(omit, true)
		for range 2 {
			for b := data; len(b) > 0; {
				n := checkShaped(t, finder, b, omit)
				if n == 0 {
					if n, _ = chunk.Skip(b); n == 0 {
						break
					}
				}
				b = b[n:]
			}
		}
	})
}

// FuzzNumbers compares the short ways of numbers with strconv.
func FuzzNumbers(f *testing.F) {
	for _, v := range []uint64{0, 1, 99, 12345, 1e8, 1e16, math.MaxUint64, math.Float64bits(12.375), math.Float64bits(-0.000001), math.Float64bits(999999999.999999)} {
		f.Add(v)
	}
	finder := NewFinder()
	f.Fuzz(func(t *testing.T, bits uint64) {
		for _, v := range []float64{math.Float64frombits(bits), float64(bits) / 1e3, float64(int64(bits)) / 1e6, float64(bits%1e15) / 1e6} {
			for shift := 0; shift < 64; shift += 7 {
				checkShaped(t, finder, raw("u", bits>>shift, "f", v, "behind", "so that words can be loaded as wholes"))
			}
		}
	})
}
