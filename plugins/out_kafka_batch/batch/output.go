package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"flbgo/shared/listen"
	"flbgo/shared/option"
)

// What a flush fails with. All of them are answered RETRY: there is nothing that a later attempt could not mend.
var (
	errClosed      = errors.New("the output is closed")
	errFull        = errors.New("buffer_max_bytes of records wait for Kafka")
	errUnreachable = errors.New("no Kafka broker can be reached")
	errTimeout     = errors.New("not yet acknowledged")
	errRest        = errors.New("acknowledged, but for the records of topics that could not be written to before")
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
	topics    *topics
	dead      deadLetters
	producers *producers
	pending   *pending
	limiter   *limiter
	notices   *notices
	memory    memory
	stats     *stats
	listener  *listen.Listener

	ctx     context.Context // ends when Close gives up waiting
	cancel  context.CancelFunc
	wg      sync.WaitGroup // goroutines of partitions and of dead letters
	closing chan struct{}  // closed when Close begins

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
	o := newOutput(log, cfg)
	if err := o.open(described); err != nil {
		o.Close()
		return nil, err
	}
	log.Info("options: " + described)
	for _, n := range cfg.notes {
		log.Log(context.Background(), n.level, n.text)
	}
	return o, nil
}

func newOutput(log *slog.Logger, cfg config) *Output {
	o := &Output{log: log, cfg: cfg, notices: newNotices(log), pending: newPending(maxPending, maxPendingAge),
		limiter: newLimiter(cfg.rateConfig), stats: newStats(), closing: make(chan struct{})}
	o.memory.max = cfg.bufferMaxBytes
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.encoder = newEncoder(&o.cfg)
	o.cluster = newCluster(o.ctx, log, &o.cfg, o.stats)
	o.producers = newProducers(o.cluster, log, cfg.idempotence)
	o.topics = newTopics(o, cfg.topics)
	o.dead.o = o
	if cfg.deadTopic != "" {
		o.dead.t = o.topics.configure(cfg.deadTopic)
	}
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
	if o.silent() {
		// A stop waits for all flushes that the host has begun, one after the other for each of its workers, and nothing
		// depends on their waiting: the partitions send on, and an answer ends the silence.
		limit = 0
	}
	ctx, cancel := context.WithTimeout(o.ctx, limit)
	defer cancel()

	id := o.pending.identify(data, tag)
	known, again := o.pending.take(id)
	if again {
		defer func() {
			if r := recover(); r != nil { // the next attempt takes what is left, not all of it again
				o.pending.put(id, known)
				panic(r)
			}
		}()
		waits := !known.d.complete()
		if err := o.await(ctx, id, known); err != nil || known.rest == nil {
			return err
		}
		if waits { // the rest is for the next attempt: data must not be touched any more
			o.pending.put(id, known)
			return errRest
		}
	}
	now, err := o.take(ctx, data, tag, known.rest, encode)
	if now.d == nil {
		if again && err != nil {
			o.pending.put(id, known)
		}
		return err
	}
	if err := o.await(ctx, id, now); err != nil {
		return err
	}
	if now.rest != nil {
		o.pending.put(id, now)
	}
	return err
}

// silent tells whether brokers hang, so that there is nothing to wait for. The first flush that waited in vain began a
// moment before its request was sent; what a host's worker takes up next must not wait for as long once more.
func (o *Output) silent() bool {
	return o.cluster.leaders.silent(o.cfg.flushTimeout - o.cfg.flushTimeout/8)
}

// take encodes a chunk, or with only no more than the records of these topics, and appends the records to their
// partitions' batches: those of every topic that can be written to. The error says why there are others, which the
// result then names; without a delivery nothing was taken, and without an error there was nothing to take.
func (o *Output) take(ctx context.Context, data []byte, tag string, only []string, encode func(*scratch, []byte, string)) (open, error) {
	switch {
	case o.isClosed():
		return open{}, errClosed
	case o.cluster.isUnreachable():
		return open{}, errUnreachable
	case o.memory.full():
		return open{}, o.full()
	}
	s := o.encoder.get()
	encode(s, data, tag) // from here on data is not touched: what follows may wait
	result, err := o.append(ctx, s, tag, only)
	s.release()
	o.encoder.put(s)
	return result, err
}

func (o *Output) append(ctx context.Context, s *scratch, tag string, only []string) (open, error) {
	missing := s.route(ctx, o.topics, only)
	if s.taken == 0 && len(s.lost) == 0 || only != nil && s.taken == 0 {
		if missing == nil && only == nil {
			o.noteLosses(s, tag, nil)
		}
		return open{}, missing
	}
	if !o.memory.reserve(s.takenBytes) {
		return open{}, o.full()
	}
	if err := o.limiter.wait(ctx, s.taken, int(s.takenBytes)); err != nil {
		o.memory.release(s.takenBytes)
		o.stats.limited.Add(1)
		return open{}, err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		o.memory.release(s.takenBytes)
		return open{}, errClosed
	}
	n := s.taken
	if only == nil {
		n += len(s.lost)
	}
	result := open{d: newDelivery(n, tag)}
	if missing != nil {
		result.rest = s.missing()
	}
	o.stats.take(int64(n))
	o.stats.toDefault[topicImpossible].Add(int64(s.rerouted))
	if only == nil {
		o.noteLosses(s, tag, result.d)
	}
	for i := range s.touched {
		s.touched[i].p.append(s, &s.touched[i], result.d)
	}
	return result, missing
}

// await waits for a delivery and otherwise leaves it for the chunk's next attempt.
func (o *Output) await(ctx context.Context, id identity, chunk open) error {
	var err error
	select {
	case <-chunk.d.done:
		return nil
	case <-o.cluster.unreachable():
		err = errUnreachable
	case <-ctx.Done():
		err = errTimeout
	}
	if chunk.d.complete() {
		return nil
	}
	o.pending.put(id, chunk)
	if o.isClosed() {
		return errClosed
	}
	return err
}

func (o *Output) full() error {
	o.notices.full.Do(func() {
		o.log.Warn("buffer_max_bytes of records wait for Kafka; chunks stay in Fluent Bit's buffer until they are acknowledged, where Retry_Limit is no_limits",
			"buffer_max_bytes", o.cfg.bufferMaxBytes)
	})
	return errFull
}

// noteLosses counts and logs what the chunk had that is no record, and gives up records that could not be encoded, which
// are a part of the delivery; nil where there are none. It is called once per chunk, when no later attempt will count
// them again.
func (o *Output) noteLosses(s *scratch, tag string, d *delivery) {
	o.stats.notice(&s.counts)
	if s.damaged > 0 {
		o.stats.damaged.Add(int64(s.damaged))
		o.notices.damaged.Do(func() {
			o.log.Warn("a chunk has damaged events, which are left out", "tag", tag, "events", s.damaged, "first", s.reason.String())
		})
	}
	var letters []letter
	for _, l := range s.lost {
		o.notices.dropped.Do(func() {
			o.log.Error("a record cannot be encoded", "reason", reasonEncode, "topic", o.cfg.topics[0], "tag", tag,
				"bytes", l.size, "panic", l.panicked, "stack", string(l.stack))
		})
		if o.dead.t == nil {
			o.stats.drop(1, reasonEncode)
			d.resolve(1)
			continue
		}
		letters = append(letters, newLetter(&deadRecord{ms: time.Now().UnixMilli(), value: l.raw, size: l.size, sum: l.sum,
			topic: o.cfg.topics[0], reason: reasonEncode, eventTime: appendMillis(nil, l.at)}, d, o.cfg.deadMaxBytes))
	}
	o.dead.add(letters)
}

func (o *Output) isClosed() bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.closed
}

// Close waits for what is in flight, no longer than closeTimeout and not at all while no broker can be reached or all
// that can be hang, and ends every goroutine and connection. Flushes that still wait then answer RETRY, as do all later ones.
func (o *Output) Close() {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return
	}
	o.closed = true
	o.mu.Unlock()
	close(o.closing)

	idle := make(chan struct{})
	go func() {
		o.wg.Wait()
		close(idle)
	}()
	limit := closeTimeout
	if o.silent() {
		limit = 0
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
	case <-o.cluster.unreachable():
	case <-timer.C:
	}
	o.cancel()
	<-idle
	o.cluster.close()
	if o.listener != nil {
		o.listener.Close()
	}
	if r := o.stats.records(); r.open > 0 {
		o.log.Warn("closed with records that are not acknowledged; their chunks stay in Fluent Bit's buffer", "records", r.open)
	}
}
