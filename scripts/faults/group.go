package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// groupFaults: whoever reads dies.
var groupFaults = []Fault{{
	Name: "consumer-group", Group: 3, Short: true,
	Title: "a consumer group of kafka-go with manual commits, killed with SIGKILL three times mid-way",
	// Where the host is killed too, the topic has copies of its own.
	Class: func(h fluentbit.Host) Class {
		if h.FiltersFirst() {
			return NoneLost.WithCopies()
		}
		return NoneLost
	},
	Run: consumerGroup,
}}

// consumerGroup lets a downstream do what the record_id is for: it reads with manual commits, is killed between a record
// and its commit, reads that again, and knows each record by its id. What it knows in the end must be what was written.
func consumerGroup(ctx context.Context, r *Run) error {
	cluster, err := r.anyKafka(ctx)
	if err != nil {
		return err
	}
	if err := r.Begin(ctx, Setup{Cluster: cluster}); err != nil {
		return err
	}
	var files []string
	start := func() (*consumer, error) {
		c, err := startConsumer(r.Brokers, r.Topic, filepath.Join(r.Dir, fmt.Sprintf("consumer-%d.txt", len(files)+1)))
		if err == nil {
			files = append(files, c.file)
			r.Cleanup(func() error { c.kill(); return nil })
		}
		return c, err
	}
	c, err := start()
	if err != nil {
		return err
	}
	err = r.UnderLoad(ctx, loggen.Config{Seed: 31, Streams: oneLine}, func(ctx context.Context) error {
		for i := range 3 {
			// Some way behind a commit.
			if err := c.reads(ctx, (2+r.Rand.IntN(4))*commitEvery+commitEvery/10); err != nil {
				return err
			}
			c.kill()
			if i == 1 && r.Host.FiltersFirst() {
				r.KillHost()
				if err := r.StartHost(); err != nil {
					return err
				}
				r.Mended()
			}
			if c, err = start(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.drain(ctx); err != nil {
		return err
	}
	ends, err := r.live.Ends(ctx)
	if err != nil {
		return err
	}
	seen := func() (all []seenRecord) {
		for _, f := range files {
			all = append(all, readConsumed(f)...)
		}
		return all
	}
	limit := time.Now().Add(90 * time.Second)
	for {
		offsets := map[string]bool{}
		for _, s := range seen() {
			offsets[s.offset] = true
		}
		if int64(len(offsets)) >= ends {
			break
		}
		if time.Now().After(limit) {
			r.Fail("the group has read %d of the %d records in the topic", len(offsets), ends)
			break
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	if err := c.failed(); err != nil {
		r.Fail("%v", err)
	}
	c.kill()
	all := seen()
	offsets, ids := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		offsets[s.offset] = true
		ids[s.id] = true
	}
	written := r.live.Progress().Written
	r.Note("the group read %d records: %d of the topic and %d of them again; by record_id that is %d, and %d were written",
		len(all), len(offsets), len(all)-len(offsets), len(ids), written)
	if len(all) == len(offsets) {
		r.Fail("nothing was read again: the kills hit nothing")
	}
	if uint64(len(ids)) != written {
		r.Fail("%d different record_ids for %d lines", len(ids), written)
	}
	return nil
}

const (
	// commitEvery is how many records a consumer has read when it commits: what a kill can have it read again.
	commitEvery = 500
	// dealing is how long it takes over some, so that kills do not all find it waiting for records.
	dealing = time.Millisecond
)

// consumeArg makes this program a consumer, which is a process of its own to be killed: consumeArg BROKERS TOPIC FILE.
const consumeArg = "consume"

// consume reads a topic as a member of a group, writes what it reads to a file and commits now and then. It has no end.
func consume(ctx context.Context, brokers, topic, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	reader := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: strings.Split(brokers, ","), Topic: topic, GroupID: "downstream",
		// Brokers allow no less; a member that was killed is in the way for so long.
		SessionTimeout: 6 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 6 * time.Second,
		StartOffset: kafkago.FirstOffset, MaxWait: 200 * time.Millisecond,
	})
	defer reader.Close()
	var open []kafkago.Message
	for {
		m, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		id := ""
		for _, h := range m.Headers {
			if h.Key == "record_id" {
				id = string(h.Value)
			}
		}
		// The record is dealt with: a store downstream has it. Its commit comes later, or never.
		if _, err := fmt.Fprintf(f, "%d/%d %s\n", m.Partition, m.Offset, id); err != nil {
			return err
		}
		if len(open)%20 == 0 {
			time.Sleep(dealing)
		}
		if open = append(open, m); len(open) == commitEvery {
			if err := reader.CommitMessages(ctx, open...); err != nil {
				return err
			}
			open = open[:0]
		}
	}
}

// seenRecord is a line of a consumer's file.
type seenRecord struct{ offset, id string }

func readConsumed(file string) (all []seenRecord) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if offset, id, ok := strings.Cut(lines.Text(), " "); ok {
			all = append(all, seenRecord{offset, id})
		}
	}
	return all
}

// consumer is a process of consume.
type consumer struct {
	file string
	cmd  *exec.Cmd
	said bytes.Buffer
	done chan struct{}
}

func startConsumer(brokers []string, topic, file string) (*consumer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &consumer{file: file, cmd: exec.Command(self, consumeArg, strings.Join(brokers, ","), topic, file), done: make(chan struct{})}
	c.cmd.Stderr = &c.said
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// failed is how it ended by itself, nil while it runs.
func (c *consumer) failed() error {
	select {
	case <-c.done:
		return fmt.Errorf("the consumer ended by itself (%v): %s", c.cmd.ProcessState, strings.TrimSpace(c.said.String()))
	default:
		return nil
	}
}

// reads waits until it has read n records, and is not about to commit.
func (c *consumer) reads(ctx context.Context, n int) error {
	for deadline := time.Now().Add(time.Minute); ; {
		got := len(readConsumed(c.file))
		if open := got % commitEvery; got >= n && open > commitEvery/10 && open < commitEvery*9/10 {
			return nil
		}
		if err := c.failed(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("the consumer has read too few records in a minute")
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// kill ends it with SIGKILL.
func (c *consumer) kill() {
	c.cmd.Process.Kill()
	<-c.done
}

// runConsumer is the program with consumeArg.
func runConsumer(ctx context.Context, args []string, stderr io.Writer) int {
	if len(args) != 3 {
		fmt.Fprintf(stderr, "faults: %s takes BROKERS TOPIC FILE\n", consumeArg)
		return 2
	}
	if err := consume(ctx, args[0], args[1], args[2]); err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "faults: %v\n", err)
		return 1
	}
	return 0
}
