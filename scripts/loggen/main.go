// Loggen writes application logs through the loggers that people use, at a
// chosen rate and with rotation, and a ledger of what it wrote. See -help and
// the documentation of internal/loggen.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"flbgo/scripts/internal/loggen"
)

func main() {
	time.Local = time.UTC // gin writes local time without a zone
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: 0 after a run, 1 when writing failed, 2 for
// a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cfg loggen.Config
	var streams string
	fs := flag.NewFlagSet("loggen", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&cfg.Dir, "dir", "", "`folder` of the log files (required)")
	fs.StringVar(&streams, "streams", strings.Join(loggen.Streams, ","), "comma-separated `names` of the streams to write")
	fs.Float64Var(&cfg.Rate, "rate", 1000, "`lines` per second over all streams; 0 = as fast as possible")
	fs.Uint64Var(&cfg.Count, "count", 0, "`lines` over all streams; 0 = until stopped")
	fs.DurationVar(&cfg.Duration, "duration", 0, "stop after this `time`, for example 30s; 0 = until stopped")
	fs.Uint64Var(&cfg.StartSeq, "start-seq", 1, "first sequence `number` of every stream")
	fs.Uint64Var(&cfg.Seed, "seed", 1, "`number` that chooses the content")
	fs.Uint64Var(&cfg.RotateEvery, "rotate-every", 0, "rename each file to NAME.log.1, .2, … after this many `lines` and create a new one")
	fs.DurationVar(&cfg.RotateInterval, "rotate-interval", 0, "the same after this `time`")
	fs.DurationVar(&cfg.MaxGinLatency, "gin-latency", 0, "let gin handlers sleep up to this `time`, so that their latencies differ")
	fs.StringVar(&cfg.Ledger, "ledger", "", "append to this `file` what is in the log files, one JSON line per batch")
	fs.BoolVar(&cfg.LedgerFull, "ledger-full", false, "one ledger line per event, with the fields that Kafka must hold")
	quiet := fs.Bool("quiet", false, "print nothing at the end")
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "loggen: unexpected argument %q\n", fs.Arg(0))
		return 2
	}
	cfg.Streams = strings.Split(streams, ",")
	g, err := loggen.New(cfg)
	if err != nil {
		fmt.Fprintf(stderr, "loggen: %v\n", err)
		return 2
	}
	start := time.Now()
	err = g.Run(ctx)
	if !*quiet {
		for _, s := range g.Stats() {
			fmt.Fprintf(stdout, "%-7s %9d lines, last seq %d, %d bytes, %d rotations\n", s.Stream, s.Written, s.LastSeq, s.Bytes, s.Rotations)
		}
		took := time.Since(start)
		fmt.Fprintf(stdout, "loggen: %d lines in %v (%.0f/s)\n", g.Written(), took.Round(time.Millisecond), float64(g.Written())/took.Seconds())
	}
	if err != nil {
		fmt.Fprintf(stderr, "loggen: %v\n", err)
		return 1
	}
	return 0
}
