package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// report is what is known of one Fluent Bit version, over several calls: a run that is repeated takes the place of its
// predecessor. Safe for concurrent use.
type report struct {
	path    string // without extension
	version string
	// untestable is what this host cannot show.
	untestable []string

	mu   sync.Mutex
	all  []*Outcome // of the file, and of this call
	here []*Outcome // of this call
}

func loadReport(folder, version string) (*report, error) {
	r := &report{path: filepath.Join(folder, "faults-"+version), version: version}
	b, err := os.ReadFile(r.path + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &r.all); err != nil {
		return nil, fmt.Errorf("%s.json: %w", r.path, err)
	}
	return r, nil
}

// put takes an outcome in and saves, in the order of the suite.
func (r *report) put(o *Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	same := func(p *Outcome) bool { return p.Fault == o.Fault && p.Output == o.Output }
	r.all = append(slices.DeleteFunc(r.all, same), o)
	r.here = append(slices.DeleteFunc(r.here, same), o)
	order(r.all)
	order(r.here)
	return r.save()
}

// order is that of the suite, ours before the built-in one.
func order(all []*Outcome) {
	at := names(suite())
	slices.SortStableFunc(all, func(a, b *Outcome) int {
		if d := slices.Index(at, a.Fault) - slices.Index(at, b.Fault); d != 0 {
			return d
		}
		return strings.Compare(b.Output, a.Output)
	})
}

// save writes the JSON and the Markdown made from it, each in one go.
func (r *report) save() error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r.all, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(replace(r.path+".json", append(b, '\n')), replace(r.path+".md", []byte(r.markdown())))
}

func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

const method = `Written by ` + "`make faults`" + `. Each run is a real Fluent Bit with the shipped configuration, loggen's numbered
lines in seven formats, a broker, and a client of its own that reads Kafka back. The class is stated before the run:

- **none lost**: asserted, and every field of every record is compared with its line
- **bounded by Fluent Bit**: what the host itself cannot promise; measured, and put down to a reason
- **refused by a limit**: what is missing is what counters say, exactly

*Twice* are records beyond the first of their line; behind it is how many of them have the record_id of the first, by which
a store downstream knows them. Where the idempotent producer promises that there is none, that is asserted too. *Recovered*
is the longest time from the end of a fault until everything that was written before it had arrived. *Scrapes* of
kafka_batch's metrics were taken every 50 ms, and in each of them records taken are those acknowledged, dead letters, dropped and
open.
`

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Faults, Fluent Bit %s\n\n%s\n", r.version, method)
	b.WriteString("| | fault | class | output | broker | written | lost | refused | twice | recovered | scrapes | |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range r.all {
		class := "measured"
		if o.Output == ours {
			class = o.Class.Loss
		}
		if o.Skipped != "" {
			fmt.Fprintf(&b, "| %d | %s: %s | %s | %s | | | | | | | | skipped: %s |\n", o.Group, o.Fault, o.Title, class, o.Output, o.Skipped)
			continue
		}
		fmt.Fprintf(&b, "| %d | %s: %s%s | %s | %s | %s | %d | %d | %d | %s | %s | %s | %s |\n", o.Group, o.Fault, o.Title, form(o), class, o.Output,
			o.Broker, o.Written, o.Lost, o.refused(), twice(o), o.recovery(), scrapes(o), verdict(o))
	}
	if t := beside(r.all); t != "" {
		fmt.Fprintf(&b, "\n## Beside Fluent Bit's own %s output\n\nThe same pipeline with this section in place of ours:\n\n```\n%s```\n\n%s", builtIn,
			strings.ReplaceAll(builtInConf, "$$", "$"), t)
	}
	b.WriteString("\n## Notes\n\n")
	for _, o := range r.all {
		notes := slices.Clone(o.Notes)
		if o.Output == ours && o.Class.Why != "" {
			notes = append([]string{o.Class.Why}, notes...)
		}
		if len(o.Refused) > 0 {
			notes = append(notes, "refused: "+o.refusals())
		}
		for _, why := range slices.Sorted(maps.Keys(o.Attributed)) {
			notes = append(notes, fmt.Sprintf("lost: %d, %s", o.Attributed[why], why))
		}
		if o.Unfiltered > 0 {
			notes = append(notes, fmt.Sprintf("%d records besides, as they were between two filters when the host was killed; their lines were read again", o.Unfiltered))
		}
		if o.Torn > 0 {
			notes = append(notes, fmt.Sprintf("%d records of messages that the host cut", o.Torn))
		}
		for _, p := range o.Problems {
			notes = append(notes, "FAILED: "+p)
		}
		if len(notes) > 0 {
			fmt.Fprintf(&b, "- **%s**, %s: %s\n", o.Fault, o.Output, strings.Join(notes, "; "))
		}
	}
	return b.String()
}

func form(o *Outcome) string {
	if o.Short {
		return " (short form)"
	}
	return ""
}

func twice(o *Outcome) string {
	if o.Duplicated == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%d)", o.Duplicated, o.SameID)
}

func scrapes(o *Outcome) string {
	if o.Output != ours {
		return "–"
	}
	return fmt.Sprintf("%d of %d", o.Scrapes-len(o.Broken), o.Scrapes)
}

func verdict(o *Outcome) string {
	switch {
	case o.Failed():
		return "**FAILED**"
	case o.Output == builtIn:
		return ""
	}
	return "ok"
}

// text is this call's table for a terminal.
func (r *report) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := [][]string{{"fault", "output", "class", "written", "lost", "refused", "twice", "recovered", "scrapes", ""}}
	for _, o := range r.here {
		if o.Skipped == "" {
			class := "measured"
			if o.Output == ours {
				class = o.Class.Loss
			}
			rows = append(rows, []string{o.Fault, o.Output, class, fmt.Sprint(o.Written), fmt.Sprint(o.Lost), fmt.Sprint(o.refused()),
				twice(o), o.recovery(), scrapes(o), strings.Trim(verdict(o), "*")})
		}
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Fluent Bit %s\n", r.version)
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if i > 2 && i < 9 {
				cell = pad + cell
			} else {
				cell += pad
			}
			fmt.Fprintf(&b, "  %s", cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// summary is the closing lines of this call: what ran, and what did not and why.
func (r *report) summary() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	ran, failed, skipped, lost := 0, 0, 0, uint64(0)
	for _, o := range r.here {
		switch {
		case o.Skipped != "":
			skipped++
			fmt.Fprintln(&b, "  "+o.line())
		default:
			ran++
			if o.Failed() {
				failed++
				fmt.Fprintln(&b, "  "+o.line())
			}
			if o.Output == ours {
				lost += o.Lost
			}
		}
	}
	for _, what := range r.untestable {
		fmt.Fprintf(&b, "  could not test: %s\n", what)
	}
	return strings.TrimRight(fmt.Sprintf("faults: Fluent Bit %s: %d runs, %d failed, %d skipped; lines lost by %s: %d\n%s",
		r.version, ran, failed, skipped, ours, lost, b.String()), "\n")
}

// failed is how many runs of this call did.
func (r *report) failed() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.here {
		if o.Failed() {
			n++
		}
	}
	return n
}
