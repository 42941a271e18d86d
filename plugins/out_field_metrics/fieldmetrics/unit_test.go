package fieldmetrics

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
)

func TestReadNumber(t *testing.T) {
	seen := map[string]bool{} // names of units that were read
	f := func(to, bare string, value any, want float64) {
		t.Helper()
		v, err := msgp.AppendIntf(nil, value)
		if err != nil {
			t.Fatal(err)
		}
		var c conversion
		if to != "" {
			c.to, _ = parseUnit(to)
			if c.to == nil {
				t.Fatalf("%s is no unit", to)
			}
		}
		if bare != "" {
			c.bare, _ = parseUnit(bare)
		}
		if text, ok := value.(string); ok && !math.IsNaN(want) {
			seen[strings.TrimLeft(text, "0123456789.,-+ ")] = true
		}
		got, ok := readNumber(v, &c)
		if ok == math.IsNaN(want) || ok && got != want {
			t.Errorf("%v in %q: %v %v, want %v", value, to, got, ok, want)
		}
	}
	none := math.NaN()

	// numbers as they are
	f("", "", 12, 12)
	f("", "", -0.5, -0.5)
	f("", "", "12", 12)
	f("", "", " 12 ", 12)
	f("", "", "+12", 12)
	f("", "", "-12.5e-1", -1.25)
	f("", "", ".5", .5)
	f("", "", "5.", 5)
	f("", "", []byte("7"), 7)
	f("", "", uint64(math.MaxUint64), math.MaxUint64)
	f("seconds", "", 12, 12)
	f("seconds", "", "12", 12)

	// thousands
	f("", "", "1,234", 1234)
	f("", "", "1,234,567.25", 1234567.25)
	f("", "", "-12,345", -12345)
	f("bytes", "", "1,234 KiB", 1234*1024)
	for _, wrong := range []string{"1,23", "1,2345", "1234,567", ",123", "1,,234", "1,234,", "1,234,56", "0.1,234", ","} {
		f("", "", wrong, none)
	}

	// booleans
	f("", "", true, 1)
	f("", "", false, 0)
	f("", "", "true", 1)
	f("", "", "False", 0)
	f("", "", "TRUE", 1)
	f("", "", "yes", none)
	f("", "", "-true", none)
	f("seconds", "", true, none)
	f("seconds", "", "true", none)

	// durations, as Go prints them too
	f("seconds", "", "12ms", .012)
	f("seconds", "", "1.5s", 1.5)
	f("milliseconds", "", "1.5s", 1500)
	f("ms", "", "12 ms", 12)
	f("s", "", "12 msec", .012)
	f("s", "", "3 millisecond", .003)
	f("s", "", "3 milliseconds", .003)
	f("s", "", "250us", 250e-6)
	f("s", "", "250µs", 250e-6)
	f("s", "", "250μs", 250e-6)
	f("s", "", "1 microsecond", 1e-6)
	f("s", "", "2 microseconds", 2e-6)
	f("s", "", "1ns", 1e-9)
	f("s", "", "1 nanosecond", 1e-9)
	f("us", "", "1500 nanoseconds", 1.5)
	f("s", "", "1 second", 1)
	f("s", "", "2 seconds", 2)
	f("s", "", "2 sec", 2)
	f("s", "", "2m", 120)
	f("s", "", "2min", 120)
	f("s", "", "1 minute", 60)
	f("s", "", "1.5 minutes", 90)
	f("s", "", "1h", 3600)
	f("s", "", "1 hour", 3600)
	f("minutes", "", "2 hours", 120)
	f("hours", "", "1d", 24)
	f("s", "", "1 day", 86400)
	f("s", "", "2 days", 172800)
	f("days", "", "1w", 7)
	f("days", "", "1 week", 7)
	f("days", "", "2 weeks", 14)
	f("s", "", "1h2m3.5s", 3723.5)
	f("ms", "", "-1m30s", -90000)
	f("s", "", "1h 2m", 3720)
	f("s", "", "1m30", none)
	f("s", "", "1..5s", none)
	f("s", "", "s", none)
	f("s", "", "12 parsecs", none)
	f("s", "", "12MS", none)
	f("s", "", "12KiB", none)
	f("", "", "12ms", none)
	for _, d := range []time.Duration{1, 999, 1500, 12345678, time.Second, 90 * time.Minute, -25*time.Hour + 7} {
		f("ns", "", d.String(), float64(d))
	}

	// durations of ISO 8601
	f("s", "", "PT1.5S", 1.5)
	f("s", "", "-PT1.5S", -1.5)
	f("s", "", "PT1H2M3S", 3723)
	f("hours", "", "P1DT2H", 26)
	f("days", "", "P2W", 14)
	f("ms", "", "PT0S", 0)
	f("s", "", "P", none)
	f("s", "", "PT", none)
	f("s", "", "P1DT", none)
	f("s", "", "P1M", none) // of which month?
	f("s", "", "P1Y", none)
	f("s", "", "PT5", none)
	f("s", "", "PT1D", none)
	f("s", "", "PT1ST1S", none)
	f("", "", "PT1S", none)
	f("bytes", "", "PT1S", none)

	// sizes
	f("bytes", "", "3KiB", 3072)
	f("bytes", "", "2 MB", 2e6)
	f("bytes", "", "1.5 MiB", 1.5*(1<<20))
	f("bytes", "", "7B", 7)
	f("bytes", "", "1 byte", 1)
	f("bytes", "", "7 bytes", 7)
	f("bytes", "", "1kB", 1000)
	f("bytes", "", "1KB", 1000)
	f("bytes", "", "2GB", 2e9)
	f("bytes", "", "2TB", 2e12)
	f("bytes", "", "2PB", 2e15)
	f("bytes", "", "2GiB", 2<<30)
	f("bytes", "", "2TiB", 2<<40)
	f("bytes", "", "2PiB", 2<<50)
	f("KiB", "", "1 MiB", 1024)
	f("KiB", "", "2048", 2048)
	f("kB", "", "125 KiB", 128)
	f("bytes", "", "5M", none) // of which kind?
	f("bytes", "", "1MB2KB", none)
	f("bytes", "", "1mb", none)

	// parts of a whole
	f("ratio", "", "87%", .87)
	f("ratio", "", "87 percent", .87)
	f("percent", "", "87%", 87)
	f("percent", "", ".5 ratio", 50)
	f("ratio", "", "0.5", .5)
	f("", "", "87%", none)

	// the unit of numbers that name none
	f("seconds", "ms", 250, .25)
	f("seconds", "ms", "250", .25)
	f("seconds", "ms", "250s", 250)
	f("bytes", "KiB", 2, 2048)

	// what is nothing of it
	for _, wrong := range []any{"", " ", "-", "+", "abc", "0x10", "NaN", "Inf", "1e999", "1e", "1 2", "12a", nil, []any{1}, map[string]any{"a": 1},
		strings.Repeat("1", 100), "1e-", "é", "..", "\xff"} {
		f("", "", wrong, none)
		f("seconds", "", wrong, none)
	}

	for _, u := range units {
		for _, name := range u.names {
			if !seen[name] {
				t.Errorf("no value in %s was read", name)
			}
		}
	}
}

// Whatever stands in a field, it is a finite number or none.
func FuzzReadNumber(f *testing.F) {
	for _, s := range []string{"12ms", "1h2m3.5s", "PT1H2M3S", "1,234.5", "87%", "-1e308", "1e400PB", "P"} {
		f.Add(s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, text string, to uint8) {
		v := msgp.AppendString(nil, text)
		var c conversion
		if int(to) < len(units) {
			c.to = &units[to]
		}
		got, ok := readNumber(v, &c)
		if !ok {
			return
		}
		if math.IsNaN(got) {
			t.Errorf("%q is NaN", text)
		}
		// A plain number is the same by any name of its unit.
		if c.to != nil && strings.Trim(text, "0123456789") == "" && len(text) < 15 {
			named, ok := readNumber(msgp.AppendString(nil, text+" "+c.to.names[0]), &c)
			if !ok || named != got {
				t.Errorf("%q is %v, and with its unit %v %v", text, got, named, ok)
			}
		}
	})
}

func BenchmarkReadNumber(b *testing.B) {
	for _, text := range []string{"1234", "12ms", "1h2m3.5s", "PT1H2M3S"} {
		b.Run(text, func(b *testing.B) {
			v := msgp.AppendString(nil, text)
			c := conversion{to: findUnit([]byte("s"))}
			b.ReportAllocs()
			for b.Loop() {
				readNumber(v, &c)
			}
		})
	}
}
