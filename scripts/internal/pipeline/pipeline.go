// Package pipeline puts the whole thing together for the demo and the end-to-end tests: a folder for logs and state, a
// broker, and a real Fluent Bit with one of the project's own configuration files.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/fluentbit"
)

// Partitions is how many the topic gets.
const Partitions = 3

// Config says what to build. All fields are required but Env.
type Config struct {
	Root string // the project's folder: bin/ and conf/ are in it
	Dir  string // an empty folder for logs, state, broker data and the host's log
	Host fluentbit.Host
	Conf string   // configuration file, absolute or relative to Root
	Env  []string // KEY=value, on top of what the configuration files name
}

// Pipeline is one broker and one Fluent Bit. Not for concurrent use.
type Pipeline struct {
	cfg     Config
	Logs    string   // LOG_DIR
	State   string   // STATE_DIR
	HostLog string   // what Fluent Bit said, over all its starts
	Brokers []string // KAFKA_BROKERS
	Topic   string   // KAFKA_TOPIC
	Metrics string   // METRICS_LISTEN

	own    *devkafka.Broker // nil while it is stopped, and with a cluster of the user's
	listen string           // address of the own broker, the same over its starts; "" with a cluster of the user's
	host   *fluentbit.Process
}

// New makes the folders, chooses the ports and starts the broker; the environment's KAFKA_BROKERS is used in place of
// an own one, with a new topic that Close deletes. Close ends everything.
func New(ctx context.Context, cfg Config) (_ *Pipeline, err error) {
	p := &Pipeline{
		cfg:     cfg,
		Logs:    filepath.Join(cfg.Dir, "logs"),
		State:   filepath.Join(cfg.Dir, "state"),
		HostLog: filepath.Join(cfg.Dir, "fluent-bit.log"),
		Topic:   "logs",
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	for _, dir := range []string{p.Logs, p.State} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if p.Metrics, err = FreeAddr(); err != nil {
		return nil, err
	}
	if user := os.Getenv("KAFKA_BROKERS"); user != "" {
		p.Brokers = strings.Split(user, ",")
		p.Topic = fmt.Sprintf("flbgo-%d-%d", os.Getpid(), time.Now().UnixNano())
		return p, createTopic(ctx, p.Brokers, p.Topic)
	}
	p.listen = "127.0.0.1:0"
	return p, p.StartBroker(ctx)
}

// OwnBroker tells whether the broker is ours to stop.
func (p *Pipeline) OwnBroker() bool { return p.listen != "" }

// StartBroker starts the own broker, again on the port that it had, with the data that it had.
func (p *Pipeline) StartBroker(ctx context.Context) (err error) {
	p.own, err = devkafka.Start(ctx, devkafka.Config{
		Listen: p.listen,
		Topics: []devkafka.Topic{{Name: p.Topic, Partitions: Partitions}},
		Dir:    filepath.Join(p.cfg.Dir, "kafka"),
	})
	if err != nil {
		return err
	}
	p.listen = p.own.Addr()
	p.Brokers = []string{p.listen}
	return nil
}

// Broker returns the own broker for fault injection; nil while it is stopped.
func (p *Pipeline) Broker() *devkafka.Broker { return p.own }

// StopBroker stops the own broker; its data stays.
func (p *Pipeline) StopBroker() {
	if p.own != nil {
		p.own.Close()
		p.own = nil
	}
}

// Env is the environment that the configuration files name.
func (p *Pipeline) Env() []string {
	return append([]string{
		"LOG_DIR=" + p.Logs,
		"STATE_DIR=" + p.State,
		"KAFKA_BROKERS=" + strings.Join(p.Brokers, ","),
		"KAFKA_TOPIC=" + p.Topic,
		"METRICS_LISTEN=" + p.Metrics,
	}, p.cfg.Env...)
}

// StartHost starts Fluent Bit in the project's folder and waits until its outputs run.
func (p *Pipeline) StartHost() (err error) {
	conf := p.cfg.Conf
	if !filepath.IsAbs(conf) {
		conf = filepath.Join(p.cfg.Root, conf)
	}
	p.host, err = p.cfg.Host.Start(fluentbit.Options{
		Config: conf,
		Dir:    p.cfg.Root,
		Env:    p.Env(),
		Log:    p.HostLog,
	})
	if err != nil {
		return err
	}
	return p.host.WaitFor("kafka] started", 20*time.Second)
}

// Host is the process that StartHost started last.
func (p *Pipeline) Host() *fluentbit.Process { return p.host }

// Close stops what still runs. The folder stays.
func (p *Pipeline) Close() error {
	var err error
	if p.host != nil {
		err = p.host.Stop(30 * time.Second)
	}
	p.StopBroker()
	if !p.OwnBroker() && len(p.Brokers) > 0 {
		err = errors.Join(err, deleteTopic(p.Brokers, p.Topic))
	}
	return err
}

// FreeAddr returns a loopback address whose port was free a moment ago.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Root finds the project's folder from the working folder upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module flbgo\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not inside the project: no go.mod of module flbgo above the working folder")
		}
	}
}

func createTopic(ctx context.Context, brokers []string, topic string) error {
	return administer(ctx, brokers, "create topic "+topic, func(ctx context.Context, a *kadm.Client) error {
		_, err := a.CreateTopic(ctx, Partitions, -1, nil, topic)
		return err
	})
}

func deleteTopic(brokers []string, topic string) error {
	return administer(context.Background(), brokers, "delete topic "+topic, func(ctx context.Context, a *kadm.Client) error {
		r, err := a.DeleteTopic(ctx, topic)
		return errors.Join(err, r.Err)
	})
}

// administer calls f with a client of the user's cluster. An error says what was tried, and where.
func administer(ctx context.Context, brokers []string, what string, f func(context.Context, *kadm.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := f(ctx, kadm.NewClient(cl)); err != nil {
		return fmt.Errorf("KAFKA_BROKERS=%s: %s: %w", strings.Join(brokers, ","), what, err)
	}
	return nil
}
