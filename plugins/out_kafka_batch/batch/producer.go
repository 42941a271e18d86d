package batch

import (
	"context"
	"log/slog"

	"github.com/segmentio/kafka-go"
)

// producers hands out producer ids: one that the partitions of an instance share, until one of them needs another.
// Sequences are counted per partition, so that sharing is no coupling. Safe for concurrent use.
type producers struct {
	cluster *cluster
	log     *slog.Logger

	// turn holds one token: asking takes a round trip, and waiting for somebody else's must end with the instance.
	turn   chan struct{}
	shared producerID
	none   bool // not wanted, or the cluster gives out no ids: batches are not idempotent
}

func newProducers(c *cluster, log *slog.Logger, idempotent bool) *producers {
	p := &producers{cluster: c, log: log, turn: make(chan struct{}, 1), none: !idempotent}
	p.turn <- struct{}{}
	return p
}

// get returns the shared id, or with fresh one of the caller's own. An id that is not valid, without an error and
// without a code, means that batches go without. code is the broker's refusal, when err is nil.
func (p *producers) get(ctx context.Context, fresh bool) (id producerID, code int16, err error) {
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return id, 0, ctx.Err()
	}
	if p.none {
		return producerID{}, 0, nil
	}
	if !fresh && p.shared.valid {
		return p.shared, 0, nil
	}
	id, code, err = p.cluster.producerID(ctx)
	switch {
	case err != nil:
		return producerID{}, 0, err
	case kafka.Error(code) == kafka.ClusterAuthorizationFailed, kafka.Error(code) == kafka.UnsupportedVersion:
		p.none = true
		p.log.Warn("the cluster does not let this client write idempotently: going on without; a lost answer may then cause duplicates",
			"error", explain(code), "code", code)
		return producerID{}, 0, nil
	case code != 0:
		return producerID{}, code, nil
	}
	if !fresh {
		p.shared = id
	}
	return id, 0, nil
}
