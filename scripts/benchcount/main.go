// Benchcount counts the instructions that each plugin's hot path takes per record, in a C program that loads the plugin as
// Fluent Bit does and runs under valgrind's callgrind, and compares with what was recorded. See -help.
//
// Time on a shared machine varies by a tenth and more from run to run; instructions of the same code and chunks vary by
// 0.03 %, whatever else the machine does. So a change that costs 1 % shows. What instructions do not show is waiting for
// memory: a table of 100,000 series costs hardly more of them than one of 10.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
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

// run is main without the process: 0 when nothing costs more than recorded, 1 when something does or could not be
// counted, 2 for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("benchcount", flag.ContinueOnError)
	fs.SetOutput(stderr)
	record := fs.Bool("record", false, "keep what is counted as what later runs are compared with")
	tolerance := fs.Float64("tolerance", 1, "`percent` more instructions than recorded that are no regression")
	names := fs.String("paths", "", "comma-separated `names` of the hot paths to count; empty = all ("+strings.Join(pathNames(), ", ")+")")
	file := fs.String("file", filepath.Join("testdata", "bench", "instructions.json"), "`file` of what is recorded; a table in Markdown is beside it")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	paths, err := choose(*names)
	switch {
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; see -help", fs.Arg(0))
	case *tolerance < 0:
		err = errors.New("tolerance: percent from 0, for example 1")
	}
	if err != nil {
		fmt.Fprintf(stderr, "benchcount: %v\n", err)
		return 2
	}
	worse, err := counted(ctx, paths, *file, *tolerance, *record, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "benchcount: %v\n", err)
		return 1
	case len(worse) > 0:
		fmt.Fprintf(stderr, "benchcount: more instructions than recorded: %s; if that is meant to be, record them: make bench-count BENCH=-record\n", strings.Join(worse, ", "))
		return 1
	}
	return 0
}

func pathNames() []string {
	var names []string
	for _, h := range hotPaths {
		names = append(names, h.name)
	}
	return names
}

func choose(names string) ([]hotPath, error) {
	if names == "" {
		return hotPaths, nil
	}
	var chosen []hotPath
	for name := range strings.SplitSeq(names, ",") {
		i := slices.Index(pathNames(), strings.TrimSpace(name))
		if i < 0 {
			return nil, fmt.Errorf("paths: %q is none of %s", name, strings.Join(pathNames(), ", "))
		}
		chosen = append(chosen, hotPaths[i])
	}
	return chosen, nil
}

// counted counts, compares and says; worse are the paths that cost more than they may.
func counted(ctx context.Context, paths []hotPath, file string, tolerance float64, record bool, stdout, stderr io.Writer) (worse []string, err error) {
	root, err := pipeline.Root()
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(root, file)
	}
	version, err := exec.CommandContext(ctx, "valgrind", "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("counting needs valgrind (Debian package valgrind): %w", err)
	}
	rec, err := load(file)
	if err != nil {
		return nil, err
	}
	now := Recorded{Go: runtime.Version() + " " + runtime.GOARCH, Valgrind: strings.TrimSpace(string(version))}
	dir, err := os.MkdirTemp("", "flbgo-count-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(stderr, "building the host and the plugins")
	p, err := contracthost.Build(ctx, root, dir)
	if err != nil {
		return nil, err
	}
	for _, h := range paths {
		fmt.Fprintf(stderr, "counting %s\n", h.name)
		c, err := difference(ctx, p, h, dir, stderr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.name, err)
		}
		now.put(h.name, c)
		if before, ok := rec.Paths[h.name]; ok {
			text, more := compare(h.name, before, c, tolerance)
			io.WriteString(stdout, text)
			if more {
				worse = append(worse, h.name)
			}
		} else {
			fmt.Fprintf(stdout, "%s: %.0f instructions per record, and %.0f of the runtime; nothing is recorded\n", h.name, c.Own, c.Runtime)
		}
	}
	if rec.Paths != nil && (rec.Go != now.Go || rec.Valgrind != now.Valgrind) {
		fmt.Fprintf(stdout, "recorded with %s, %s; counted with %s, %s: compilers differ in more than the code\n", rec.Go, rec.Valgrind, now.Go, now.Valgrind)
	}
	if !record {
		return worse, nil
	}
	for name, c := range rec.Paths {
		if _, ok := now.Paths[name]; !ok {
			now.put(name, c)
		}
	}
	return nil, now.save(file)
}
