// Package dist knows where the released plugins are to run, and has the tests of what `make dist` packs (with the build
// tag dist, since they need it):
//
//	make test-dist
package dist

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// A Glibc is a version of the C library: Glibc{2, 17}.
type Glibc [2]int

// Floor is the oldest C library that releases are built for; scripts/release.sh has the same.
var Floor = Glibc{2, 17}

func (g Glibc) String() string { return fmt.Sprintf("%d.%d", g[0], g[1]) }

// Compare is negative when g is older than other.
func (g Glibc) Compare(other Glibc) int { return slices.Compare(g[:], other[:]) }

// A System is one that Fluent Bit is run on.
type System struct {
	Name  string
	Glibc Glibc
	From  [2]int // the first Fluent Bit whose official image is built on it; zero where none is
}

// Systems are those that the releases are for. The images' are read off the Dockerfiles of Fluent Bit's tags.
var Systems = []System{
	{Name: "RHEL 7", Glibc: Glibc{2, 17}},
	{Name: "Amazon Linux 2", Glibc: Glibc{2, 26}},
	{Name: "RHEL 8", Glibc: Glibc{2, 28}},
	{Name: "Ubuntu 20.04", Glibc: Glibc{2, 31}},
	{Name: "Debian 11", Glibc: Glibc{2, 31}, From: [2]int{1, 9}},
	{Name: "RHEL 9, Amazon Linux 2023", Glibc: Glibc{2, 34}},
	{Name: "Ubuntu 22.04", Glibc: Glibc{2, 35}},
	{Name: "Debian 12", Glibc: Glibc{2, 36}, From: [2]int{3, 0}},
	{Name: "Debian 13", Glibc: Glibc{2, 41}, From: [2]int{5, 0}},
}

// ImageBase returns the system that the official image of a Fluent Bit, "5.1.1", is built on.
func ImageBase(version string) (base System, err error) {
	var v [2]int
	if _, err := fmt.Sscanf(version, "%d.%d", &v[0], &v[1]); err != nil {
		return base, fmt.Errorf("%q is no version of Fluent Bit, such as 5.1.1: %w", version, err)
	}
	for _, s := range Systems {
		if s.From != [2]int{} && slices.Compare(s.From[:], v[:]) <= 0 {
			base = s
		}
	}
	if base.Name == "" {
		return base, fmt.Errorf("the image of Fluent Bit %s is not in the table; the oldest in it is 1.9", version)
	}
	return base, nil
}

// Needs returns the newest version of glibc that a shared object asks for: the oldest that loads it. A shared object
// that asks for none is an error.
func Needs(file *elf.File) (needs Glibc, err error) {
	symbols, err := file.ImportedSymbols()
	if err != nil {
		return needs, err
	}
	for _, s := range symbols {
		version, ok := strings.CutPrefix(s.Version, "GLIBC_")
		if !ok {
			continue
		}
		var g Glibc
		// A third number, as in 2.2.5, makes no difference here.
		if _, err := fmt.Sscanf(version, "%d.%d", &g[0], &g[1]); err != nil {
			return needs, fmt.Errorf("symbol %s: version %q: %w", s.Name, s.Version, err)
		}
		if g.Compare(needs) > 0 {
			needs = g
		}
	}
	if needs == (Glibc{}) {
		return needs, fmt.Errorf("no symbol of glibc among %d", len(symbols))
	}
	return needs, nil
}
