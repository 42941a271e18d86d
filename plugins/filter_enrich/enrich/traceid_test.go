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
