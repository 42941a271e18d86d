package main

import (
	"fmt"
	"slices"
	"strings"
)

// beside is the table of ours and the built-in output, for the faults that were run with both.
func beside(all []*Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| what breaks | lines | lost by `%s` | twice | recovered | lost by `%s` | twice | recovered |\n", ours, builtIn)
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	rows := 0
	for _, o := range all {
		i := slices.IndexFunc(all, func(p *Outcome) bool { return p.Fault == o.Fault && p.Output == builtIn && p.Skipped == "" })
		if o.Output != ours || o.Skipped != "" || i < 0 {
			continue
		}
		p := all[i]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %s | %s | %d | %s |\n", o.Title, o.Written, o.Lost, o.Duplicated, o.recovery(), peerLoss(p), p.Duplicated, p.recovery())
		rows++
	}
	if rows == 0 {
		return ""
	}
	return b.String()
}

// peerLoss is a number, or why there is none: the process may not have come so far.
func peerLoss(p *Outcome) string {
	if p.Failed() {
		return "not measured"
	}
	return fmt.Sprint(p.Lost)
}
