// Benchscale measures what a record costs each plugin as numbers grow: tags, partitions, series, workers, records in a
// chunk. The plugin runs in a C program that does what Fluent Bit does and nothing else, so that the CPU time of the
// process is the plugin's. See -help; the result is testdata/bench/scale.md.
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

	"flbgo/scripts/internal/contracthost"
	"flbgo/scripts/internal/pipeline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: 0 after a measurement, 1 when it failed, 2 for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("benchscale", flag.ContinueOnError)
	fs.SetOutput(stderr)
	rounds := fs.Int("rounds", 7, "`times` that everything runs, by turns; results are medians")
	names := fs.String("only", "", "comma-separated `names` of the tables to measure; empty = all ("+strings.Join(axisNames(), ", ")+"); others stay as they are in the result")
	out := fs.String("out", filepath.Join("testdata", "bench", "scale.md"), "`file` of the result; the JSON file beside it has every run")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	chosen, err := choose(*names)
	switch {
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; see -help", fs.Arg(0))
	case *rounds < 1:
		err = errors.New("rounds from 1")
	}
	if err != nil {
		fmt.Fprintf(stderr, "benchscale: %v\n", err)
		return 2
	}
	if err := scale(ctx, chosen, *rounds, *out, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "benchscale: %v\n", err)
		return 1
	}
	return 0
}

func axisNames() []string {
	var names []string
	for _, a := range axes() {
		names = append(names, a.name)
	}
	return names
}

func choose(names string) ([]axis, error) {
	all := axes()
	if names == "" {
		return all, nil
	}
	var chosen []axis
	for name := range strings.SplitSeq(names, ",") {
		i := slices.Index(axisNames(), strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("only: %q is none of %s", name, strings.Join(axisNames(), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func scale(ctx context.Context, chosen []axis, rounds int, out string, stdout, stderr io.Writer) error {
	root, err := pipeline.Root()
	if err != nil {
		return err
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(root, out)
	}
	res, err := load(out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "flbgo-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(stderr, "building the host and the plugins")
	p, err := contracthost.Build(ctx, root, dir)
	if err != nil {
		return err
	}
	for _, a := range chosen {
		fmt.Fprintf(stderr, "%s\n", a.name)
		costs, err := measure(ctx, p, a, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		t := newTable(a, costs)
		res.put(t)
		io.WriteString(stdout, t.markdown())
		if err := res.save(out); err != nil {
			return err
		}
	}
	return nil
}
