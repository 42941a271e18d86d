// Package devkafka is a single Kafka broker in this process, made of
// franz-go's kfake, for demonstrations and tests on one machine. It speaks the
// real protocol over a real socket and checks batches as a broker does (CRC,
// lengths, sequences of idempotent producers), but it does not decompress them
// and has no replication: never put it where data matters.
//
// # What survives
//
// Without a folder everything lives in memory and ends with the process.
//
// With Config.Dir every batch is handed to the kernel with write(2) before it
// is acknowledged. So an acknowledged batch survives the end of the process,
// however it comes (Close, SIGTERM, SIGKILL), and is there once. It does not
// survive the end of the machine: nothing is fsynced before a segment is
// full or Close is called, unless Config.Sync is set. This is Kafka's own
// default.
//
// What the broker knows of idempotent producers (the last five batches of each
// in each partition, by which a batch that is sent again is recognised)
// survives as well. kfake saves it at Close only; after a kill devkafka
// rebuilds it from the log, as Kafka does. So a batch that was stored, but
// whose acknowledgement was lost with the process, is not stored twice when it
// comes again.
package devkafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// DefaultTopics are the topics of the shipped configuration.
const DefaultTopics = "logs:3,logs-dead-letters:1"

// Config says where to listen and what to keep.
type Config struct {
	// Listen is host:port; port 0 chooses a free one.
	Listen string
	// AllowRemote permits a Listen that is reachable from other machines.
	// There is neither encryption nor authentication.
	AllowRemote bool
	// Advertise is the host:port that clients are told to connect to; empty
	// means the address of the listener. Needed where Listen is a wildcard
	// address.
	Advertise string
	// Topics are created unless they are there; a topic that has fewer
	// partitions than given gets the missing ones. See ParseTopics.
	Topics []Topic
	// Dir keeps the data; empty means memory. One process at a time.
	Dir string
	// Sync fsyncs every batch before it is acknowledged.
	Sync bool
	// Faults happen to its answers; nil for none.
	Faults *Faults
	// Log gets kfake's warnings, one line each; nil means nowhere.
	Log io.Writer
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	dir     string   // Config.Dir
	lock    *os.File // holds the flock on Config.Dir; nil in memory
	close   sync.Once
}

// Start starts a broker; it is ready when Start returns. ctx bounds the start
// alone.
func Start(ctx context.Context, cfg Config) (_ *Broker, err error) {
	port, err := checkListen(&cfg)
	if err != nil {
		return nil, err
	}
	b := &Broker{dir: cfg.Dir}
	var self string // the listener's own address
	opts := []kfake.Opt{
		kfake.Ports(port),
		kfake.ClusterID("devkafka"),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, cfg.Listen)
			if err == nil {
				self = l.Addr().String()
			}
			if err == nil && cfg.Advertise != "" {
				l = advertised{l, textAddr(cfg.Advertise)}
			}
			if err == nil && cfg.Faults != nil {
				l = faultListener{l, cfg.Faults}
			}
			return l, err
		}),
	}
	if cfg.Log != nil {
		opts = append(opts, kfake.WithLogger(kfake.BasicLogger(cfg.Log, kfake.LogLevelWarn)))
	}
	for _, t := range cfg.Topics {
		opts = append(opts, kfake.SeedTopics(t.Partitions, t.Name))
	}
	if cfg.Dir != "" {
		if b.lock, err = lockDir(cfg.Dir); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				b.lock.Close()
			}
		}()
		if err := restoreProducers(cfg.Dir); err != nil {
			return nil, fmt.Errorf("data folder %s: %w", cfg.Dir, err)
		}
		opts = append(opts, kfake.DataDir(cfg.Dir))
	}
	if cfg.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	if b.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, explain(err, &cfg)
	}
	b.addr = b.cluster.ListenAddrs()[0]
	if cfg.Dir != "" {
		err = forgetSavedProducers(cfg.Dir)
		if err == nil {
			// kfake takes its seed topics only into an empty folder.
			err = ensureTopics(ctx, self, cfg.Topics)
		}
		if err != nil {
			b.cluster.Close()
			return nil, err
		}
	}
	return b, nil
}

// Addr returns the host:port for clients.
func (b *Broker) Addr() string { return b.addr }

// Cluster gives tests access to kfake's faults.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close saves the state, when there is a folder for it, and stops the broker.
// Batches that were not acknowledged before may or may not be there later;
// their producers send them again.
func (b *Broker) Close() { b.end(false) }

// Kill stops the broker and leaves its folder as the end of its process would:
// what it knew of producers has to be found in the log again. Without a folder
// it is Close.
func (b *Broker) Kill() error { return b.end(true) }

func (b *Broker) end(forget bool) (err error) {
	b.close.Do(func() {
		b.cluster.Close()
		if b.lock == nil {
			return
		}
		if forget {
			err = forgetSavedProducers(b.dir)
		}
		b.lock.Close()
	})
	return err
}

// checkListen resolves and checks the address and returns its port.
func checkListen(cfg *Config) (port int, err error) {
	const example = "for example 127.0.0.1:9092"
	host, p, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return 0, fmt.Errorf("listen %q is not host:port, %s", cfg.Listen, example)
	}
	if port, err = strconv.Atoi(p); err != nil || port < 0 || port > 65535 {
		return 0, fmt.Errorf("listen %q: the port is not a number from 0 (choose one) to 65535, %s", cfg.Listen, example)
	}
	ip := net.ParseIP(host)
	if host == "localhost" {
		ip = net.IPv4(127, 0, 0, 1)
	}
	if ip == nil && host != "" {
		return 0, fmt.Errorf("listen %q: the host is neither an IP address nor localhost, %s", cfg.Listen, example)
	}
	wildcard := host == "" || ip.IsUnspecified()
	if !cfg.AllowRemote && (wildcard || !ip.IsLoopback()) {
		return 0, fmt.Errorf("listen %q is reachable from other machines, and this broker has no authentication: use a loopback address, %s, or add -allow-remote", cfg.Listen, example)
	}
	if wildcard && cfg.Advertise == "" {
		return 0, fmt.Errorf("listen %q is no address that a client can connect to: add -advertise HOST:PORT", cfg.Listen)
	}
	if cfg.Advertise != "" {
		ahost, ap, err := net.SplitHostPort(cfg.Advertise)
		if n, perr := strconv.Atoi(ap); err != nil || perr != nil || ahost == "" || n < 1 || n > 65535 {
			return 0, fmt.Errorf("advertise %q is not host:port, for example 192.0.2.7:9092", cfg.Advertise)
		}
	}
	if host == "localhost" {
		cfg.Listen = net.JoinHostPort(ip.String(), p)
	}
	return port, nil
}

// advertised is a listener that says it listened elsewhere: kfake tells
// clients the listener's own address.
type advertised struct {
	net.Listener
	addr net.Addr
}

func (a advertised) Addr() net.Addr { return a.addr }

type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// explain turns the errors that people meet into one line that says what to do.
func explain(err error, cfg *Config) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program (ss -ltnp shows which); choose another with -listen, port 0 takes a free one", cfg.Listen)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: not permitted; ports below 1024 need root: %w", cfg.Listen, err)
	}
	return err
}

// lockDir creates dir and takes an exclusive lock on it, which ends with the
// process. Two brokers in one folder would write into each other's segments.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	// A process that was just killed may still be on its way out.
	for wait := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if time.Now().After(wait) {
			f.Close()
			return nil, fmt.Errorf("data folder %s is in use by another devkafka (%w)", dir, err)
		}
	}
}
