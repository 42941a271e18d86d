package fieldmetrics

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

func TestLabelValues(t *testing.T) {
	f := func(value any, want string) {
		t.Helper()
		v, err := msgp.AppendIntf(nil, value)
		if err != nil {
			t.Fatal(err)
		}
		fields := record.NewFinder(path(t, "x"))
		fields.Reset(append(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "x"), v...))
		key, ok := appendKey([]byte("before"), []labelReader{{max: maxLabelValue}}, fields, &scratch{known: make([]map[string]string, 1)})
		if got := string(key); got != "before"+want || !ok {
			t.Errorf("%v: %q, want %q", value, got[6:], want)
		}
	}
	f("info", "info")
	f("", "")
	f(200, "200")
	f(-1, "-1")
	f(uint64(math.MaxUint64), "18446744073709551615")
	f(int64(math.MinInt64), "-9223372036854775808")
	f(200.0, "200")
	f(0.5, "0.5")
	f(true, "true")
	f(nil, "")
	f([]any{1, "x"}, `[1,"x"]`)
	f([]byte("raw"), "raw")
	f("line\nbreak \"quoted\"", "line\nbreak \"quoted\"")
	f("a\xff\xfeb", "a\ufffd\ufffdb") // latin-1, and what separates values in a key

	long := strings.Repeat("x", maxLabelValue)
	f(long, long)
	f(long+"y", long)
	f(long[1:]+"ä", long[1:])    // a character is kept whole or not at all
	f(long[1:]+"\xc3", long[1:]) // U+FFFD has three bytes
	f(strings.Repeat("€", maxLabelValue), strings.Repeat("€", maxLabelValue/3))
	f([]any{long + "ä"}, `["`+long[2:])
	f([]any{long[3:] + "ää"}, `["`+long[3:])
}

// What value rules made of values is remembered for so many and no more; and it is the same when it is.
func TestKnownValuesAreBounded(t *testing.T) {
	l := labelReader{max: maxLabelValue, values: []valueRule{{regexp.MustCompile("^(?:5..)$"), "5xx"}}}
	var known map[string]string
	for range 2 {
		for i := range 2 * maxKnown {
			want := strconv.Itoa(i)
			if i >= 500 && i < 600 {
				want = "5xx"
			}
			if got := string(l.appendText(nil, []byte(strconv.Itoa(i)), &known)); got != want {
				t.Errorf("%d became %s", i, got)
			}
		}
	}
	l.appendText(nil, make([]byte, maxKnownText+1), &known)
	if len(known) != maxKnown {
		t.Errorf("%d are remembered", len(known))
	}
}

// Different label values never have the same key, and a key gives them back.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "", "ab")
	f.Add("\xff", "", "", "\xff")
	f.Add(strings.Repeat("x", maxLabelValue+1), "y", "\xc3", "€")
	f.Fuzz(func(t *testing.T, a1, a2, b1, b2 string) {
		fields := record.NewFinder(path(t, "x"), path(t, "y"))
		key := func(v1, v2 string) ([]string, string) {
			fields.Reset(rec("x", v1, "y", v2))
			both := []labelReader{{path: 0, max: maxLabelValue}, {path: 1, max: maxLabelValue}}
			key, _ := appendKey(nil, both, fields, &scratch{known: make([]map[string]string, 2)})
			k := string(key)
			values := strings.Split(k, string([]byte{separator}))
			if len(values) != 2 {
				t.Fatalf("%q, %q: %d values in %q", v1, v2, len(values), k)
			}
			for _, v := range values {
				if !utf8.ValidString(v) || len(v) > maxLabelValue {
					t.Errorf("%q is not what Prometheus takes", v)
				}
			}
			for i, v := range []string{v1, v2} {
				if utf8.ValidString(v) && len(v) <= maxLabelValue && values[i] != v {
					t.Errorf("%q became %q", v, values[i])
				}
			}
			return values, k
		}
		va, ka := key(a1, a2)
		vb, kb := key(b1, b2)
		if slices.Equal(va, vb) != (ka == kb) {
			t.Errorf("%q and %q have the keys %q and %q", va, vb, ka, kb)
		}
	})
}

// Whatever the host hands over, a flush ends well, and each event is accounted for once.
func FuzzFlush(f *testing.F) {
	f.Add(events(rec("level", "info", "v", 1), rec("v", "x")))
	f.Add(append(chunk.AppendGroupStart(nil, nil, nil), events(rec("level", 1))...))
	f.Add([]byte{0x92, 0xc1, 0x93})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := start(t, settings{"metric_name": "m_total", "field": "v", "label_fields": "level,$a[0]", "max_series": "2", "listen": "off"})
		flushed(t, p, data)
		var records float64
		var r chunk.Reader
		for r.Reset(data); ; {
			k := r.Next()
			if k == chunk.End {
				break
			}
			if k == chunk.Record {
				records++
			}
		}
		if got := sum(t, p); got != records {
			t.Errorf("%v records are accounted for, the chunk has %v", got, records)
		}
	})
}
