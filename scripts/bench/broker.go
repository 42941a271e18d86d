package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/devkafka"
)

const (
	partitions = 3
	ownTopic   = "logs"
)

// serveBroker is a broker in this process, until the one that started it closes its standard input: a bench that is killed
// leaves none behind.
func serveBroker(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	b, err := devkafka.Start(ctx, devkafka.Config{
		Listen: "127.0.0.1:0",
		Topics: []devkafka.Topic{{Name: ownTopic, Partitions: partitions}},
	})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintln(stdout, b.Addr())
	_, err = io.Copy(io.Discard, stdin)
	return err
}

// cluster is the Kafka of one run, with an empty topic.
type cluster struct {
	brokers []string
	topic   string
	client  *kgo.Client
	admin   *kadm.Client
	own     *exec.Cmd      // nil with a cluster of the user's
	stdin   io.WriteCloser // of own
}

// newCluster starts a broker in a process of its own, or makes a topic at the environment's KAFKA_BROKERS.
func (b *bench) newCluster(ctx context.Context) (_ *cluster, err error) {
	c := &cluster{topic: ownTopic}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if user := os.Getenv("KAFKA_BROKERS"); user != "" {
		c.brokers = strings.Split(user, ",")
		c.topic = fmt.Sprintf("flbgo-bench-%d", time.Now().UnixNano())
	} else if err := c.start(b.self); err != nil {
		return nil, err
	}
	if c.client, err = kgo.NewClient(kgo.SeedBrokers(c.brokers...)); err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(c.client)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if c.own == nil {
		if _, err := c.admin.CreateTopic(ctx, partitions, -1, nil, c.topic); err != nil {
			return nil, fmt.Errorf("KAFKA_BROKERS=%s: create topic: %w", strings.Join(c.brokers, ","), err)
		}
	}
	_, err = c.delivered(ctx)
	return c, err
}

func (c *cluster) start(self string) (err error) {
	c.own = exec.Command(self, "-broker")
	c.own.Stderr = os.Stderr
	// Not the terminal's Ctrl-C: it ends when its standard input does.
	c.own.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.own.StdoutPipe()
	if err != nil {
		return err
	}
	if c.stdin, err = c.own.StdinPipe(); err != nil {
		return err
	}
	if err := c.own.Start(); err != nil {
		c.own = nil
		return err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the broker did not start: %w", err)
	}
	c.brokers = []string{strings.TrimSpace(addr)}
	return nil
}

// delivered is the number of records in the topic: the sum of its partitions' high watermarks.
func (c *cluster) delivered(ctx context.Context) (int64, error) {
	offsets, err := c.admin.ListEndOffsets(ctx, c.topic)
	if err != nil {
		return 0, err
	}
	var n int64
	var errs []error
	offsets.Each(func(o kadm.ListedOffset) {
		n += o.Offset
		errs = append(errs, o.Err)
	})
	return n, errors.Join(errs...)
}

// close deletes the topic, or ends the broker.
func (c *cluster) close() {
	if c.client != nil {
		if c.own == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			c.admin.DeleteTopic(ctx, c.topic)
			cancel()
		}
		c.client.Close()
	}
	if c.own != nil {
		c.stdin.Close()
		c.own.Wait()
	}
}
