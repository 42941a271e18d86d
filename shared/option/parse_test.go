package option

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// value parses a text that was set for an option of some kind.
func value(t *testing.T, o Option, text string) (any, error) {
	t.Helper()
	o.Name, o.Help = "opt", "Help."
	return o.parse(text)
}

func TestParse(t *testing.T) {
	f := func(k Kind, text string, want any) {
		t.Helper()
		got, err := value(t, Option{Kind: k, Choices: []string{"none", "LZ4"}}, text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s %q: %#v, %v; want %#v", k, text, got, err, want)
		}
	}
	f(Text, "as it is, \\ too", "as it is, \\ too")
	f(Text, "", "")

	for _, text := range []string{"on", "On", "TRUE", "yes", "1"} {
		f(Bool, text, true)
	}
	for _, text := range []string{"off", "OFF", "false", "No", "0", ""} {
		f(Bool, text, false)
	}

	f(Int, "", int64(0))
	f(Int, "1000", int64(1000))
	f(Int, "-7", int64(-7))
	f(Int, "9223372036854775807", int64(math.MaxInt64))

	f(Size, "", int64(0))
	f(Size, "0", int64(0))
	f(Size, "100", int64(100))
	f(Size, "100B", int64(100))
	f(Size, "512k", int64(512<<10))
	f(Size, "5M", int64(5<<20))
	f(Size, "5 MB", int64(5<<20))
	f(Size, "2gb", int64(2<<30))
	f(Size, "8589934591G", int64(8589934591<<30)) // the largest

	f(Duration, "", time.Duration(0))
	f(Duration, "10", 10*time.Second)
	f(Duration, "0.25", 250*time.Millisecond)
	f(Duration, "250ms", 250*time.Millisecond)
	f(Duration, "1h30m", 90*time.Minute)
	f(Duration, "0", time.Duration(0))

	f(Choice, "", "")
	f(Choice, "lz4", "LZ4")
	f(Choice, "NONE", "none")
}

func TestParseErrors(t *testing.T) {
	f := func(o Option, text, want string) {
		t.Helper()
		got, err := value(t, o, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %q: %#v, %v; want an error with %q", o.Kind, text, got, err, want)
		}
	}
	f(Option{Kind: Bool}, "maybe", "on or off")
	f(Option{Kind: Bool, Example: "on"}, "2", "for example: opt on")
	for _, text := range []string{"1.5", "1e3", "x", "0x10", "9223372036854775808", "1 000"} {
		f(Option{Kind: Int, Example: "5"}, text, "a whole number, for example: opt 5")
	}
	for _, text := range []string{"5.5M", "-1", "M", "B", "1T", "1MM", "1KiB", "8589934592G", "9223372036854775808"} {
		f(Option{Kind: Size}, text, "a size in bytes with an optional K, M or G")
	}
	for _, text := range []string{"-1", "-1s", "5x", "NaN", "Inf", "1e300", "9223372036.854775807", "10 s", "s"} {
		f(Option{Kind: Duration}, text, "a duration with a unit")
	}
	f(Option{Kind: Choice, Choices: []string{"a", "b"}}, "c", "one of a, b")
	f(Option{Kind: Pairs}, "a", "name=value")
	f(Option{Kind: Pairs}, "a=1,=2", `"=2" is not`)
	f(Option{Kind: Pairs}, `a\=1`, `"a\\=1" is not`)

	f(Option{Kind: Int, Min: 1, Max: 10}, "0", "from 1 to 10")
	f(Option{Kind: Int, Min: 1, Max: 10}, "11", "from 1 to 10")
	f(Option{Kind: Int, Min: 1, Max: math.MaxInt64}, "0", "at least 1")
	f(Option{Kind: Size, Min: 1024, Max: 2048}, "1", "from 1024 bytes to 2048 bytes")
	f(Option{Kind: Duration, Min: int64(time.Second), Max: int64(time.Minute)}, "1h", "from 1s to 1m0s")
}

// Bounds are inclusive.
func TestBounds(t *testing.T) {
	for _, text := range []string{"1", "10"} {
		if _, err := value(t, Option{Kind: Int, Min: 1, Max: 10}, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestLists(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		got, err := value(t, Option{Kind: List}, text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	f("")
	f(" , ,, ")
	f("a", "a")
	f(" a , b c,\td\t,", "a", "b c", "d")
	f("a=b,c", "a=b", "c")

	// a backslash takes the next character as it is
	f(`a\,b,c`, "a,b", "c")
	f(`a\\,b`, `a\`, "b")
	f(`a\\\,b`, `a\,b`)
	f(`\x\y`, "xy")
	f(`C:\\logs,D:\\`, `C:\logs`, `D:\`)
	f(`\ a\ , b\  ,c \\ `, " a ", "b ", "c \\")
	f(`\,`, ",")
	f(`\ `, " ")

	// one at the very end escapes nothing
	f(`a\`, `a\`)
	f(`a,b\`, "a", `b\`)
	f(`\`, `\`)
}

func TestPairs(t *testing.T) {
	f := func(text string, want ...Pair) {
		t.Helper()
		got, err := value(t, Option{Kind: Pairs}, text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	f("")
	f("a=1", Pair{"a", "1"})
	f(" b = 2 , a = 1 ", Pair{"b", "2"}, Pair{"a", "1"}) // as given, not sorted
	f("a=1,a=2", Pair{"a", "1"}, Pair{"a", "2"})
	f("a=", Pair{"a", ""})
	f("a=b=c", Pair{"a", "b=c"})
	f(`a=1\,2,b=3`, Pair{"a", "1,2"}, Pair{"b", "3"})
	f(`a\=b=c`, Pair{"a=b", "c"})
	f(`a\\=b`, Pair{`a\`, "b"})
	f(`a=\ b\ , c=d\`, Pair{"a", " b "}, Pair{"c", `d\`})
}

// Whatever is written, nothing panics, and what comes out of a list goes in again when it is escaped.
func FuzzList(f *testing.F) {
	for _, s := range []string{`a,b`, `a\,b,c`, `\`, `a\ ,\\`, `=,\=`, "\\\xff,\u00a0", strings.Repeat("\x98", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		items := split(s)
		escaped := make([]string, len(items))
		for i, item := range items {
			for _, r := range []byte(item) {
				escaped[i] += `\` + string([]byte{r})
			}
		}
		again := split(strings.Join(escaped, ","))
		if len(items) != len(again) || len(items) > 0 && !reflect.DeepEqual(items, again) {
			t.Errorf("%q: %q, and again %q", s, items, again)
		}
		o := Option{Name: "opt", Kind: Pairs}
		if v, err := o.parse(s); err == nil {
			for _, p := range v.([]Pair) {
				if p.Key == "" {
					t.Errorf("%q: a pair without a name", s)
				}
			}
		}
	})
}
