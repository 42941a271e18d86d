package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/kafkacheck"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
	"flbgo/scripts/internal/prometheus"
)

// brokerPause is how long the broker is away.
const brokerPause = 5 * time.Second

// drainLimit is how long the end waits for what is on its way. It is more than the longest retry (scheduler.cap).
const drainLimit = 45 * time.Second

type demo struct {
	forever  bool
	rate     float64
	duration time.Duration
	conf     string
	keep     bool
	full     bool // with Prometheus

	start   time.Time
	p       *pipeline.Pipeline
	check   *kafkacheck.Checker
	written *loggen.Generator
	prom    *prometheus.Server   // nil unless full
	alerts  *prometheus.Receiver // nil where no Alertmanager is installed

	calm  kafkacheck.Latency // before the first fault
	shown uint64             // records at the last progress line

	mu     sync.Mutex
	sample []byte // one record, enriched
}

func (d *demo) run(ctx context.Context) (err error) {
	root, err := pipeline.Root()
	if err != nil {
		return err
	}
	hosts, err := fluentbit.Hosts(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "flbgo-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if d.keep || err != nil {
			fmt.Printf("logs, state and Fluent Bit's own log are in %s\n", dir)
			return
		}
		os.RemoveAll(dir)
	}()

	d.start = time.Now()
	d.p, err = pipeline.New(ctx, pipeline.Config{Root: root, Dir: dir, Host: hosts[0], Conf: d.conf})
	if err != nil {
		return err
	}
	defer d.p.Close()
	broker := "devkafka"
	if !d.p.OwnBroker() {
		broker = "your Kafka"
	}
	d.say("%s at %s, topic %s", broker, strings.Join(d.p.Brokers, ","), d.p.Topic)
	if err := d.p.StartHost(); err != nil {
		return err
	}
	d.say("%s with %s, metrics at http://%s/metrics", hosts[0], d.conf, d.p.Metrics)

	if d.full {
		defer func() { err = errors.Join(err, d.stopPrometheus()) }()
		if err := d.startPrometheus(ctx, root, dir); err != nil {
			return err
		}
	}

	d.check, err = kafkacheck.New(kafkacheck.Config{
		Brokers: d.p.Brokers, Topics: []string{d.p.Topic}, OnRecord: d.keepSample,
		Constant: map[string]string{"service.name": "checkout"}, HalfFiltered: !hosts[0].FiltersFirst(),
	})
	if err != nil {
		return err
	}
	defer d.check.Close()
	// The reader outlives a Ctrl-C, which only ends the writing.
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	var reader sync.WaitGroup
	defer reader.Wait()
	defer stopReading()
	var readErr error
	reader.Go(func() { readErr = d.check.Follow(reading) })

	cfg := loggen.Config{
		Dir: d.p.Logs, Rate: d.rate, Duration: d.duration, Seed: 1, RotateInterval: 6 * time.Second,
		Ledger: filepath.Join(dir, "ledger.jsonl"), MaxGinLatency: time.Millisecond,
		OnBatch: func(b loggen.Batch) { d.check.Wrote(b.Stream, b.First, b.Last, b.WrittenNS) },
	}
	if d.forever {
		cfg.Duration, cfg.RotateInterval = 0, time.Minute
	}
	if d.written, err = loggen.New(cfg); err != nil {
		return err
	}
	d.say("loggen writes %.0f lines/s through zap, slog, logrus, gin and more, rotating its files", d.rate)

	if err := d.writeAndBreak(ctx); err != nil {
		return err
	}
	if err := d.drain(ctx); err != nil {
		return err
	}
	stopReading()
	reader.Wait()
	if readErr != nil {
		return readErr
	}
	return d.verdict(context.WithoutCancel(ctx))
}

// writeAndBreak writes the lines, shows a line a second and does the faults, each at its time.
func (d *demo) writeAndBreak(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- d.written.Run(ctx) }()
	broken := make(chan error, 1)
	if d.forever {
		broken <- nil
	} else {
		go func() { broken <- d.breakThings(ctx) }()
	}
	stop := d.showProgress()
	defer stop()
	// Both must have ended before the pipeline is closed: a fault that is on its way would start a Fluent Bit that
	// nobody stops.
	var errs []error
	for range 2 {
		select {
		case err := <-written:
			if err != nil && !(d.forever && ctx.Err() != nil) { // Ctrl-C is the end that was asked for
				errs = append(errs, err)
			}
		case err := <-broken:
			errs = append(errs, err)
		}
		if errors.Join(errs...) != nil {
			cancel()
		}
	}
	return errors.Join(errs...)
}

// breakThings does the faults, half-way.
func (d *demo) breakThings(ctx context.Context) error {
	if err := sleep(ctx, d.duration*2/5); err != nil {
		return err
	}
	d.calm = d.check.Progress().Latency
	d.say(">>> killing Fluent Bit with SIGKILL (pid %d)", d.p.Host().PID())
	d.p.Host().Kill()
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	if err := d.p.StartHost(); err != nil {
		return err
	}
	d.say(">>> Fluent Bit is back (pid %d)", d.p.Host().PID())
	if !d.p.OwnBroker() {
		d.say(">>> the broker is yours and is left alone")
		return nil
	}
	if err := sleep(ctx, d.duration/10); err != nil {
		return err
	}
	d.say(">>> stopping the broker for %v", brokerPause)
	d.p.StopBroker()
	if err := sleep(ctx, brokerPause); err != nil {
		return err
	}
	if err := d.p.StartBroker(ctx); err != nil {
		return err
	}
	d.say(">>> the broker is back")
	return nil
}

// showProgress prints a line a second until the function that it returns is called.
func (d *demo) showProgress() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			p := d.check.Progress()
			d.say("written %7d   in Kafka %7d   %+6d/s   on the way %d", p.Written, p.InKafka, p.Records-d.shown, p.Missing)
			d.shown = p.Records
		}
	}()
	return func() { close(quit); <-done }
}

// drain waits until everything that was written is in Kafka, or the time is up: what is missing then is lost.
func (d *demo) drain(ctx context.Context) error {
	if d.forever {
		ctx = context.WithoutCancel(ctx)
	}
	d.say("the last line is written")
	stop := d.showProgress()
	defer stop()
	for deadline := time.Now().Add(drainLimit); time.Now().Before(deadline) && d.check.Progress().Missing > 0; {
		select {
		case <-d.p.Host().Done():
			return fmt.Errorf("the host, Fluent Bit, ended by itself (%v); the end of its log:\n%s", d.p.Host().Err(), d.p.Host().Tail(15))
		default:
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	// Copies may still come behind the last new record.
	return sleep(ctx, time.Second)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// say prints a line with the time since the start.
func (d *demo) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}
