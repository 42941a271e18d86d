package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
	"flbgo/scripts/internal/realkafka"
)

// realKafka is what a fault needs that no broker in memory has: a process to kill, replicas, an authorizer.
var realKafka = Need{Name: "a real Kafka", Missing: func(ctx context.Context, _ fluentbit.Host) string {
	root, err := pipeline.Root()
	if err == nil {
		err = realkafka.Prepare(ctx, root)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}}

// kafkaStopFaults: Fluent Bit stops while a real broker takes nothing.
var kafkaStopFaults = []Fault{{
	Name: "stop-kafka-killed", Group: 2, Needs: []Need{realKafka},
	Title: "SIGTERM to Fluent Bit under load while a real Kafka is away, and a start when it is back",
	Class: stopped,
	Run:   stopInOutage(brokerKilled),
}, {
	Name: "stop-kafka-frozen", Group: 2, Needs: []Need{realKafka},
	Title: "SIGTERM to Fluent Bit under load while a real Kafka is stopped with SIGSTOP, and a start when it goes on",
	Class: stopped,
	Run:   stopInOutage(brokerHangs),
}}

// kafkaFaults: a real broker dies or stands still, and one of several.
var kafkaFaults = []Fault{{
	Name: "kafka-killed", Group: 3, BuiltIn: true, Needs: []Need{realKafka},
	Title: "a real Kafka killed with SIGKILL, and away for 60 s",
	Class: Always(NoneLost),
	Run:   kafkaOutage(brokerKilled),
}, {
	Name: "kafka-frozen", Group: 3, BuiltIn: true, Needs: []Need{realKafka},
	Title: "a real Kafka stopped with SIGSTOP for 60 s",
	Class: Always(NoneLost),
	Run:   kafkaOutage(brokerHangs),
}, {
	Name: "leader-lost", Group: 3, Alone: true, BuiltIn: true, Needs: []Need{realKafka},
	Title: "the leader of a partition killed with SIGKILL, three times, of three nodes",
	Class: Always(NoneLost),
	Run:   leaderLost,
}, {
	Name: "rolling-restart", Group: 3, Alone: true, BuiltIn: true, Needs: []Need{realKafka},
	Title: "three nodes restarted one after the other",
	Class: Always(NoneLost),
	Run:   rollingRestart,
}}

// oneLine is every stream but java's: an event that one read of its file cuts, which a machine that is busy or has to catch
// up brings about, becomes two records (conf/README.md), and that is not what these faults are about.
var oneLine = slices.DeleteFunc(slices.Clone(loggen.Streams), func(s string) bool { return s == "java" })

// kafka starts a real Kafka for the run.
func (r *Run) kafka(ctx context.Context, nodes int, properties ...string) (*realkafka.Cluster, error) {
	c, err := realkafka.Start(ctx, realkafka.Config{Root: r.Root, Dir: filepath.Join(r.Dir, "real"), Nodes: nodes, Properties: properties})
	if err != nil {
		return nil, err
	}
	r.Cleanup(func() error { c.Close(); return nil })
	return c, nil
}

// anyKafka is a real one, or nil, which is devkafka, where there is none.
func (r *Run) anyKafka(ctx context.Context) (pipeline.Cluster, error) {
	c, err := r.kafka(ctx, 1)
	if errors.Is(err, realkafka.ErrUnavailable) {
		r.Note("%v", err)
		return nil, nil
	}
	return c, err
}

// kafkaOutage is outage with a real Kafka.
func kafkaOutage(begin func(context.Context, *Run) (mend func() error, err error)) func(context.Context, *Run) error {
	return func(ctx context.Context, r *Run) error {
		c, err := r.kafka(ctx, 1)
		if err != nil {
			return err
		}
		return outage(60*time.Second, Setup{Cluster: c, Changes: room.Changes}, begin)(ctx, r)
	}
}

// stopInOutage stops Fluent Bit three times, each in an outage of its own: flushes are at another point of theirs.
func stopInOutage(begin func(context.Context, *Run) (mend func() error, err error)) func(context.Context, *Run) error {
	return func(ctx context.Context, r *Run) error {
		c, err := r.kafka(ctx, 1)
		if err != nil {
			return err
		}
		if err := r.Begin(ctx, Setup{Cluster: c, Changes: room.Changes}); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 12, Streams: oneLine}, func(ctx context.Context) error {
			for i := range 3 {
				mend, err := begin(ctx, r)
				if err != nil {
					return err
				}
				after := []time.Duration{500 * time.Millisecond, 5 * time.Second, 20 * time.Second}[i]
				if err := sleep(ctx, after); err != nil {
					return err
				}
				if err := r.stopHost(fmt.Sprintf("%v into the outage", after)); err != nil {
					return err
				}
				if err := errors.Join(r.StartHost(), mend()); err != nil {
					return err
				}
				r.Mended()
				if err := r.recovered(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// leaderLost measures from the kill on: the other nodes elect a leader by themselves.
func leaderLost(ctx context.Context, r *Run) error {
	return r.onThreeNodes(ctx, func(ctx context.Context, c *realkafka.Cluster) error {
		leader, err := c.Leader(ctx, r.Topic, 0)
		if err != nil {
			return err
		}
		leader.Kill()
		r.Mended()
		if err := sleep(ctx, 20*time.Second); err != nil {
			return err
		}
		return errors.Join(leader.Start(), leader.Ready(ctx))
	})
}

func rollingRestart(ctx context.Context, r *Run) error {
	next := 0
	return r.onThreeNodes(ctx, func(ctx context.Context, c *realkafka.Cluster) error {
		n := c.Nodes[next%len(c.Nodes)]
		next++
		r.Mended()
		return errors.Join(n.Stop(), n.Start(), n.Ready(ctx))
	})
}

// onThreeNodes does something to a node three times, and has all replicas in sync before it goes on.
func (r *Run) onThreeNodes(ctx context.Context, f func(context.Context, *realkafka.Cluster) error) error {
	c, err := r.kafka(ctx, 3)
	if err != nil {
		return err
	}
	if err := r.Begin(ctx, Setup{Cluster: c, Changes: room.Changes}); err != nil {
		return err
	}
	r.Note("replication factor 3, min.insync.replicas 2; recovered is measured from the moment that the node is told to end")
	return r.UnderLoad(ctx, loggen.Config{Seed: 13, Streams: oneLine}, func(ctx context.Context) error {
		for range 3 {
			if err := f(ctx, c); err != nil {
				return err
			}
			if err := c.InSync(ctx, r.Topic); err != nil {
				return fmt.Errorf("replicas: %w", err)
			}
			if err := sleep(ctx, 2*time.Second); err != nil {
				return err
			}
		}
		return nil
	})
}
