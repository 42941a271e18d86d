package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/kafkacheck"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

// rate is how many lines a second a run writes, unless its fault says otherwise.
const rate = 2000

const (
	// drainLimit is how long a run waits for what is on its way, and quiet how long for the next record of it. Both are
	// more than the longest retry (scheduler.cap).
	drainLimit = 3 * time.Minute
	quiet      = 25 * time.Second
)

// Setup is what a run starts with. The zero value is the shipped configuration.
type Setup struct {
	Conf    string              // in the project; "" is conf/fluent-bit.conf
	Changes [][2]string         // for pipeline.Variant; a file of its own that has all it needs is Conf with an absolute path
	Env     []string            // KEY=value
	Topics  []devkafka.Topic    // as of pipeline.Config
	Cluster pipeline.Cluster    // nil is devkafka
	Later   bool                // there are no topics until the fault calls CreateTopics
	NoHost  bool                // the fault starts Fluent Bit itself, with StartHost
	Args    []string            // of Fluent Bit, behind the configuration file
	Extra   func(*Run) []string // more environment, where it takes what Begin has chosen
	// CountOnly keeps from what is written only that it is: the fields of so many lines would cost more than the lines do.
	CountOnly bool
}

// Run is one fault on one host with one output. Its methods are for the fault's goroutine.
type Run struct {
	*pipeline.Pipeline
	Host   fluentbit.Host // its Pipeline.Host() is the process
	Output string         // ours or builtIn
	Short  bool           // the short form is asked for
	Rand   *rand.Rand     // seeded with what is printed
	Dir    string         // the run's own folder
	Root   string         // the project
	HTTP   string         // host:port of the host's own metrics

	out      *Outcome
	fault    *Fault
	setup    Setup
	killed   bool
	account  *pipeline.Account
	live     *kafkacheck.Checker
	stop     func() // ends what runs beside: the live reader, the samples
	beside   sync.WaitGroup
	readErr  error
	writers  []<-chan error
	ledger   string
	began    time.Time
	samples  samples
	reset    int        // connections
	thaw     func()     // of devkafka, where it was frozen
	mu       sync.Mutex // guards what follows, and Outcome.Recovery
	mendings []time.Time
	damaged  map[event]bool // see Damaged
	cleanups []func() error
}

// Begin starts broker, Fluent Bit and what watches them.
func (r *Run) Begin(ctx context.Context, s Setup) (err error) {
	s.Conf = cmp.Or(s.Conf, "conf/fluent-bit.conf")
	r.setup, r.began = s, time.Now()
	if r.HTTP, err = pipeline.FreeAddr(); err != nil {
		return err
	}
	conf, err := r.configuration()
	if err != nil {
		return err
	}
	ready := ""
	if r.Output == builtIn {
		ready = "kafka" // it says nothing when it has started; its name in any line will do
	}
	env := slices.Clone(s.Env)
	if s.Extra != nil {
		env = append(env, s.Extra(r)...)
	}
	r.Pipeline, err = pipeline.New(ctx, pipeline.Config{
		Root: r.Root, Dir: r.Dir, Host: r.Host, Conf: conf, Env: env, Args: s.Args, Topics: s.Topics, Cluster: s.Cluster, Later: s.Later, Ready: ready,
	})
	if err != nil {
		return err
	}
	r.out.Broker = "devkafka"
	if s.Cluster != nil {
		r.out.Broker = s.Cluster.Name()
	}
	r.ledger = filepath.Join(r.Dir, "ledger.jsonl")
	if r.live, err = kafkacheck.New(r.checks()); err != nil {
		return err
	}
	// It outlives ctx: what was written is read to its end.
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.beside.Go(func() { r.readErr = r.live.Follow(reading) })
	r.beside.Go(func() { r.watchRecovery(reading) })
	r.beside.Go(func() { r.sample(reading) })
	if r.Output == ours {
		r.account = r.Watch(context.WithoutCancel(ctx))
	}
	if s.NoHost {
		return nil
	}
	return r.StartHost()
}

// service puts the host's own metrics into its [SERVICE] section, where the configuration has none.
var (
	service     = regexp.MustCompile(`(?mi)^(\[SERVICE\]|service:)$`)
	httpServer  = regexp.MustCompile(`(?mi)^\s*http_server:?\s`)
	ourSection  = `(?ms)^\[OUTPUT\]\n\s+Name\s+kafka_batch$.*\z`
	builtInConf = `[OUTPUT]
    Name             kafka
    Match            *
    Alias            kafka
    Workers          1
    Retry_Limit      no_limits
    storage.total_limit_size 1G
    Brokers          $${KAFKA_BROKERS}
    Topics           $${KAFKA_TOPIC}
    Timestamp_Key    timestamp
    Timestamp_Format iso8601_ns
    rdkafka.request.required.acks all
    rdkafka.enable.idempotence    true
    rdkafka.message.timeout.ms    0
    rdkafka.compression.codec     lz4
`
)

// configuration writes the run's own variant of the configuration and returns its path.
func (r *Run) configuration() (string, error) {
	conf, changes := r.setup.Conf, slices.Clone(r.setup.Changes)
	if filepath.IsAbs(conf) {
		if len(changes) > 0 || r.Output == builtIn {
			return "", fmt.Errorf("%s: a file of the fault's own has neither changes nor a built-in form", conf)
		}
		return conf, nil
	}
	b, err := os.ReadFile(filepath.Join(r.Root, conf))
	if err != nil {
		return "", err
	}
	changes = append(changes, pipeline.FilesOf(r.Root, conf))
	if !httpServer.Match(b) {
		host, port, err := net.SplitHostPort(r.HTTP)
		if err != nil {
			return "", err
		}
		form := "$1\n    HTTP_Server On\n    HTTP_Listen %s\n    HTTP_Port %s"
		if filepath.Ext(conf) == ".yaml" {
			form = "$1\n  http_server: on\n  http_listen: %s\n  http_port: %s"
		}
		changes = append(changes, [2]string{service.String(), fmt.Sprintf(form, host, port)})
	}
	if r.Output == builtIn {
		changes = append(changes, [2]string{ourSection, builtInConf})
	}
	return pipeline.Variant(r.Root, conf, r.Dir, changes)
}

func (r *Run) checks() kafkacheck.Config {
	return kafkacheck.Config{
		Brokers: r.Brokers, Topics: []string{r.Topic},
		Constant:     map[string]string{"service.name": "checkout", "service.version": "1.4.2"},
		HalfFiltered: r.killed && !r.Host.FiltersFirst(),
		Uncompared:   func(stream string, seq uint64) bool { return r.isDamaged(event{stream, seq}) },
	}
}

// Note adds a fact to the report.
func (r *Run) Note(format string, args ...any) {
	r.out.Notes = append(r.out.Notes, fmt.Sprintf(format, args...))
}

// Fail says that something is not as it was promised; the run goes on, to its account. What the built-in output does is
// a fact and no failure.
func (r *Run) Fail(format string, args ...any) {
	if r.Output == builtIn {
		r.Note(format, args...)
		return
	}
	r.out.fail(format, args...)
}

// Refused says that a counter counted n lines that are therefore not in Kafka.
func (r *Run) Refused(counter string, n uint64) {
	if r.out.Refused == nil {
		r.out.Refused = map[string]uint64{}
	}
	r.out.Refused[counter] += n
}

// Attribute says that n lines are lost for a reason that is the host's own, and that the run has seen to be it. Where a run
// attributes, every line that is lost has to be attributed.
func (r *Run) Attribute(why string, n uint64) {
	if r.out.Attributed == nil {
		r.out.Attributed = map[string]uint64{}
	}
	r.out.Attributed[why] += n
}

// Cleanup calls f when the run has ended, however it does, and pipeline and host with it; the last one first.
func (r *Run) Cleanup(f func() error) { r.cleanups = append(r.cleanups, f) }

// Write starts loggen with a full ledger; the run waits for its end. Rate is set where cfg has none. Two of them write
// other sequence numbers.
func (r *Run) Write(ctx context.Context, cfg loggen.Config) error {
	cfg.Dir, cfg.Ledger, cfg.LedgerFull = r.Logs, r.ledger, !r.setup.CountOnly
	cfg.Rate = cmp.Or(cfg.Rate, rate)
	cfg.OnBatch = func(b loggen.Batch) { r.live.Wrote(b.Stream, b.First, b.Last, b.WrittenNS) }
	g, err := loggen.New(cfg)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	r.writers = append(r.writers, done)
	return nil
}

// Written waits until all that Write started has ended.
func (r *Run) Written() error {
	var errs []error
	for _, w := range r.writers {
		errs = append(errs, <-w)
	}
	r.writers = nil
	return errors.Join(errs...)
}

// UnderLoad writes lines until f has returned, and a little longer.
func (r *Run) UnderLoad(ctx context.Context, cfg loggen.Config, f func(context.Context) error) error {
	const calm = 1500 * time.Millisecond // before and after
	writing, stop := context.WithCancel(ctx)
	defer stop()
	if err := r.Write(writing, cfg); err != nil {
		return err
	}
	if err := sleep(ctx, calm); err != nil {
		return err
	}
	if err := f(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, calm); err != nil {
		return err
	}
	stop()
	return r.Written()
}

// StartBroker, KillBroker and FreezeBroker are those of the Setup's cluster, or of devkafka.
func (r *Run) StartBroker(ctx context.Context) error {
	if c := r.setup.Cluster; c != nil {
		return c.Start(ctx)
	}
	return r.Pipeline.StartBroker(ctx)
}

func (r *Run) KillBroker() error {
	if c := r.setup.Cluster; c != nil {
		return c.Kill()
	}
	return r.Pipeline.KillBroker()
}

func (r *Run) FreezeBroker() (thaw func() error, err error) {
	if c := r.setup.Cluster; c != nil {
		return c.Freeze()
	}
	r.thaw = r.Faults.Freeze()
	return func() error { r.thaw(); return nil }, nil
}

// KillHost kills Fluent Bit with SIGKILL.
func (r *Run) KillHost() {
	r.killed = true
	r.Pipeline.Host().Kill()
}

// Mended says that what was broken is whole again: the time until everything that was written before has arrived is the
// time to recover.
func (r *Run) Mended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mendings = append(r.mendings, time.Now())
}

// watchRecovery measures recoveries.
func (r *Run) watchRecovery(ctx context.Context) {
	for sleep(ctx, 20*time.Millisecond) == nil {
		oldest := r.live.Oldest()
		r.mu.Lock()
		r.mendings = slices.DeleteFunc(r.mendings, func(at time.Time) bool {
			recovered := oldest == 0 || oldest > at.UnixNano()
			if recovered {
				r.out.Recovery = append(r.out.Recovery, time.Since(at).Round(10*time.Millisecond).Seconds())
			}
			return recovered
		})
		r.mu.Unlock()
	}
}

// sleep waits, or returns ctx's error.
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

// drain waits until everything that was written is in Kafka, or nothing more comes: what is missing then is lost.
func (r *Run) drain(ctx context.Context) error {
	last, since := uint64(0), time.Now()
	for deadline := time.Now().Add(drainLimit); time.Now().Before(deadline); {
		p := r.live.Progress()
		if p.Missing <= r.out.refused()+r.out.attributed() {
			break
		}
		if p.Records != last {
			last, since = p.Records, time.Now()
		}
		if time.Since(since) > quiet {
			break
		}
		if h := r.Pipeline.Host(); h != nil {
			select {
			case <-h.Done():
				if r.Output == ours {
					return fmt.Errorf("the Fluent Bit under test ended by itself: %v", h.Err())
				}
				r.Note("Fluent Bit ended by itself (%v) and was started again", h.Err())
				if err := r.StartHost(); err != nil {
					return err
				}
			default:
			}
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return sleep(ctx, time.Second) // copies may still come
}

// finish ends the run and makes its account.
func (r *Run) finish(ctx context.Context) error {
	if err := r.Written(); err != nil {
		return err
	}
	if err := r.drain(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	if n := len(r.mendings); n > 0 && r.Output == ours && r.out.Class.Loss == noneLost {
		r.out.fail("what was written before the last mending had not all arrived in %v", time.Since(r.mendings[0]).Round(time.Second))
	}
	r.mu.Unlock()
	r.settle(ctx)
	check, err := kafkacheck.New(r.checks())
	if err != nil {
		return err
	}
	defer check.Close()
	if err := check.ReadLedger(r.ledger); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(r.live.Progress().Records)*30*time.Microsecond)
	defer cancel()
	if err := check.ReadAll(ctx); err != nil {
		return err
	}
	if r.account != nil {
		r.account.Stop()
		r.out.Scrapes, r.out.Broken = r.account.Scrapes(), r.account.Broken()
	}
	r.out.account(check.Report())
	return nil
}

// settle waits a moment until kafka_batch has no record open: the last answers may still be on their way.
func (r *Run) settle(ctx context.Context) {
	if r.account == nil {
		return
	}
	for range 100 {
		if m, err := r.Scrape(ctx); err != nil || m["records_open"] == 0 {
			return
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
	r.Fail("records are still open when everything is in Kafka")
}

// close ends what still runs.
func (r *Run) close() error {
	if r.account != nil {
		r.account.Stop()
	}
	if r.thaw != nil {
		r.thaw()
	}
	if r.stop != nil {
		r.stop()
	}
	r.beside.Wait()
	if r.live != nil {
		r.live.Close()
	}
	err := r.readErr
	if r.Pipeline != nil {
		err = errors.Join(err, r.Pipeline.Close())
	}
	for _, f := range slices.Backward(r.cleanups) {
		err = errors.Join(err, f())
	}
	return err
}

// tail is the end of what Fluent Bit said.
func (r *Run) tail(n int) string {
	if r.Pipeline == nil || r.Pipeline.Host() == nil {
		return ""
	}
	return r.Pipeline.Host().Tail(n)
}
