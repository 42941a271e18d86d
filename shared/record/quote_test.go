package record

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestQuote compares each byte, at each place in strings of each length around the widths of the scan, with
// encoding/json reading it back; inside a larger slice and at its end.
func TestQuote(t *testing.T) {
	check := func(s string) {
		t.Helper()
		around := []byte("\"\\\x00\xff" + s + "\x00\"\\\xff\"\\\x00\"\\\xff")
		texts := map[string][]byte{
			"at the end": appendText(nil, around[:4+len(s)], 4, 4+len(s)),
			"inside":     appendText(make([]byte, 0, 8*len(s)+64), around, 4, 4+len(s)),
			"alone":      appendString(nil, []byte(s)),
		}
		want := strings.ToValidUTF8(s, "\ufffd")
		if !utf8.ValidString(s) { // ToValidUTF8 makes one of a whole run of bytes
			want = string([]rune(s))
		}
		for how, text := range texts {
			var got string
			if err := json.Unmarshal(text, &got); err != nil || got != want {
				t.Fatalf("%q %s: %s reads back as %q, %v", s, how, text, got, err)
			}
		}
	}
	for n := 1; n <= 26; n++ {
		for at := range n {
			for c := range 256 {
				b := []byte(strings.Repeat("a", n))
				b[at] = byte(c)
				check(string(b))
			}
		}
	}
	check("")
	r := rand.New(rand.NewPCG(7, 8))
	parts := []string{"a", "plain text", "\"", "\\", "\x00", "\x1f", "\x7f", "ä", "€", "😀", "\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\ufffd", "\u2028", "\n", "\r", "\t"}
	for range 20000 {
		var s strings.Builder
		for range r.IntN(12) {
			s.WriteString(parts[r.IntN(len(parts))])
		}
		check(s.String())
	}
}

func TestQuoteForm(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := string(appendString([]byte("x"), []byte(s))); got != "x"+want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	f(`a"b\c/d`, `"a\"b\\c/d"`)
	f("\n\r\t\b\f\x00\x1f\x7f", `"\n\r\t\u0008\u000c\u0000\u001f`+"\x7f\"")
	f("<a href='x'>&", `"<a href='x'>&"`)
	f("größer als 8 Bytes, \xff kaputt", "\"größer als 8 Bytes, \ufffd kaputt\"")
	f("größer als 8 Bytes\n", `"größer als 8 Bytes\n"`)
}

// TestAppendFloat holds the short way to strconv's answer.
func TestAppendFloat(t *testing.T) {
	check := func(f float64) {
		t.Helper()
		out, ok := appendDecimal(nil, f)
		if want := strconv.FormatFloat(f, 'f', -1, 64); ok && string(out) != want {
			t.Fatalf("%v: %s, want %s", f, out, want)
		}
		got := appendFloat(nil, f, false)
		if back, err := strconv.ParseFloat(string(got), 64); err != nil || back != f || math.Signbit(back) != math.Signbit(f) {
			t.Fatalf("%v: %s reads back as %v, %v", f, got, back, err)
		}
	}
	short := 0
	r := rand.New(rand.NewPCG(9, 10))
	for range 50000 {
		d := math.Pow10(r.IntN(10))
		f := math.Round(r.NormFloat64()*math.Pow10(r.IntN(12))) / d
		if _, ok := appendDecimal(nil, f); ok {
			short++
		}
		check(f)
		check(math.Nextafter(f, math.Inf(1)))
		check(math.Nextafter(f, math.Inf(-1)))
		if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			check(f)
		}
	}
	if short < 12500 {
		t.Errorf("only %d of 50,000 decimals went the short way", short)
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1e-6, 1e-7, 4e-7, 5e-7, 999999999.999999, 1e9, -1e9, math.MaxFloat64, 5e-324} {
		check(f)
	}
}
