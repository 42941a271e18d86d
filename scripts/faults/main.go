// Faults breaks the real pipeline, one thing at a time, and accounts for every line: real Fluent Bits with the shipped
// configuration, loggen's numbered lines, a broker, and a client of its own that reads Kafka back. See -help. What was
// recorded is in testdata/faults/.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/pipeline"
)

func main() {
	time.Local = time.UTC // gin writes local time without a zone
	// SIGHUP too: Fluent Bit has a process group of its own and would outlive a terminal that is closed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == consumeArg {
		os.Exit(runConsumer(ctx, os.Args[2:], os.Stderr))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout))
}

// suiteRun is one call of the program.
type suiteRun struct {
	faults   []Fault
	short    bool
	builtIn  bool
	keep     bool
	parallel int
	seed     uint64
	report   string // folder
	root     string

	mu  sync.Mutex // of out
	out io.Writer
}

// run is main without the process: 0 when everything is as it was promised, 1 when not, 2 for a wrong command line.
func run(ctx context.Context, args []string, out io.Writer) int {
	b := suiteRun{out: out}
	var only string
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&only, "only", "", "comma-separated `names` of the faults to run; empty = all ("+strings.Join(names(suite()), ", ")+")")
	fs.BoolVar(&b.short, "short", false, "the short form: fewer faults, shorter ones, none against the built-in output")
	fs.BoolVar(&b.builtIn, "builtin", true, "run against Fluent Bit's own kafka output too, where that is meant")
	fs.IntVar(&b.parallel, "parallel", 1, "`runs` at a time")
	fs.Uint64Var(&b.seed, "seed", uint64(time.Now().UnixNano())%1_000_000, "`number` that random moments follow from")
	fs.StringVar(&b.report, "report", "", "`folder` of the report; runs that are not repeated stay as they are there. Empty = faults in the cache folder")
	fs.BoolVar(&b.keep, "keep", false, "keep the folder with logs, state and Fluent Bit's own log of every run, not only of failed ones")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	err := b.choose(only)
	switch {
	case err != nil:
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; see -help", fs.Arg(0))
	case b.parallel < 1 || b.parallel > 16:
		err = fmt.Errorf("parallel: %d is not from 1 to 16", b.parallel)
	}
	if err != nil {
		fmt.Fprintf(out, "faults: %v\n", err)
		return 2
	}
	failed, err := b.run(ctx)
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted; what ran before is in the report")
	case err == nil && failed > 0:
		err = fmt.Errorf("%d runs FAILED", failed)
	}
	if err != nil {
		fmt.Fprintf(out, "faults: %v\n", err)
		return 1
	}
	return 0
}

func names(faults []Fault) (all []string) {
	for _, f := range faults {
		all = append(all, f.Name)
	}
	return all
}

// choose takes the faults that were asked for, or those of the form.
func (b *suiteRun) choose(only string) error {
	all := suite()
	if only == "" {
		b.faults = slices.DeleteFunc(all, func(f Fault) bool { return b.short && !f.Short })
		return nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == strings.TrimSpace(name) })
		if i < 0 {
			return fmt.Errorf("only: %q is none of %s", name, strings.Join(names(all), ", "))
		}
		b.faults = append(b.faults, all[i])
	}
	return nil
}

// run runs everything on every host, saves after each run, and prints the tables.
func (b *suiteRun) run(ctx context.Context) (failed int, err error) {
	if b.root, err = pipeline.Root(); err != nil {
		return 0, err
	}
	if b.report == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return 0, err
		}
		b.report = filepath.Join(cache, "flbgo", "faults")
	} else if !filepath.IsAbs(b.report) {
		b.report = filepath.Join(b.root, b.report)
	}
	hosts, err := fluentbit.Hosts(ctx)
	if err != nil {
		return 0, err
	}
	b.say("random moments: -seed %d", b.seed)
	var reports []*report
	for _, h := range hosts {
		rep, err := loadReport(b.report, h.Version)
		if err != nil {
			return failed, err
		}
		rep.untestable = h.Untestable()
		reports = append(reports, rep)
		if err := b.host(ctx, h, rep); err != nil {
			return failed, err
		}
	}
	for _, rep := range reports {
		b.say("\n%s", rep.text())
	}
	for _, rep := range reports {
		b.say("%s", rep.summary())
		failed += rep.failed()
	}
	b.say("the report: %s.{md,json}", filepath.Join(b.report, "faults-"+hosts[0].Version))
	return failed, nil
}

// one is a run that is to be done.
type one struct {
	fault  Fault
	output string
}

// host runs the faults on one host, some at a time, those that are to be alone at the end.
func (b *suiteRun) host(ctx context.Context, h fluentbit.Host, rep *report) error {
	outputs, err := h.Outputs(ctx)
	if err != nil {
		return err
	}
	var together, alone []one
	for _, f := range b.faults {
		runs := []one{{f, ours}}
		if f.BuiltIn && b.builtIn && !b.short {
			if outputs[builtIn] {
				runs = append(runs, one{f, builtIn})
			} else if err := rep.put(b.outcome(f, h, builtIn, "this build has no output "+builtIn)); err != nil {
				return err
			}
		}
		if f.Alone {
			alone = append(alone, runs...)
		} else {
			together = append(together, runs...)
		}
	}
	if err := b.runAll(ctx, h, rep, together, b.parallel); err != nil {
		return err
	}
	return b.runAll(ctx, h, rep, alone, 1)
}

func (b *suiteRun) runAll(ctx context.Context, h fluentbit.Host, rep *report, runs []one, parallel int) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	slots := make(chan struct{}, parallel)
	for _, o := range runs {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			out := b.one(ctx, h, o)
			if ctx.Err() != nil {
				return // what was interrupted says nothing
			}
			b.say("%s", out.line())
			for _, p := range out.Problems {
				b.say("        %s", p)
			}
			if err := rep.put(out); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// outcome is what is known before a run.
func (b *suiteRun) outcome(f Fault, h fluentbit.Host, output, skipped string) *Outcome {
	return &Outcome{Fault: f.Name, Group: f.Group, Title: f.Title, Host: h.Version, Output: output, Class: f.Class(h),
		Short: b.short, Skipped: skipped}
}

// one does one run. Whatever goes wrong is in its outcome.
func (b *suiteRun) one(ctx context.Context, h fluentbit.Host, o one) *Outcome {
	out := b.outcome(o.fault, h, o.output, "")
	for _, need := range o.fault.Needs {
		if why := need.Missing(ctx, h); why != "" {
			out.Skipped = need.Name + ": " + why
			return out
		}
	}
	dir, err := os.MkdirTemp("", "flbgo-faults-"+o.fault.Name+"-")
	if err != nil {
		out.fail("%v", err)
		return out
	}
	start := time.Now()
	r := &Run{Host: h, Output: o.output, Short: b.short, Dir: dir, Root: b.root, out: out, fault: &o.fault,
		Rand: rand.New(rand.NewPCG(b.seed, 0))}
	// A run that hangs must not hang the others.
	limited, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	err = o.fault.Run(limited, r)
	if err == nil {
		err = r.finish(limited)
	}
	if err != nil {
		out.fail("%v; the end of Fluent Bit's log:\n%s", err, r.tail(15))
	}
	if err := r.close(); err != nil {
		out.fail("%v", err)
	}
	out.Took = time.Since(start).Round(100 * time.Millisecond).Seconds()
	if b.keep || out.Failed() {
		b.say("        logs, state and Fluent Bit's own log of %s: %s", o.fault.Name, dir)
	} else if err := os.RemoveAll(dir); err != nil {
		out.fail("%v", err)
	}
	return out
}

func (b *suiteRun) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.out, format+"\n", args...)
}
