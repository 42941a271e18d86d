// Bench runs the plugins against the built-in ones of the same Fluent Bit: same input, same work, by turns, in one go. See
// -help. The configurations are in peers/, the results in testdata/bench/.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/pipeline"
)

func main() {
	// SIGHUP too: Fluent Bit has a process group of its own and would outlive a terminal that is closed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: 0 after a measurement, 1 when it failed, 2 for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	b := bench{say: func(format string, a ...any) { fmt.Fprintf(stderr, format+"\n", a...) }, args: args}
	var names string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&b.lines, "lines", 1_000_000, "`lines` of the file that every run reads")
	fs.IntVar(&b.rounds, "rounds", 5, "`times` that everything runs, by turns; results are medians")
	fs.StringVar(&names, "rows", "", "comma-separated `names` of the rows to run; empty = all ("+strings.Join(rowNames(), ", ")+")")
	fs.IntVar(&b.check, "check", 1000, "`lines` of the run that compares what ours and the built-in make of them; 0 = no such run")
	fs.IntVar(&b.rate, "rate", 20_000, "`lines` per second of the latency runs")
	fs.DurationVar(&b.latency, "latency", 20*time.Second, "`length` of a latency run; 0 = none")
	fs.IntVar(&b.latencyRounds, "latency-rounds", 3, "`times` that each latency run is done, at most -rounds")
	fs.StringVar(&b.out, "out", filepath.Join("testdata", "bench"), "`folder` of the results; rows that are not run stay as they are there")
	fs.BoolVar(&b.keep, "keep", false, "keep the folder with the data and the logs of all runs")
	broker := fs.Bool("broker", false, "be the broker of another bench: for itself alone")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	fail := func(code int, err error) int {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return code
	}
	if *broker {
		if err := serveBroker(ctx, os.Stdin, stdout); err != nil {
			return fail(1, err)
		}
		return 0
	}
	err := b.choose(names)
	switch {
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; see -help", fs.Arg(0))
	case b.lines < 1000 || b.rounds < 1 || b.rate < 100 || b.check < 0 || b.latency < 0:
		err = errors.New("lines from 1000, rounds from 1, rate from 100; check and latency from 0")
	}
	if err != nil {
		return fail(2, err)
	}
	if err := b.run(ctx, stdout); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; what was measured before is in the results")
		}
		return fail(1, err)
	}
	return 0
}

// bench is one call of the program.
type bench struct {
	lines, rounds, check, rate, latencyRounds int
	latency                                   time.Duration
	out                                       string
	keep                                      bool
	rows                                      []row
	args                                      []string
	say                                       func(format string, a ...any) // progress

	root, dir string // the project; a folder of this call
	self      string // this program
	data      dataSet
}

// choose takes the rows that were asked for.
func (b *bench) choose(names string) error {
	b.rows = rows
	if names == "" {
		return nil
	}
	b.rows = nil
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == strings.TrimSpace(name) })
		if i < 0 {
			return fmt.Errorf("rows: %q is none of %s", name, strings.Join(rowNames(), ", "))
		}
		b.rows = append(b.rows, rows[i])
	}
	return nil
}

func (b *bench) run(ctx context.Context, stdout io.Writer) (err error) {
	if b.root, err = pipeline.Root(); err != nil {
		return err
	}
	if !filepath.IsAbs(b.out) {
		b.out = filepath.Join(b.root, b.out)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	hosts, err := fluentbit.Hosts(ctx)
	if err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "flbgo-bench-"); err != nil {
		return err
	}
	if b.keep {
		b.say("data and logs: %s", b.dir)
	} else {
		defer os.RemoveAll(b.dir)
	}
	if b.data, err = writeData(filepath.Join(b.dir, "data.log"), b.lines); err != nil {
		return err
	}
	b.say("%d lines, %.0f bytes each", b.data.lines, b.data.lineBytes())
	for _, h := range hosts {
		if err := b.host(ctx, h, stdout); err != nil {
			return fmt.Errorf("%s: %w", h, err)
		}
	}
	return nil
}

// host measures all rows with one Fluent Bit and saves after each.
func (b *bench) host(ctx context.Context, h fluentbit.Host, stdout io.Writer) error {
	b.say("%s", h)
	has, err := capabilities(ctx, h)
	if err != nil {
		return err
	}
	rep, err := loadReport(b.out, h.Version)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range b.rows {
		res, err := b.row(ctx, h, has, r)
		if err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		rep.put(res)
		if err := rep.save(); err != nil {
			return err
		}
		names = append(names, r.name)
	}
	_, err = io.WriteString(stdout, rep.text(names))
	return err
}

// row measures one row.
func (b *bench) row(ctx context.Context, h fluentbit.Host, has map[string]bool, r row) (Result, error) {
	res := b.newResult(h, r)
	sides := []*side{&r.ours}
	lacks := slices.DeleteFunc(slices.Clone(r.builtin.needs), func(need string) bool { return has[need] })
	if len(lacks) > 0 {
		res.Skipped = fmt.Sprintf("%s has no %s", h, strings.Join(lacks, ", no "))
	}
	if res.Skipped == "" {
		sides = append(sides, &r.builtin)
	} else {
		b.say("  %s: peer %s skipped: %s", r.name, r.builtin.name(), res.Skipped)
	}
	if b.check > 0 && res.Skipped == "" && r.same {
		same, err := b.same(ctx, h, r)
		if err != nil {
			return res, fmt.Errorf("comparing results: %w", err)
		}
		res.Same = same
		b.say("  %s: %s", r.name, same)
	}
	for round := range b.rounds {
		turn := append([]*side{&null}, sides...)
		// Whatever drifts, drifts for and against each.
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, s := range turn {
			m, err := b.bulk(ctx, h, s)
			if err != nil {
				return res, fmt.Errorf("%s: %w", s.conf, err)
			}
			runs := map[*side]*[]Run{&null: &res.Null, &r.ours: &res.Ours, &r.builtin: &res.Builtin}[s]
			*runs = append(*runs, m)
			b.say("  %s: round %d of %d, %-20s %6.2f s CPU, %7.0f records/s, %4.0f MB", r.name, round+1, b.rounds, s.name(),
				m.CPU, m.rate(), float64(m.RSS)/1e6)
		}
		if r.latency && b.latency > 0 && round < b.latencyRounds {
			for _, s := range turn {
				if s == &null {
					continue
				}
				m, err := b.fixedRate(ctx, h, s)
				if err != nil {
					return res, fmt.Errorf("%s at %d lines/s: %w", s.conf, b.rate, err)
				}
				if s == &r.ours {
					res.OursLatency = append(res.OursLatency, m)
				} else {
					res.BuiltinLatency = append(res.BuiltinLatency, m)
				}
				b.say("  %s: round %d of %d, %-20s p50 %.3f s, p99 %.3f s at %d lines/s", r.name, round+1, b.rounds, s.name(), m.P50, m.P99, b.rate)
			}
		}
	}
	res.measure(r)
	return res, nil
}
