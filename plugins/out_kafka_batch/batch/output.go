package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"flbgo/shared/option"
)

// What a flush fails with. All of them are answered RETRY: there is nothing that a later attempt could not mend.
var (
	errClosed      = errors.New("the output is closed")
	errFull        = errors.New("buffer_max_bytes of records wait for Kafka")
	errUnreachable = errors.New("no Kafka broker can be reached")
	errTimeout     = errors.New("not yet acknowledged")
)

const (
	// engineTimeout bounds a flush on the engine's thread, where it stalls every input.
	engineTimeout = time.Second
	// closeTimeout is how long Close waits for what is in flight, below Fluent Bit's Grace of 5 s.
	closeTimeout = 3 * time.Second
)

// Output is one instance. Flush is safe for concurrent use.
type Output struct {
	log       *slog.Logger
	cfg       config
	encoder   *encoder
	cluster   *cluster
	router    *router
	producers *producers
	pending   *pending
	notices   *notices
	memory    memory
	stats     stats

	ctx    context.Context // ends when Close gives up waiting
	cancel context.CancelFunc
	wg     sync.WaitGroup // goroutines of partitions
	probes sync.WaitGroup // of the cluster

	mu     sync.RWMutex // held for reading while records are appended
	closed bool
}

// New makes an instance from its options. It does not touch the network: where there is no broker, chunks stay in
// Fluent Bit's buffer until there is. The error names every option that is wrong.
func New(log *slog.Logger, get option.Getter) (*Output, error) {
	cfg, described, err := parseConfig(get)
	if err != nil {
		return nil, err
	}
	log.Info("options: " + described)
	return newOutput(log, cfg), nil
}

func newOutput(log *slog.Logger, cfg config) *Output {
	o := &Output{log: log, cfg: cfg, notices: newNotices(log), pending: newPending(maxPending, maxPendingAge)}
	o.memory.max = cfg.bufferMaxBytes
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.encoder = newEncoder(&o.cfg)
	o.cluster = newCluster(o.ctx, &o.probes, log, &o.cfg)
	o.producers = newProducers(o.cluster, log)
	o.router = &router{cluster: o.cluster, notices: o.notices, topic: cfg.topics[0], make: func(id int32) *partition {
		return &partition{topic: cfg.topics[0], id: id, o: o}
	}}
	return o
}

// Flush delivers one chunk. It returns nil when each of its records is acknowledged, or was dropped for its own fault;
// any error means that the host should bring the chunk again, also when its records are already on their way: the next
// attempt finds them. data is not touched after Flush has waited for anything.
func (o *Output) Flush(data []byte, tag string, onEngine bool) error {
	return o.flush(data, tag, onEngine, o.encoder.encode)
}

// FlushIsolated is Flush for a chunk at which Flush panicked: a record that makes the encoder panic is dropped, counted
// and logged, alone.
func (o *Output) FlushIsolated(data []byte, tag string, onEngine bool) error {
	return o.flush(data, tag, onEngine, o.encoder.encodeIsolated)
}

func (o *Output) flush(data []byte, tag string, onEngine bool, encode func(*scratch, []byte, string)) error {
	limit := o.cfg.flushTimeout
	if onEngine {
		limit = min(limit, engineTimeout)
	}
	ctx, cancel := context.WithTimeout(o.ctx, limit)
	defer cancel()

	id := o.pending.identify(data, tag)
	if d := o.pending.take(id); d != nil {
		return o.await(ctx, id, d)
	}
	if o.isClosed() {
		return errClosed
	}
	if o.cluster.isUnreachable() {
		return errUnreachable
	}
	if o.memory.full() {
		return o.full()
	}
	s := o.encoder.get()
	encode(s, data, tag)
	d, err := o.take(ctx, s, tag)
	o.encoder.put(s)
	if d == nil {
		return err
	}
	return o.await(ctx, id, d)
}

// take appends what was encoded to the partitions' batches, all of it or, with an error, nothing. The delivery is nil
// too when there is nothing to deliver.
func (o *Output) take(ctx context.Context, s *scratch, tag string) (*delivery, error) {
	if len(s.entries) == 0 {
		o.noteLosses(s, tag)
		return nil, nil
	}
	n, err := o.router.get(ctx)
	if err != nil {
		return nil, err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		return nil, errClosed
	}
	size := int64(0)
	for i := range s.entries {
		size += int64(s.entries[i].size())
	}
	if !o.memory.reserve(size) {
		return nil, o.full()
	}
	o.noteLosses(s, tag)
	o.stats.take(int64(len(s.entries)))
	d := newDelivery(len(s.entries))
	o.router.assign(s, n)
	for _, id := range s.touched {
		n.partitions[id].append(s, s.heads[id], d)
	}
	s.release()
	return d, nil
}

// await waits for a delivery and otherwise leaves it for the chunk's next attempt.
func (o *Output) await(ctx context.Context, id identity, d *delivery) error {
	var err error
	select {
	case <-d.done:
		return nil
	case <-o.cluster.unreachable():
		err = errUnreachable
	case <-ctx.Done():
		err = errTimeout
	}
	if d.complete() {
		return nil
	}
	o.pending.put(id, d)
	if o.isClosed() {
		return errClosed
	}
	return err
}

func (o *Output) full() error {
	o.notices.full.Do(func() {
		o.log.Warn("buffer_max_bytes of records wait for Kafka; chunks stay in Fluent Bit's buffer until they are acknowledged",
			"buffer_max_bytes", o.cfg.bufferMaxBytes)
	})
	return errFull
}

// noteLosses counts and logs what the chunk had that is no record, and records that could not be encoded. It is called
// once per chunk, when no later attempt will count them again.
func (o *Output) noteLosses(s *scratch, tag string) {
	if s.damaged > 0 {
		o.stats.damaged.Add(int64(s.damaged))
		o.notices.damaged.Do(func() {
			o.log.Warn("a chunk has damaged events, which are left out", "tag", tag, "events", s.damaged, "first", s.reason.String())
		})
	}
	for _, l := range s.lost {
		o.stats.take(1)
		o.stats.drop(1, reasonEncode)
		o.notices.dropped.Do(func() {
			o.log.Error("a record cannot be encoded and is dropped", "reason", reasonEncode, "topic", o.cfg.topics[0], "tag", tag,
				"bytes", l.size, "panic", l.panicked, "stack", string(l.stack))
		})
	}
}

func (o *Output) isClosed() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.closed
}

// Close waits for what is in flight, no longer than closeTimeout and not at all while no broker can be reached, and
// ends every goroutine and connection. Flushes that still wait then answer RETRY, as do all later ones.
func (o *Output) Close() {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.closed = true
	o.mu.Unlock()

	idle := make(chan struct{})
	go func() {
		o.wg.Wait()
		close(idle)
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-idle:
	case <-o.cluster.unreachable():
	case <-timer.C:
	}
	o.cancel()
	<-idle
	o.cluster.close()
	if r := o.stats.records(); r.open > 0 {
		o.log.Warn("closed with records that are not acknowledged; their chunks stay in Fluent Bit's buffer", "records", r.open)
	}
}
