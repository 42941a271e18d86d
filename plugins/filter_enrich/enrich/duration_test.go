package enrich

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/record"
)

func TestMillis(t *testing.T) {
	f := func(json string, want float64) {
		t.Helper()
		if got, what := millis(record.Value(msgpackOf(t, json))); what != converted || got != want {
			t.Errorf("millis(%s) = %v (outcome %d), expected %v", json, got, what, want)
		}
	}
	// What nginx writes: seconds, exactly scaled.
	f(`"0.123"`, 123)
	f(`"0.000"`, 0)
	f(`"0.001"`, 1)
	f(`"1.001"`, 1001)
	f(`"2.675"`, 2675)
	f(`"60.000"`, 60000)
	f(`"12"`, 12000)
	f(`" 0.5 "`, 500)
	f(`"1.2e-05"`, 0.012)
	f(`"1.5E3"`, 1500000)
	f(`".5"`, 500)
	f(`"5."`, 5000)
	f(`"+0.25"`, 250)
	f(`"-0.25"`, -250)
	f(`"0.123456789012345678901234567890"`, 123.4567890123456789)
	f(`"123456789012345678901234567890"`, 123456789012345678901234567890e3)

	// What Go's time.Duration prints.
	f(`"1.234ms"`, 1.234)
	f(`"56.2µs"`, 0.0562)
	f(`"56.2μs"`, 0.0562)
	f(`"56.2us"`, 0.0562)
	f(`"845ns"`, 0.000845)
	f(`"0s"`, 0)
	f(`"1.5s"`, 1500)
	f(`"1m2.5s"`, 62500)
	f(`"1h2m3.456s"`, 3723456)
	f(`"1h0m0s"`, 3600000)
	f(`"-1.5ms"`, -1.5)
	f(`"2562047h47m16.854775807s"`, 9223372036854.775807)
	f(`"1.234567s"`, 1234.567)
	f(`"100ns1ms"`, 1.0001)
	f(`" 12.3ms"`, 12.3)

	// Numbers are seconds.
	f(`0.123`, 123)
	f(`1.001`, 1001)
	f(`0.00107`, 1.07)
	f(`1.2e-05`, 0.012)
	f(`0.1234567890123`, 123.4567890123)
	f(`3`, 3000)
	f(`0`, 0)
	f(`-2`, -2000)
	f(`-0.5`, -500)
	f(`1e250`, 1e253)
	f(`9007199254740993`, 9007199254740993000)

	g := func(v []byte, want float64) {
		t.Helper()
		if got, what := millis(v); what != converted || got != want {
			t.Errorf("millis(% x) = %v (outcome %d), expected %v", v, got, what, want)
		}
	}
	g(msgp.AppendFloat32(nil, 0.123), 123)
	g(msgp.AppendFloat32(nil, 0.1), 100)
	g(msgp.AppendUint64(nil, math.MaxUint64), 18446744073709551615e3)
	g(msgp.AppendInt64(nil, math.MinInt64), -9223372036854775808e3)
	g(msgp.AppendBytes(nil, []byte("1.5s")), 1500)
}

func TestMillisRefused(t *testing.T) {
	f := func(want outcome, jsons ...string) {
		t.Helper()
		for _, json := range jsons {
			if got, what := millis(record.Value(msgpackOf(t, json))); what != want {
				t.Errorf("millis(%s) = %v, outcome %d, expected %d", json, got, what, want)
			}
		}
	}
	f(absent, `null`, `""`, `"-"`, `"N/A"`)
	f(invalid, `"soon"`, `"ms"`, `"1.2.3s"`, `"1x"`, `"1 s"`, `"0.1, 0.2"`, `"1e"`, `"1e999"`, `1e300`, `"1e99999999999999999999"`,
		`"."`, `".s"`, `"+"`, `"--1s"`, `"1h-2m"`, `"1m2"`, `"0x10"`, `"NaN"`, `"Inf"`, `"1d"`, `"1e3s"`, `"99999999999999999999h"`,
		`"10000000000000000000h1ns"`, `"5000000000000000h1ns"`, `"1h99999999999999999999x"`, `true`, `[1]`, `{"s":1}`)
	for _, v := range [][]byte{msgp.AppendFloat64(nil, math.NaN()), msgp.AppendFloat64(nil, math.Inf(-1)),
		msgp.AppendFloat32(nil, float32(math.Inf(1))), {0xd4, 1, 1}} {
		if _, what := millis(v); what != invalid {
			t.Errorf("millis(% x): outcome %d", v, what)
		}
	}
}

// Every duration that Go can print comes out as the float nearest to its milliseconds.
func TestMillisAgainstGo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		d := time.Duration(r.Uint64() >> (1 + r.UintN(62)))
		if r.IntN(4) == 0 {
			d = -d
		}
		want, _ := new(big.Rat).SetFrac64(int64(d), 1e6).Float64()
		if got, what := millis(msgp.AppendString(nil, d.String())); what != converted || got != want {
			t.Fatalf("millis(%q) = %v (outcome %d), expected %v", d, got, what, want)
		}
	}
}

// Numbers of seconds, as text and as float, come out as the float nearest to their decimal digits moved by three.
func TestMillisAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		f := math.Ldexp(r.Float64(), r.IntN(60)-40)
		if r.IntN(2) == 0 {
			f = math.Round(f*1e6) / 1e6
		}
		text := strconv.FormatFloat(f, 'f', -1, 64)
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		want, _ := exact.Mul(exact, big.NewRat(1000, 1)).Float64()
		if got, what := millis(msgp.AppendString(nil, text)); what != converted || got != want {
			t.Fatalf("millis(%q) = %v (outcome %d), expected %v", text, got, what, want)
		}
		if got, what := millis(msgp.AppendFloat64(nil, f)); what != converted || got != want {
			t.Fatalf("millis(%s) = %v (outcome %d), expected %v", text, got, what, want)
		}
	}
}
