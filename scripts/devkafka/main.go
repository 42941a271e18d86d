// Devkafka is a single Kafka broker for demonstrations and tests on one
// machine. See -help and the documentation of internal/devkafka, which also
// says what of its data survives a restart.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"flbgo/scripts/internal/devkafka"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process; it serves until ctx is done. 0 after a
// clean stop, 1 when the broker could not start, 2 for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg := devkafka.Config{Log: stderr}
	fs := flag.NewFlagSet("devkafka", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&cfg.Listen, "listen", "127.0.0.1:9092", "`host:port` to listen on; port 0 chooses a free one")
	fs.BoolVar(&cfg.AllowRemote, "allow-remote", false, "permit an address that other machines reach; there is no authentication")
	fs.StringVar(&cfg.Advertise, "advertise", "", "`host:port` that clients are told, where it differs from -listen")
	topics := fs.String("topics", devkafka.DefaultTopics, "topics to have, `name:partitions`, comma-separated")
	fs.StringVar(&cfg.Dir, "data", "", "`folder` that keeps the data; what was acknowledged outlives SIGTERM and SIGKILL, but without -sync not a crash of the machine; empty = memory")
	fs.BoolVar(&cfg.Sync, "sync", false, "with -data: fsync every batch before it is acknowledged")
	quiet := fs.Bool("quiet", false, "print the ready line and errors only")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	fail := func(code int, err error) int {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(stderr, "devkafka: %s\n", line)
		}
		return code
	}
	if fs.NArg() > 0 {
		return fail(2, fmt.Errorf("unexpected argument %q", fs.Arg(0)))
	}
	var err error
	if cfg.Topics, err = devkafka.ParseTopics(*topics); err != nil {
		return fail(2, err)
	}
	if *quiet {
		cfg.Log = nil
	}
	b, err := devkafka.Start(ctx, cfg)
	if err != nil {
		return fail(1, err)
	}
	where := "in memory"
	if cfg.Dir != "" {
		where = "in " + cfg.Dir
	}
	fmt.Fprintf(stdout, "devkafka ready %s topics %s data %s\n", b.Addr(), *topics, where)
	<-ctx.Done()
	b.Close()
	if !*quiet {
		fmt.Fprintln(stdout, "devkafka stopped")
	}
	return 0
}
