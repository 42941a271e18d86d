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

	"flbgo/scripts/internal/benchdata"
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
	fs.IntVar(&b.lines, "lines", 1_000_000, "`lines` of the file that every run reads; half as many small ones and a fifth as many large ones")
	fs.IntVar(&b.rounds, "rounds", 5, "`times` that everything runs, by turns; results are medians")
	fs.StringVar(&names, "rows", "", "comma-separated `names` of the rows to run; empty = all ("+strings.Join(rowNames(), ", ")+")")
	fs.IntVar(&b.check, "check", 1000, "`lines` of the run that compares what ours and the built-in make of them; 0 = no such run")
	fs.IntVar(&b.rate, "rate", 20_000, "`lines` per second of the latency runs")
	fs.DurationVar(&b.latency, "latency", 10*time.Second, "`length` of a latency run; 0 = none")
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
	case b.lines < 5000 || b.rounds < 1 || b.rate < 100 || b.check < 0 || b.latency < 0:
		err = errors.New("lines from 5000, rounds from 1, rate from 100; check and latency from 0")
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
	data      map[benchdata.Size]benchdata.File
}

// choose takes the rows that were asked for, in the order of the table.
func (b *bench) choose(names string) error {
	b.rows = rows
	if names == "" {
		return nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(rowNames(), name) {
			return fmt.Errorf("rows: %q is none of %s", name, strings.Join(rowNames(), ", "))
		}
		wanted[name] = true
	}
	b.rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !wanted[r.name] })
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
	b.data = map[benchdata.Size]benchdata.File{}
	for _, z := range sizes {
		if !slices.ContainsFunc(b.rows, func(r row) bool { return r.size == z.size }) {
			continue
		}
		d, err := benchdata.Write(filepath.Join(b.dir, "lines-"+string(z.size)+".log"), z.size, b.lines/z.part)
		if err != nil {
			return err
		}
		b.data[z.size] = d
		b.say("%d lines, %.0f bytes each", d.Lines, d.LineBytes())
	}
	for _, h := range hosts {
		if err := b.host(ctx, h, stdout); err != nil {
			return fmt.Errorf("%s: %w", h, err)
		}
	}
	return nil
}
