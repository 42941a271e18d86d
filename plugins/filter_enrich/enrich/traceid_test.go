package enrich

import (
	"strings"
	"testing"
)

func validTraceparent(text []byte) bool {
	var id ids
	return readTraceparent(text, &id) == converted
}

func TestValidTraceparent(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	f := func(text string, want bool) {
		t.Helper()
		if got := validTraceparent([]byte(text)); got != want {
			t.Errorf("readTraceparent(%q) = %v", text, got)
		}
	}
	f("00-"+id+"-"+span+"-01", true)
	f("00-"+id+"-"+span+"-00", true)
	f("00-"+id+"-"+span+"-ff", true)
	f("00-00000000000000000000000000000001-0000000000000001-00", true)
	f("00-10000000000000000000000000000000-1000000000000000-00", true)

	// Version 00 has exactly 55 characters.
	f("00-"+id+"-"+span+"-01-", false)
	f("00-"+id+"-"+span+"-01-more", false)
	f("00-"+id+"-"+span+"-011", false)
	f("00-"+id+"-"+span+"-0", false)
	f("00-"+id+"-"+span, false)
	f("", false)

	// Later versions may say more behind a hyphen.
	f("01-"+id+"-"+span+"-01", true)
	f("cc-"+id+"-"+span+"-01-what-the-future-will-be-like", true)
	f("cc-"+id+"-"+span+"-01-", true)
	f("cc-"+id+"-"+span+"-01.what", false)
	f("cc-"+id+"-"+span+"-011", false)
	f("0f-"+id+"-"+span+"-01", true)
	f("f0-"+id+"-"+span+"-01", true)
	f("ff-"+id+"-"+span+"-01", false)
	f("ff-"+id+"-"+span+"-01-x", false)

	// Ids of zeros.
	f("00-"+strings.Repeat("0", 32)+"-"+span+"-01", false)
	f("00-"+id+"-"+strings.Repeat("0", 16)+"-01", false)

	// The hyphens, and spaces around.
	f("00_"+id+"-"+span+"-01", false)
	f("00-"+id+"_"+span+"-01", false)
	f("00-"+id+"-"+span+"_01", false)
	f(" 00-"+id+"-"+span+"-01", false)
	f("00-"+id+"-"+span+"-01 ", false)
	f("00-"+strings.ToUpper(id)+"-"+span+"-01", false)
}

// Every byte at every place where a hexadecimal digit belongs.
func TestTraceparentDigits(t *testing.T) {
	const valid = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for at := range valid {
		if valid[at] == '-' {
			continue
		}
		for c := range 256 {
			text := []byte(valid)
			text[at] = byte(c)
			want := c < 128 && strings.Contains("0123456789abcdef", string(rune(c)))
			if got := validTraceparent(text); got != want {
				t.Fatalf("byte %#x at %d: %v", c, at, got)
			}
		}
	}
}

// Which digits an id has is decided by the name of its field, and without one by their number.
func TestReadTrace(t *testing.T) {
	f := func(how digits, text, want string) {
		t.Helper()
		var id [32]byte
		r := rawOfText([]byte(text))
		got := string(id[:])
		switch readTrace(&r, how, &id) {
		case converted:
			got = strings.TrimLeft(string(id[:]), "0")
		case absent:
			got = "absent"
		case invalid:
			got = "invalid"
		}
		if got != want {
			t.Errorf("%q as %v: %s, want %s", text, how, got, want)
		}
	}
	for _, how := range []digits{anyDigits, decimalDigits, halfHex, paddedHex, exactHex} {
		f(how, "4BF92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736")
		f(how, "", "absent")
		f(how, "-", "absent")
		f(how, "0", "absent")
		f(how, strings.Repeat("0", 32), "absent")
		f(how, "4bf92f3577b34da6a3ce929d0e0e473g", "invalid")
		f(how, "4bf92f3577b34da6a3ce929d0e0e47361", "invalid")
		f(how, " 4bf92f3577b34da6a3ce929d0e0e473", "invalid")
		f(how, "4bf92f3577b34da6\x10ce929d0e0e4736\x19", "invalid")
	}
	f(anyDigits, "1234567890123456", "1234567890123456")
	f(anyDigits, "a2fb4a1d1a96d312", "a2fb4a1d1a96d312")
	f(anyDigits, "12345678901234567", "2bdc545d6b4b87")
	f(anyDigits, "18446744073709551615", "ffffffffffffffff")
	f(anyDigits, "18446744073709551616", "invalid")
	f(anyDigits, "123456789012345", "invalid")
	f(anyDigits, "1234567890123456789a", "invalid")
	f(anyDigits, "S/kvNXezTaajzpKdDg5HNg==", "4bf92f3577b34da6a3ce929d0e0e4736")
	f(anyDigits, "AAAAAAAAAAAAAAAAAAAAAA==", "absent")
	f(anyDigits, "S/kvNXezTaajzpKdDg5HNgA=", "invalid")
	f(anyDigits, "S.kvNXezTaajzpKdDg5HNg==", "invalid")
	f(decimalDigits, "5", "5")
	f(decimalDigits, "1234567890123456", "462d53c8abac0")
	f(decimalDigits, "18446744073709551615", "ffffffffffffffff")
	f(decimalDigits, "18446744073709551616", "invalid")
	f(decimalDigits, "-5", "invalid")
	f(decimalDigits, "a5", "invalid")
	f(halfHex, "1234567890123456", "1234567890123456")
	f(halfHex, "12345678901234567", "invalid")
	f(halfHex, "5", "invalid")
	f(paddedHex, "5", "5")
	f(paddedHex, "12345678901234567", "12345678901234567")
	f(exactHex, "1234567890123456", "invalid")
}

func TestReadFlags(t *testing.T) {
	f := func(r raw, want string) {
		t.Helper()
		var flags [2]byte
		got := "none"
		if readFlags(&r, &flags) {
			got = string(flags[:])
		}
		if got != want {
			t.Errorf("%v %q %d: %s, want %s", r.kind, r.text, r.n, got, want)
		}
	}
	for text, want := range map[string]string{"1": "01", "0": "00", "true": "01", "False": "00", "d": "01", "01": "01", "0A": "0a",
		"?": "none", "": "none", "012": "none", "xx": "none"} {
		f(rawOfText([]byte(text)), want)
	}
	f(raw{kind: rawBool, n: 1}, "01")
	f(raw{kind: rawBool}, "00")
	f(raw{kind: rawInt, n: 3}, "03")
	f(raw{kind: rawInt, n: 256}, "none")
	f(raw{}, "none")
	f(raw{kind: rawOther}, "none")
}

// Names are found in any spelling, and each only once.
func TestNames(t *testing.T) {
	all := newFolds(func(format) bool { return true })
	seen := map[string]string{}
	for i, n := range traceNames {
		if len(n.name)+len("headers.") > longestName {
			t.Errorf("%s is too long", n.name)
		}
		text := foldString(n.name)
		if other := seen[text]; other != "" {
			t.Errorf("%s and %s are the same name", n.name, other)
		}
		seen[text] = n.name
		spellings := []string{n.name}
		if n.format != formatAppInsights {
			spellings = append(spellings, strings.ToUpper(n.name), strings.ToLower(n.name), strings.ReplaceAll(n.name, "-", "_"), text)
		}
		if n.header {
			spellings = append(spellings, "http_"+n.name, "HTTP_"+strings.ToUpper(strings.ReplaceAll(n.name, "-", "_")), "headers."+strings.ToLower(n.name))
		}
		for _, s := range spellings {
			if !all.may([]byte(s)) || all.lookup("", []byte(s)) != nameOf(i) {
				t.Errorf("%s is not found as %s", n.name, s)
			}
			if all.first[s[0]]>>min(len(s), 31)&1 == 0 || all.last[s[len(s)-1]]>>min(len(s), 31)&1 == 0 {
				t.Errorf("%s is passed over as %s", n.name, s)
			}
		}
	}
	for _, s := range []string{"message", "x", "trace", "traceidx", "operation_id", strings.Repeat("t", 100)} {
		if n := all.lookup("", []byte(s)); n != noName && !isContainer(n) {
			t.Errorf("%s is taken for %s", s, traceNames[n-1].name)
		}
	}
	if len(traceNames)+len(containers) >= len(traceContext{}.vals) || len(all.index) < 2*(len(traceNames)+len(containers)) {
		t.Error("the tables are too small")
	}
}
