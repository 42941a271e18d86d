// Package pipeline puts the whole thing together for the demo and the end-to-end tests: a folder for logs and state, a
// broker, and a real Fluent Bit with one of the project's own configuration files.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/fluentbit"
)

// Partitions is how many the topic gets.
const Partitions = 3

// deadSuffix is what the configuration files append to KAFKA_TOPIC.
const deadSuffix = "-dead-letters"

// Cluster is Kafka that other code runs, for example a real one. It is given to New running.
type Cluster interface {
	Name() string                           // for reports: "Apache Kafka 4.1.1"
	Addrs() []string                        // KAFKA_BROKERS, the same over its starts
	Start(ctx context.Context) error        // again, with the data that it had; it is ready then
	Stop(ctx context.Context) error         // in order
	Kill() error                            // as SIGKILL does
	Freeze() (thaw func() error, err error) // as SIGSTOP and SIGCONT do
}

// Config says what to build. All fields are required but those from Env on.
type Config struct {
	Root string // the project's folder: bin/ and conf/ are in it
	Dir  string // an empty folder for logs, state, broker data and the host's log
	Host fluentbit.Host
	Conf string   // configuration file, absolute or relative to Root
	Env  []string // KEY=value, on top of what the configuration files name
	Args []string // of Fluent Bit, behind the configuration file

	Topics  []devkafka.Topic // besides the topic and that of its dead letters; their names are endings of the topic's
	Cluster Cluster          // in place of the own broker and of the environment's KAFKA_BROKERS
	Later   bool             // the topics are not made: CreateTopics does it
	Ready   string           // what Fluent Bit says when it has started; "" is what kafka_batch says
}

// Pipeline is one broker and one Fluent Bit. Not for concurrent use.
type Pipeline struct {
	cfg     Config
	Logs    string   // LOG_DIR
	State   string   // STATE_DIR
	HostLog string   // what Fluent Bit said, over all its starts
	Brokers []string // KAFKA_BROKERS
	Topic   string   // KAFKA_TOPIC
	Dead    string   // the topic of dead letters, as the configuration files name it
	Metrics string   // METRICS_LISTEN
	Kafka   string   // KAFKA_METRICS_LISTEN, where kafka_batch tells what becomes of records

	Faults devkafka.Faults // happen to the answers of the own broker

	own    *devkafka.Broker // nil while it is stopped, and with a cluster of the user's
	listen string           // address of the own broker, the same over its starts; "" with a cluster of the user's
	host   *fluentbit.Process
}

// New makes the folders, chooses the ports and starts the broker; a Cluster or the environment's KAFKA_BROKERS is used in
// place of an own one, with a new topic. Close deletes it from the environment's, and ends what New and StartHost started.
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
	if p.Kafka, err = FreeAddr(); err != nil {
		return nil, err
	}
	user := os.Getenv("KAFKA_BROKERS")
	if cfg.Cluster != nil {
		user = strings.Join(cfg.Cluster.Addrs(), ",")
	}
	if user != "" {
		p.Brokers = strings.Split(user, ",")
		p.Topic = fmt.Sprintf("flbgo-%d-%d", os.Getpid(), time.Now().UnixNano())
		p.Dead = p.Topic + deadSuffix
		if cfg.Later {
			return p, nil
		}
		return p, p.CreateTopics(ctx)
	}
	p.Dead = p.Topic + deadSuffix
	if p.listen, err = FreeAddr(); err != nil {
		return nil, err
	}
	return p, p.StartBroker(ctx)
}

// topics are those that there must be.
func (p *Pipeline) topics() []devkafka.Topic {
	topics := []devkafka.Topic{{Name: p.Topic, Partitions: Partitions}, {Name: p.Dead, Partitions: 1}}
	for _, t := range p.cfg.Topics {
		topics = append(topics, devkafka.Topic{Name: p.Topic + t.Name, Partitions: t.Partitions})
	}
	return topics
}

// CreateTopics makes the topics, where Config.Later has put it off.
func (p *Pipeline) CreateTopics(ctx context.Context) error {
	return createTopics(ctx, p.Brokers, p.topics())
}

// OwnBroker tells whether the broker is ours to stop.
func (p *Pipeline) OwnBroker() bool { return p.listen != "" }

// StartBroker starts the own broker, again on the port that it had, with the data that it had.
func (p *Pipeline) StartBroker(ctx context.Context) (err error) {
	topics := p.topics()
	if p.cfg.Later {
		topics = nil
	}
	p.own, err = devkafka.Start(ctx, devkafka.Config{
		Listen: p.listen,
		Topics: topics,
		Dir:    filepath.Join(p.cfg.Dir, "kafka"),
		Faults: &p.Faults,
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

// KillBroker ends the own broker as a SIGKILL would: it saves nothing that it has not written already.
func (p *Pipeline) KillBroker() (err error) {
	if p.own != nil {
		err = p.own.Kill()
		p.own = nil
	}
	return err
}

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
		"KAFKA_METRICS_LISTEN=" + p.Kafka,
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
		Args:   p.cfg.Args,
	})
	if err != nil {
		return err
	}
	return p.host.WaitFor(cmp.Or(p.cfg.Ready, "kafka] started"), 20*time.Second)
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
	if p.cfg.Cluster == nil && !p.OwnBroker() && len(p.Brokers) > 0 {
		err = errors.Join(err, deleteTopics(p.Brokers, p.topics()))
	}
	return err
}

// given are the ports that FreeAddr has returned in this process.
var given sync.Map

// FreeAddr returns a loopback address whose port was free a moment ago, and not the same one twice. The port is below
// those from which the kernel takes for connections (32768 by default): one of these could be gone before it is used, or
// while a broker that had it is away.
func FreeAddr() (addr string, err error) {
	for range 100 {
		addr = fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(17000))
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err != nil {
			continue
		}
		l.Close()
		if _, again := given.LoadOrStore(addr, true); !again {
			return addr, nil
		}
	}
	return "", fmt.Errorf("no free port from 15000 to 31999: %w", err)
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

func createTopics(ctx context.Context, brokers []string, topics []devkafka.Topic) error {
	var errs []error
	for _, t := range topics {
		errs = append(errs, administer(ctx, brokers, "create topic "+t.Name, func(ctx context.Context, a *kadm.Client) error {
			_, err := a.CreateTopic(ctx, t.Partitions, -1, nil, t.Name)
			return err
		}))
	}
	return errors.Join(errs...)
}

func deleteTopics(brokers []string, topics []devkafka.Topic) error {
	var errs []error
	for _, t := range topics {
		errs = append(errs, administer(context.Background(), brokers, "delete topic "+t.Name, func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DeleteTopic(ctx, t.Name)
			return errors.Join(err, r.Err)
		}))
	}
	return errors.Join(errs...)
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
