// Package e2e holds the end-to-end tests: real loggers' lines through real Fluent Bits with the project's own
// configuration files and the built plugins into a broker, read back by a separate client.
//
// FLUENT_BIT names the binaries, separated by colons; every test runs against each, with each configuration file that
// the host reads. What a host cannot show is listed by name at the end of its run.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/kafkacheck"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

var (
	hosts []fluentbit.Host
	root  string
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // gin writes local time without a zone
	var err error
	if root, err = pipeline.Root(); err == nil {
		hosts, err = fluentbit.Hosts(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	for _, h := range hosts {
		fmt.Printf("e2e: ran against %s (%s)\n", h, h.Path)
		for _, what := range h.Untestable() {
			fmt.Printf("e2e: %s could not test: %s\n", h, what)
		}
	}
	os.Exit(code)
}

// eachHost runs a test against every host with every configuration file of the main pipeline that it reads.
func eachHost(t *testing.T, test func(t *testing.T, h fluentbit.Host, conf string)) {
	for _, h := range hosts {
		confs := []string{"conf/fluent-bit.conf"}
		if h.YAML() {
			confs = append(confs, "conf/fluent-bit.yaml")
		}
		for _, conf := range confs {
			t.Run(h.Version+"/"+filepath.Base(conf), func(t *testing.T) { test(t, h, conf) })
		}
	}
}

// rig is one pipeline with its account.
type rig struct {
	*pipeline.Pipeline
	t      *testing.T
	dir    string
	ledger string
	host   fluentbit.Host
	killed bool // with SIGKILL, in this test
}

// newRig starts a broker and, unless the test does it later, Fluent Bit. The end of the test stops them, and shows the
// end of Fluent Bit's log when the test failed.
func newRig(t *testing.T, h fluentbit.Host, conf string, env ...string) *rig {
	t.Helper()
	return newRigWith(t, h, conf, nil, env...)
}

// newRigWith has topics besides, whose names are endings of the first one's.
func newRigWith(t *testing.T, h fluentbit.Host, conf string, topics []devkafka.Topic, env ...string) *rig {
	t.Helper()
	return newRigOf(t, pipeline.Config{Root: root, Dir: t.TempDir(), Host: h, Conf: conf, Env: env, Topics: topics})
}

func newRigOf(t *testing.T, cfg pipeline.Config) *rig {
	t.Helper()
	p, err := pipeline.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Pipeline: p, t: t, dir: cfg.Dir, ledger: filepath.Join(cfg.Dir, "ledger.jsonl"), host: cfg.Host}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(p.HostLog); err == nil && t.Failed() {
			l := strings.Split(string(b), "\n")
			t.Logf("the end of Fluent Bit's log:\n%s", strings.Join(l[max(0, len(l)-30):], "\n"))
		}
	})
	return r
}

func (r *rig) startHost() {
	r.t.Helper()
	if err := r.StartHost(); err != nil {
		r.t.Fatal(err)
	}
}

// write runs loggen with a full ledger to its end.
func (r *rig) write(cfg loggen.Config) {
	r.t.Helper()
	if err := <-r.writing(cfg); err != nil {
		r.t.Fatal(err)
	}
}

// writing runs loggen in the background.
func (r *rig) writing(cfg loggen.Config) <-chan error {
	r.t.Helper()
	cfg.Dir, cfg.Ledger, cfg.LedgerFull = r.Logs, r.ledger, true
	g, err := loggen.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Run(r.t.Context()) }()
	return done
}

// await reads the topic until every event of the ledger is there or the time is up, and returns the account.
func (r *rig) await(limit time.Duration) kafkacheck.Report {
	r.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		report := r.read()
		if report.Lost.N == 0 || time.Now().After(deadline) {
			return report
		}
		select {
		case <-r.Host().Done():
			r.t.Fatalf("Fluent Bit ended by itself: %v", r.Host().Err())
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (r *rig) read() kafkacheck.Report {
	r.t.Helper()
	c, err := kafkacheck.New(kafkacheck.Config{
		Brokers: r.Brokers, Topics: []string{r.Topic},
		Constant:     map[string]string{"service.name": "checkout", "service.version": "1.4.2"},
		HalfFiltered: r.killed && !r.host.FiltersFirst(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if err := c.ReadLedger(r.ledger); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	if err := c.ReadAll(ctx); err != nil {
		r.t.Fatal(err)
	}
	return c.Report()
}

// mustBeWhole fails unless everything that was written is in Kafka as it was written.
func (r *rig) mustBeWhole(report kafkacheck.Report, written uint64) {
	r.t.Helper()
	r.t.Log(strings.TrimSpace(report.String()))
	if err := report.Err(); err != nil {
		r.t.Error(err)
	}
	if report.Written != written || report.Compared == 0 {
		r.t.Errorf("the ledger has %d events of %d, %d records were compared", report.Written, written, report.Compared)
	}
}

// variant is pipeline.Variant in a folder of the test's own.
func variant(t *testing.T, conf string, changes [][2]string) string {
	t.Helper()
	path, err := pipeline.Variant(root, conf, t.TempDir(), changes)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
