package dist

import (
	"os"
	"regexp"
	"testing"
)

func TestImageBase(t *testing.T) {
	for version, want := range map[string]string{
		"1.9.0": "Debian 11", "1.9.10": "Debian 11", "2.2.3": "Debian 11", "3.0.0": "Debian 12", "4.2.0": "Debian 12",
		"5.0.0": "Debian 13", "5.1.1": "Debian 13", "10.0.0": "Debian 13",
	} {
		if got, err := ImageBase(version); err != nil || got.Name != want {
			t.Errorf("%s: %q, %v, want %s", version, got.Name, err, want)
		}
	}
	for _, version := range []string{"1.8.15", "latest", ""} {
		if got, err := ImageBase(version); err == nil {
			t.Errorf("%q: %v", version, got)
		}
	}
}

// A release loads on every system of the table, and release.sh builds for no other C library than the tests think.
func TestFloor(t *testing.T) {
	for _, s := range Systems {
		if Floor.Compare(s.Glibc) > 0 {
			t.Errorf("%s has glibc %s, and releases need %s", s.Name, s.Glibc, Floor)
		}
	}
	script, err := os.ReadFile("../release.sh")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?m)^GLIBC=(\S+)$`).FindSubmatch(script); m == nil || string(m[1]) != Floor.String() {
		t.Errorf("release.sh has %q, want GLIBC=%s", m, Floor)
	}
}
