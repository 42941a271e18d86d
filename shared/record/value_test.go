package record

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// be writes a head and a big-endian number of 1, 2, 4 or 8 bytes.
func be(head byte, size int, n uint64) Value {
	return append(Value{head}, binary.BigEndian.AppendUint64(nil, n)[8-size:]...)
}

func float64Value(f float64) Value { return be(0xcb, 8, math.Float64bits(f)) }
func float32Value(f float32) Value { return be(0xca, 4, uint64(math.Float32bits(f))) }
func textValue(s string) Value     { return msgp.AppendString(nil, s) }

// TestValueTypes compares the type of every first byte with an independent reader.
func TestValueTypes(t *testing.T) {
	want := map[msgp.Type]Type{
		msgp.NilType: Nil, msgp.InvalidType: Nil, msgp.BoolType: Bool, msgp.IntType: Int, msgp.UintType: Uint,
		msgp.Float32Type: Float, msgp.Float64Type: Float, msgp.StrType: String, msgp.BinType: Binary,
		msgp.ArrayType: Array, msgp.MapType: Map, msgp.ExtensionType: Ext,
	}
	for c := range 256 {
		got := Value{byte(c)}.Type()
		if w := want[msgp.NextType([]byte{byte(c)})]; got != w && !(c <= 0x7f && got == Uint) {
			t.Errorf("%#02x: %v, want %v", c, got, w)
		}
	}
	if Value(nil).Type() != Nil || Ext.String() != "ext" || Type(200).String() != "unknown type" {
		t.Error("the empty value is not nil, or a name is wrong")
	}
}

// TestValueNumbers reads numbers of every width in every way.
func TestValueNumbers(t *testing.T) {
	const no = "no"
	f := func(v Value, i, u any, fl any) {
		t.Helper()
		show := func(x any, ok bool) any {
			if !ok {
				return no
			}
			return x
		}
		gi, iok := v.Int()
		gu, uok := v.Uint()
		gf, fok := v.Float()
		if g := show(gi, iok); g != i {
			t.Errorf("% x: Int %v, want %v", v, g, i)
		}
		if g := show(gu, uok); g != u {
			t.Errorf("% x: Uint %v, want %v", v, g, u)
		}
		if g := show(gf, fok); g != fl {
			t.Errorf("% x: Float %v, want %v", v, g, fl)
		}
		if g, ok := v.ParseFloat(); show(g, ok) != fl {
			t.Errorf("% x: ParseFloat %v, want %v", v, g, fl)
		}
		for n := range v {
			cut := v[:n:n]
			_, a := cut.Int()
			_, b := cut.Uint()
			_, c := cut.Float()
			if a || b || c {
				t.Errorf("% x is a number though it is cut", cut)
			}
		}
	}
	f(Value{0x00}, int64(0), uint64(0), 0.0)
	f(Value{0x7f}, int64(127), uint64(127), 127.0)
	f(Value{0xff}, int64(-1), no, -1.0)
	f(Value{0xe0}, int64(-32), no, -32.0)
	f(be(0xcc, 1, 200), int64(200), uint64(200), 200.0)
	f(be(0xcd, 2, 60000), int64(60000), uint64(60000), 60000.0)
	f(be(0xce, 4, 4e9), int64(4e9), uint64(4e9), 4e9)
	f(be(0xcf, 8, math.MaxInt64), int64(math.MaxInt64), uint64(math.MaxInt64), float64(1<<63))
	f(be(0xcf, 8, math.MaxUint64), no, uint64(math.MaxUint64), float64(1<<64))
	f(be(0xd0, 1, 0x80), int64(-128), no, -128.0)
	f(be(0xd1, 2, 0x8000), int64(-32768), no, -32768.0)
	f(be(0xd2, 4, 0x80000000), int64(math.MinInt32), no, float64(math.MinInt32))
	f(be(0xd3, 8, 1<<63), int64(math.MinInt64), no, -float64(1<<63))
	f(be(0xd0, 1, 5), int64(5), uint64(5), 5.0) // what is not negative may be signed all the same
	f(be(0xd3, 8, 5), int64(5), uint64(5), 5.0)
	f(float64Value(200), int64(200), uint64(200), 200.0)
	f(float64Value(-2), int64(-2), no, -2.0)
	f(float64Value(0.5), no, no, 0.5)
	f(float64Value(1<<63), no, uint64(1<<63), float64(1<<63))
	f(float64Value(-1<<63), int64(math.MinInt64), no, -float64(1<<63))
	f(float64Value(1<<64), no, no, float64(1<<64))
	f(float64Value(math.Inf(1)), no, no, math.Inf(1))
	f(float32Value(0.1), no, no, 0.10000000149011612) // widened exactly
	f(float32Value(7), int64(7), uint64(7), 7.0)

	if g, ok := float64Value(math.NaN()).Float(); !ok || !math.IsNaN(g) {
		t.Errorf("NaN: %v, %v", g, ok)
	}
	for _, v := range []Value{nil, {0xc0}, {0xc1}, {0xc3}, textValue("1")[:1], {0x90}, {0x80}, {0xd4, 1, 1}, {0xd8}} {
		f(v, no, no, no)
	}
	if _, ok := textValue("12").Float(); ok {
		t.Error("text is a number without being asked for")
	}
}

func TestValueParseFloat(t *testing.T) {
	f := func(s string, want float64, wantOK bool) {
		t.Helper()
		for _, v := range []Value{textValue(s), msgp.AppendBytes(nil, []byte(s))} {
			got, ok := v.ParseFloat()
			if ok != wantOK || got != want {
				t.Errorf("%q: %v, %v; want %v, %v", s, got, ok, want, wantOK)
			}
		}
	}
	f("12", 12, true)
	f("-0.5", -0.5, true)
	f("+3", 3, true)
	f("1.2e-3", 0.0012, true)
	f("1E5", 1e5, true)
	f("5.", 5, true)
	f(".5", .5, true)
	f("007", 7, true)
	f("1e400", 0, false)
	f(strings.Repeat("9", 300), 1e300, true)
	for _, s := range []string{"", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "--1", "1 ", " 1", "0x10", "1_000", "NaN", "Inf",
		"infinity", "12ms", "1,5", "1\x00"} {
		f(s, 0, false)
	}
	v := textValue("no number")
	if n := testing.AllocsPerRun(100, func() { v.ParseFloat() }); n != 0 {
		t.Errorf("%v allocations for text that is no number", n)
	}
	v = textValue("12.375")
	if n := testing.AllocsPerRun(100, func() { v.ParseFloat() }); n != 0 {
		t.Errorf("%v allocations for text that is a number", n)
	}
}

func TestValueTextAndBool(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 255, 256, 65535, 65536} {
		s := strings.Repeat("x", n)
		for _, v := range []Value{textValue(s), msgp.AppendBytes(nil, []byte(s))} {
			text, ok := append(v, 0xc1).Text()
			if !ok || string(text) != s || len(text) != cap(text) {
				t.Errorf("% .8x… of %d bytes: %d with a capacity of %d, %v", v, n, len(text), cap(text), ok)
			}
			for _, cut := range []int{0, 1, 2, 3, 4, len(v) - 1} {
				if cut < len(v) {
					if _, ok := v[:cut:cut].Text(); ok {
						t.Errorf("% .8x… of %d bytes is text though it is cut at %d", v, n, cut)
					}
				}
			}
		}
	}
	for _, v := range []Value{nil, {0xc0}, {0x05}, {0x90}, {0x80}, {0xc7, 1, 1, 1}, {0xdb, 0xff, 0xff, 0xff, 0xff, 'a'}} {
		if text, ok := v.Text(); ok {
			t.Errorf("% x is the text %q", v, text)
		}
	}
	for c := range 256 {
		b, ok := Value{byte(c)}.Bool()
		if ok != (c == 0xc2 || c == 0xc3) || b != (c == 0xc3) {
			t.Errorf("%#02x is the boolean %v, %v", c, b, ok)
		}
	}
}

func TestValueAppendText(t *testing.T) {
	f := func(v Value, want string) {
		t.Helper()
		if got := string(v.AppendText([]byte("x"))); got != "x"+want {
			t.Errorf("% x: %q, want %q", v, got, "x"+want)
		}
	}
	f(nil, "")
	f(Value{0xc0}, "")
	f(Value{0xc1}, "")
	f(textValue("a \"b\"\xff\n"), "a \"b\"\xff\n")
	f(msgp.AppendBytes(nil, []byte{1, 2}), "\x01\x02")
	f(Value{0xc3}, "true")
	f(Value{0xc2}, "false")
	f(be(0xcd, 2, 200), "200")
	f(Value{0xff}, "-1")
	f(be(0xcf, 8, math.MaxUint64), "18446744073709551615")
	f(float64Value(200), "200")
	f(float64Value(0.25), "0.25")
	f(float64Value(1e21), "1e+21")
	f(float64Value(1e-9), "1e-9")
	f(float32Value(0.1), "0.1")
	f(float64Value(math.NaN()), "NaN")
	f(float64Value(math.Inf(-1)), "-Inf")
	f(Value{0x92, 0x01, 0xa1, 'b'}, `[1,"b"]`)
	f(Value{0x81, 0xa1, 'a', 0xc0}, `{"a":null}`)
	f(append(Value{0xd7, 0}, be(0x65, 7, 0)...)[:10], "2023-09-12T06:06:56Z")
	f(Value{0xd4, 5, 9}, `{"type":5,"data":"CQ=="}`)
	f(Value{0x92, 0x01}, "") // damaged
	f(Value{0xcb, 0x01}, "")
	f(Value{0xcd, 0x01}, "")
	f(Value{0xa5, 'a'}, "")
	f(Value{0xd7, 0}, "")
}
