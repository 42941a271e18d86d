// Package realkafka runs a real Apache Kafka for tests: nodes of scripts/kafka.sh, which end with this process.
package realkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrUnavailable is in the tree of an error that says what a machine lacks for Kafka: Java, Maven, or a registry that has it.
var ErrUnavailable = errors.New("no real Kafka here")

// unavailable is the exit status of kafka.sh in that case.
const unavailable = 3

// Prepare puts Kafka into the cache, which takes a download once. An error has ErrUnavailable in its tree where it is not
// to be had on this machine. root is the project's folder.
func Prepare(ctx context.Context, root string) error {
	_, err := script(ctx, root, nil, "jars")
	return err
}

// Config says what to start. Root and Dir are required.
type Config struct {
	Root       string   // the project's folder
	Dir        string   // a folder for data and logs, which Close leaves there
	Nodes      int      // 0 is 1; from 3 on a topic has three replicas, of which two have to have a record
	Properties []string // key=value, at the end of the nodes' server.properties
}

// Cluster is the nodes. Its methods are safe for concurrent use, those of one Node are not.
type Cluster struct {
	Nodes   []*Node
	Secured []string // addresses with SASL: clients there authenticate with SCRAM and may do what ACLs say

	name  string
	addrs []string
	admin func() (*kadm.Client, error)
}

// Start makes new nodes and waits until they serve. The caller must Close the cluster.
func Start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	count := max(cfg.Nodes, 1)
	if _, err := script(ctx, cfg.Root, cfg.Properties, "format", cfg.Dir, strconv.Itoa(count)); err != nil {
		return nil, err
	}
	version, err := script(ctx, cfg.Root, nil, "version")
	if err != nil {
		return nil, err
	}
	c := &Cluster{name: "Apache Kafka " + version}
	if count > 1 {
		c.name += fmt.Sprintf(", %d nodes", count)
	}
	c.admin = sync.OnceValues(func() (*kadm.Client, error) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.addrs...))
		if err != nil {
			return nil, err
		}
		return kadm.NewClient(cl), nil
	})
	for id := 1; id <= count; id++ {
		n := &Node{ID: int32(id), root: cfg.Root, dir: cfg.Dir}
		if n.Addr, err = n.file("brokers"); err != nil {
			return nil, err
		}
		secured, err := n.file("sasl-brokers")
		if err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, n)
		c.addrs = append(c.addrs, n.Addr)
		c.Secured = append(c.Secured, secured)
	}
	if err := c.Start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Name is "Apache Kafka 4.1.1, 3 nodes".
func (c *Cluster) Name() string { return c.name }

// Addrs are addresses without security, the same over all starts: clients there may do everything.
func (c *Cluster) Addrs() []string { return c.addrs }

// Start starts the nodes that do not run, with the data that they had, and waits until they serve.
func (c *Cluster) Start(ctx context.Context) error {
	// All before any is waited for: one alone of three has no controller.
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop asks the nodes to end, and waits.
func (c *Cluster) Stop(context.Context) error {
	return c.each((*Node).Stop)
}

// Kill ends the nodes with SIGKILL.
func (c *Cluster) Kill() error {
	return c.each(func(n *Node) error { n.Kill(); return nil })
}

// Freeze stops the nodes where they are: connections stay open, and nothing is answered until thaw.
func (c *Cluster) Freeze() (thaw func() error, err error) {
	return func() error { return c.each((*Node).Thaw) }, c.each((*Node).Freeze)
}

// each calls f for all nodes at a time.
func (c *Cluster) each(f func(*Node) error) error {
	errs := make([]error, len(c.Nodes))
	var wg sync.WaitGroup
	for i, n := range c.Nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Admin returns a client that may do everything, which the cluster keeps.
func (c *Cluster) Admin() (*kadm.Client, error) { return c.admin() }

// Close kills the nodes. The data stays.
func (c *Cluster) Close() {
	c.Kill()
	if a, err := c.admin(); err == nil {
		a.Close()
	}
}

// script runs kafka.sh and returns what it prints.
func script(ctx context.Context, root string, properties []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 6*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "scripts", "kafka.sh"), args...)
	cmd.Env = append(os.Environ(), "KAFKA_PROPERTIES="+strings.Join(properties, "\n"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return strings.TrimSpace(string(out)), nil
	case errors.As(err, &exit) && exit.ExitCode() == unavailable:
		return "", fmt.Errorf("%w: %s", ErrUnavailable, lastLine(said.String()))
	}
	return "", fmt.Errorf("kafka.sh %s: %w: %s", args[0], err, lastLine(said.String()))
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimPrefix(s[strings.LastIndexByte(s, '\n')+1:], "no real Kafka: ")
}

// Leader is the node that leads a partition.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int32) (*Node, error) {
	a, err := c.admin()
	if err != nil {
		return nil, err
	}
	m, err := a.Metadata(ctx, topic)
	if err != nil {
		return nil, err
	}
	p, ok := m.Topics[topic].Partitions[partition]
	if !ok || p.Leader < 1 || int(p.Leader) > len(c.Nodes) {
		return nil, fmt.Errorf("topic %s, partition %d has no leader: %w", topic, partition, p.Err)
	}
	return c.Nodes[p.Leader-1], nil
}

// InSync waits until every replica of a topic is in sync.
func (c *Cluster) InSync(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	a, err := c.admin()
	if err != nil {
		return err
	}
	for {
		behind := -1
		if m, err := a.Metadata(ctx, topic); err == nil && m.Topics[topic].Err == nil {
			behind = 0
			for _, p := range m.Topics[topic].Partitions {
				behind += len(p.Replicas) - len(p.ISR)
			}
		}
		if behind == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d replicas of %s are not in sync: %w", behind, topic, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
