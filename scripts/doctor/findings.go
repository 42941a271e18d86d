package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"flbgo/scripts/internal/confcheck"
)

// level is how bad a finding is.
type level string

const (
	wrong  level = "wrong"  // it does not start so, or something has no effect
	loss   level = "loss"   // lines can be lost
	advice level = "advice" // works, and could be better
)

type finding struct {
	level level
	file  string
	line  int
	text  string
}

// findings are those of one configuration.
type findings struct {
	file *confcheck.File
	all  []finding
}

func (f *findings) add(l level, s *confcheck.Section, line int, format string, args ...any) {
	file := s.File
	if file == "" {
		file = f.file.Path
	}
	f.all = append(f.all, finding{l, file, max(line, 1), fmt.Sprintf(format, args...)})
}

// print lists them by place, and ends with a line that counts them.
func (f *findings) print(out io.Writer) {
	slices.SortStableFunc(f.all, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	count := map[level]int{}
	for _, x := range f.all {
		count[x.level]++
		fmt.Fprintf(out, "%-7s %s:%d: %s\n", x.level, x.file, x.line, x.text)
	}
	for _, text := range f.file.LeftOut {
		fmt.Fprintf(out, "%-7s %s\n", "unread", text)
	}
	fmt.Fprintf(out, "%d wrong, %d by which lines can be lost, advice %d\n", count[wrong], count[loss], count[advice])
}

// status is the exit status.
func (f *findings) status() int {
	if slices.ContainsFunc(f.all, func(x finding) bool { return x.level != advice }) {
		return 1
	}
	return 0
}
