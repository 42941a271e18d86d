package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
)

// Recorded is the file that runs are compared with.
type Recorded struct {
	Go       string           `json:"go"`
	Valgrind string           `json:"valgrind"`
	Paths    map[string]Count `json:"paths"`
}

// put rounds to a tenth: the rest is noise, and the file is read by people.
func (r *Recorded) put(name string, c Count) {
	if r.Paths == nil {
		r.Paths = map[string]Count{}
	}
	tenth := func(f float64) float64 { return math.Round(f*10) / 10 }
	functions := map[string]float64{}
	for f, n := range c.Functions {
		functions[f] = tenth(n)
	}
	r.Paths[name] = Count{tenth(c.Own), tenth(c.Runtime), functions}
}

// load returns an empty one where there is no file.
func load(file string) (r Recorded, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

func (r *Recorded) save(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(file, append(b, '\n'), 0o644),
		os.WriteFile(strings.TrimSuffix(file, ".json")+".md", []byte(r.markdown()), 0o644))
}

// runtimeSlack is how much the runtime's instructions may grow, as a factor and per record: they depend on when threads
// wake up. An allocation per record is some 100.
const (
	runtimeFactor = 1.25
	runtimeSlack  = 10
)

// compare says what became of a path and, when it changed, where.
func compare(name string, before, after Count, tolerance float64) (text string, more bool) {
	percent := (after.Own/before.Own - 1) * 100
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %.0f instructions per record, recorded are %.0f (%+.2f %%), and %.0f of the runtime, %.0f", name, after.Own, before.Own, percent, after.Runtime, before.Runtime)
	more = percent > tolerance || after.Runtime > before.Runtime*runtimeFactor+runtimeSlack
	switch {
	case more:
		fmt.Fprintf(&b, ": MORE than %g %%\n", tolerance)
	case percent < -tolerance:
		b.WriteString(": fewer; record them, so that they stay so\n")
	default:
		b.WriteString(": as recorded\n")
		return b.String(), false
	}
	type change struct {
		name string
		by   float64
	}
	var changes []change
	for f, n := range after.Functions {
		changes = append(changes, change{f, n - before.Functions[f]})
	}
	for f, n := range before.Functions {
		if _, ok := after.Functions[f]; !ok {
			changes = append(changes, change{f, -n})
		}
	}
	slices.SortFunc(changes, func(x, y change) int {
		if d := math.Abs(y.by) - math.Abs(x.by); d != 0 {
			return int(math.Copysign(1, d))
		}
		return strings.Compare(x.name, y.name)
	})
	for _, c := range changes[:min(10, len(changes))] {
		if math.Abs(c.by) >= 1 {
			fmt.Fprintf(&b, "  %+8.1f  %s\n", c.by, c.name)
		}
	}
	return b.String(), more
}

const method = `# Instructions per record

Written by ` + "`make bench-count BENCH=-record`; `make bench-count`" + ` compares with the JSON file beside this one, which has every
function, and fails at 1 % more.

A C program loads the plugin as Fluent Bit does and hands it chunks of 1,000 lines of 318 bytes (scripts/internal/benchdata),
one after the other on one worker, under valgrind's callgrind; a run with 10 chunks is subtracted from one with 50, so that
the start is in neither. Only instructions inside the plugin's .so are counted, functions by their own. GOMAXPROCS=1, no garbage
collector: what is left varies by 0.03 % between runs. Options as in scripts/bench/peers; kafka_batch as shipped, with
record_id, to a broker in another process. The runtime's part (scheduler, allocator, calls from C) depends on when threads
wake up, and is held to a wider bound.

`

func (r *Recorded) markdown() string {
	var b strings.Builder
	b.WriteString(method)
	fmt.Fprintf(&b, "%s, %s:\n\n| | instructions per record | of Go's runtime besides | most of them in |\n|---|---|---|---|\n", r.Go, r.Valgrind)
	for _, name := range pathNames() {
		c, ok := r.Paths[name]
		if !ok {
			continue
		}
		var functions []string
		for f := range c.Functions {
			functions = append(functions, f)
		}
		slices.SortFunc(functions, func(x, y string) int {
			if d := c.Functions[y] - c.Functions[x]; d != 0 {
				return int(math.Copysign(1, d))
			}
			return strings.Compare(x, y)
		})
		for i, f := range functions {
			functions[i] = fmt.Sprintf("`%s` %.0f", f[strings.LastIndexByte(f, '/')+1:], c.Functions[f])
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %s |\n", name, c.Own, c.Runtime, strings.Join(functions[:min(5, len(functions))], ", "))
	}
	return b.String()
}
