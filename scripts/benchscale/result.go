package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Table is one axis, measured.
type Table struct {
	Name   string    `json:"name"`
	What   string    `json:"what"`
	Time   time.Time `json:"time"`
	Go     string    `json:"go"`
	Target float64   `json:"target,omitempty"`
	Lines  []Line    `json:"lines"`
}

// Line is one case; each slice has a value for every round.
type Line struct {
	Label string    `json:"label"`
	CPU   []float64 `json:"cpu_ns_per_record"`
	Ratio []float64 `json:"ratio"` // to the first line of the same round
	Rate  []float64 `json:"records_per_second"`
}

func newTable(a axis, costs [][]cost) Table {
	t := Table{Name: a.name, What: a.what, Time: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), Target: a.target}
	for i, c := range a.cases {
		l := Line{Label: c.label}
		for round, v := range costs[i] {
			l.CPU = append(l.CPU, v.cpu)
			l.Rate = append(l.Rate, v.rate)
			l.Ratio = append(l.Ratio, v.cpu/costs[0][round].cpu)
		}
		t.Lines = append(t.Lines, l)
	}
	return t
}

// spread is "123 (120–130)".
func spread(v []float64, digits int) string {
	v = slices.Sorted(slices.Values(v))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, mid, digits, v[0], digits, v[len(v)-1])
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v)%2 == 0 {
		return (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return v[len(v)/2]
}

func (t Table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s. %s, %s.\n\n| | CPU per record, ns | against the first | records/s |\n|---|---|---|---|\n", t.Name, strings.ToUpper(t.What[:1])+t.What[1:], t.Time.Format("2006-01-02 15:04 MST"), t.Go)
	for i, l := range t.Lines {
		ratio := "1"
		if i > 0 {
			ratio = spread(l.Ratio, 2)
		}
		if t.Target > 0 && i == len(t.Lines)-1 {
			verdict := "met"
			if median(l.Ratio) > t.Target {
				verdict = "missed"
			}
			ratio += fmt.Sprintf(", target ≤ %g: %s", t.Target, verdict)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", l.Label, spread(l.CPU, 0), ratio, spread(l.Rate, 0))
	}
	return b.String()
}

// result is the file, over several calls: a table that is measured again takes the place of its predecessor.
type result struct{ tables []Table }

func load(md string) (r result, err error) {
	b, err := os.ReadFile(strings.TrimSuffix(md, ".md") + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r.tables)
	}
	return r, err
}

// put keeps the order of the axes, and nothing that is no axis any more.
func (r *result) put(t Table) {
	names := axisNames()
	r.tables = slices.DeleteFunc(r.tables, func(o Table) bool { return o.Name == t.Name || !slices.Contains(names, o.Name) })
	r.tables = append(r.tables, t)
	slices.SortFunc(r.tables, func(a, b Table) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
}

const method = `# Cost per record at scale

Written by ` + "`make bench-scale`" + `; the JSON file beside it has every round. A C program (shared/testkit/contract/host) loads the
plugin as Fluent Bit does and hands it chunks of lines of 318 bytes; CPU is that of its process, which does nothing else, and
the broker (kfake) is in another one. The cases of a table run by turns, each warmed up by two rounds that do not count.
Numbers are medians with (lowest–highest), ratios are taken round by round. Compare within a table.
`

func (r *result) markdown() string {
	var b strings.Builder
	b.WriteString(method)
	for _, t := range r.tables {
		b.WriteString(t.markdown())
	}
	return b.String()
}

func (r *result) save(md string) error {
	b, err := json.MarshalIndent(r.tables, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(strings.TrimSuffix(md, ".md")+".json", append(b, '\n'), 0o644),
		os.WriteFile(md, []byte(r.markdown()), 0o644))
}
