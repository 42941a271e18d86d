// Demo runs the whole pipeline on real input: loggen writes logs through real loggers, a real Fluent Bit with the
// project's configuration reads, enriches, measures and delivers them, and a separate client reads Kafka back. Half-way
// it kills Fluent Bit with SIGKILL and stops the broker, and at the end it gives a verdict: exit code 0 when nothing
// was lost.
//
// With -run there are no faults and no end: Ctrl-C stops it, with the same account.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	time.Local = time.UTC // gin writes local time without a zone
	// SIGHUP too: Fluent Bit has a process group of its own and would outlive a terminal that is closed.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var d demo
	flag.BoolVar(&d.forever, "run", false, "no faults and no end")
	flag.Float64Var(&d.rate, "rate", 3000, "`lines` per second")
	flag.DurationVar(&d.duration, "duration", 20*time.Second, "how long lines are written")
	flag.StringVar(&d.conf, "conf", "conf/fluent-bit.conf", "`file` in the project's folder")
	flag.BoolVar(&d.full, "prometheus", false, "a Prometheus with the rules of conf/prometheus beside it, and an Alertmanager where there is one")
	flag.BoolVar(&d.keep, "keep", false, "keep the folder with logs, state and Fluent Bit's own log")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "demo: unexpected argument %q; see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := d.run(ctx); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(os.Stderr, "\nFAILED: %v\n", err)
		os.Exit(1)
	}
}
