package kafkacheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/ledger"
)

// Config says what to read.
type Config struct {
	Brokers []string
	Topics  []string
	// ClientOpts are added to the client's options, for TLS and SASL.
	ClientOpts []kgo.Opt
	// Constant are fields that every record must have with this text, for
	// example service.name.
	Constant map[string]string
	// HalfFiltered says that the host writes what it reads before its filters
	// run, so that after a SIGKILL a record may be on disk as it was between two
	// filters; its line is read again. Records without one of the Constant
	// fields are then counted apart and are not the event.
	HalfFiltered bool
	// FileKey is the field with the path of the log file; empty means "file".
	FileKey string
	// IDHeader is the header by which copies of one event are told; empty
	// means "record_id".
	IDHeader string
	// TimeTolerance is how far a timestamp may be from the line's and still
	// be the same; 0 means 1 microsecond: some Fluent Bit versions read the
	// fraction of a second as a float.
	TimeTolerance time.Duration
	// KeepIDs is for how many of the youngest events of each stream the
	// record_id is remembered, rounded up to pages of 32,768; 0 means 4
	// million.
	KeepIDs int
	// MaxExamples bounds the examples of each kind in a Report; 0 means 5.
	MaxExamples int
	// Uncompared tells of events whose fields are not compared: they were damaged
	// on purpose. Nil means none.
	Uncompared func(stream string, seq uint64) bool
	// OnRecord is called for every record of a known event, from the
	// goroutine that reads, after the record was taken into account.
	OnRecord func(stream string, seq uint64, r *kgo.Record)
}

// Checker compares a ledger with topics. Its methods are safe for concurrent
// use, but only one of Follow and ReadAll runs at a time.
type Checker struct {
	cfg  Config
	cl   *kgo.Client
	seed maphash.Seed

	reading sync.Mutex // held by Follow and ReadAll
	obj     object     // the record being read
	// constant is Config.Constant as JSON.
	constant map[string]json.RawMessage

	mu       sync.Mutex
	moved    *sync.Cond // positions have changed
	streams  map[string]*track
	topics   map[string]uint64
	position map[string]map[int32]int64 // the next offset per partition
	ledger   *os.File                   // for the fields; nil without
	found    findings
}

// New returns a Checker. It does not connect yet: brokers may start later.
func New(cfg Config) (*Checker, error) {
	if cfg.FileKey == "" {
		cfg.FileKey = "file"
	}
	if cfg.IDHeader == "" {
		cfg.IDHeader = "record_id"
	}
	if cfg.TimeTolerance == 0 {
		cfg.TimeTolerance = time.Microsecond
	}
	if cfg.KeepIDs == 0 {
		cfg.KeepIDs = 4 << 20
	}
	if cfg.MaxExamples == 0 {
		cfg.MaxExamples = 5
	}
	if len(cfg.Brokers) == 0 || len(cfg.Topics) == 0 {
		return nil, errors.New("kafkacheck: brokers and topics are needed")
	}
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ConsumeTopics(cfg.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// The defaults wait up to 2.5 s after a broker has come back; that
		// would be measured as the pipeline's latency.
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DialTimeout(time.Second),
		kgo.FetchMaxWait(time.Second), // an answer comes with the first byte
	}, cfg.ClientOpts...)
	constant := make(map[string]json.RawMessage, len(cfg.Constant))
	for key, text := range cfg.Constant {
		b, err := json.Marshal(text)
		if err != nil {
			return nil, fmt.Errorf("kafkacheck: constant %s: %w", key, err)
		}
		constant[key] = b
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafkacheck: %w", err)
	}
	c := &Checker{
		cfg: cfg, cl: cl, constant: constant, seed: maphash.MakeSeed(),
		streams: map[string]*track{}, topics: map[string]uint64{}, position: map[string]map[int32]int64{},
		found: findings{max: cfg.MaxExamples},
	}
	c.moved = sync.NewCond(&c.mu)
	return c, nil
}

// Close disconnects. Reports can still be made.
func (c *Checker) Close() {
	c.cl.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ledger != nil {
		c.ledger.Close()
		c.ledger = nil
	}
}

// Wrote says that the events first to last of a stream, both included, are in
// its log file since ns (Unix nanoseconds; 0 where latency is not wanted).
func (c *Checker) Wrote(stream string, first, last uint64, ns int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.track(stream).wrote(first, last, ns)
}

// ReadLedger takes all whole lines of a ledger for written. The fields of
// events with an expectation are compared as their records are read, so call
// it before ReadAll. One ledger per Checker.
func (c *Checker) ReadLedger(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("kafkacheck: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ledger != nil {
		f.Close()
		return errors.New("kafkacheck: ReadLedger was called before")
	}
	c.ledger = f
	return ledger.NewReader(f).Poll(func(e ledger.Entry) error {
		t := c.track(e.Stream)
		t.wrote(e.First(), e.Seq, 0)
		if len(e.Expect) > 0 {
			t.expectAt(e.Seq, e.Offset)
		}
		return nil
	})
}

// Follow reads from the beginning on and goes on until ctx is done, which is
// no error. Brokers that are away are waited for.
func (c *Checker) Follow(ctx context.Context) error {
	c.reading.Lock()
	defer c.reading.Unlock()
	for ctx.Err() == nil {
		if err := c.poll(ctx, true); err != nil {
			return err
		}
	}
	return nil
}

// ReadAll reads up to what are the high watermarks at its start. Latency is
// not counted: it would be that of the call.
func (c *Checker) ReadAll(ctx context.Context) error {
	c.reading.Lock()
	defer c.reading.Unlock()
	ends, err := c.ends(ctx)
	if err != nil {
		return err
	}
	for !c.past(ends) {
		if err := c.poll(ctx, false); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("kafkacheck: the end of %v was not reached: %w", c.cfg.Topics, err)
		}
	}
	return nil
}

// CatchUp waits until a running Follow has read what is in the topics now.
func (c *Checker) CatchUp(ctx context.Context) error {
	ends, err := c.ends(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.moved.Broadcast()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.pastLocked(ends) {
		if ctx.Err() != nil {
			return fmt.Errorf("kafkacheck: the end of %v was not reached: %w", c.cfg.Topics, ctx.Err())
		}
		c.moved.Wait()
	}
	return nil
}

// Ends is how many records there are in the topics, over all partitions.
func (c *Checker) Ends(ctx context.Context) (n int64, err error) {
	ends, err := c.ends(ctx)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n, err
}

func (c *Checker) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	ends, err := kadm.NewClient(c.cl).ListEndOffsets(ctx, c.cfg.Topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("kafkacheck: high watermarks of %v: %w", c.cfg.Topics, err)
	}
	return ends, nil
}

func (c *Checker) past(ends kadm.ListedOffsets) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pastLocked(ends)
}

func (c *Checker) pastLocked(ends kadm.ListedOffsets) bool {
	past := true
	ends.Each(func(o kadm.ListedOffset) {
		if c.position[o.Topic][o.Partition] < o.Offset {
			past = false
		}
	})
	return past
}

// poll reads once. It waits at most a second, so that callers see what else
// there is to see.
func (c *Checker) poll(ctx context.Context, live bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	fs := c.cl.PollFetches(ctx)
	now := time.Now().UnixNano()
	var errs []error
	fs.EachError(func(topic string, partition int32, err error) {
		var loss *kgo.ErrDataLoss
		switch {
		case transient(err):
		case errors.As(err, &loss):
			// Kafka has less than it had: its acknowledgements did not hold.
			c.mu.Lock()
			c.found.note(&c.found.truncated, err.Error)
			c.mu.Unlock()
		default:
			errs = append(errs, fmt.Errorf("kafkacheck: topic %s partition %d: %w", topic, partition, err))
		}
	})
	fs.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		for _, r := range p.Records {
			c.record(r, now, live)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		at := c.position[p.Topic]
		if at == nil {
			at = map[int32]int64{}
			c.position[p.Topic] = at
		}
		at[p.Partition] = p.Records[len(p.Records)-1].Offset + 1
		c.moved.Broadcast()
	})
	return errors.Join(errs...)
}

// transient tells whether an error of reading ends by itself. A broker that is
// killed before it has answered the first request of a connection looks to the
// client like one that wants SASL.
func transient(err error) bool {
	var eof *kgo.ErrFirstReadEOF
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || kerr.IsRetriable(err) || errors.As(err, &eof)
}

// record takes one record into account. It locks for itself alone, so that
// Wrote does not wait for a whole fetch.
func (c *Checker) record(r *kgo.Record, now int64, live bool) {
	where := func() string { return fmt.Sprintf("%s/%d offset %d: %.300s", r.Topic, r.Partition, r.Offset, r.Value) }
	obj, err := parseObject(c.obj[:0], r.Value)
	c.obj = obj
	var stream string
	var seq uint64
	known := false
	if err == nil {
		stream, seq, known = identify(obj, c.cfg.FileKey)
	}
	event := func() string {
		return fmt.Sprintf("%s seq %d (%s/%d offset %d)", stream, seq, r.Topic, r.Partition, r.Offset)
	}
	var id uint64
	for _, h := range r.Headers {
		if h.Key == c.cfg.IDHeader {
			id = max(1, maphash.Bytes(c.seed, h.Value)) // 0 is: none
		}
	}

	c.mu.Lock()
	defer func() {
		c.mu.Unlock()
		if known && c.cfg.OnRecord != nil {
			c.cfg.OnRecord(stream, seq, r)
		}
	}()
	f := &c.found
	if f.first == 0 {
		f.first = now
	}
	f.last = now
	c.topics[r.Topic]++
	if err != nil {
		f.note(&f.badJSON, where)
		return
	}
	if c.cfg.HalfFiltered && c.lacksConstant(obj) {
		f.note(&f.unfiltered, where)
		known = false
		return
	}
	if !known {
		f.note(&f.unidentified, where)
		return
	}
	seen := now
	if !live {
		seen = 0
	}
	t := c.track(stream)
	switch t.saw(seq, id, seen) {
	case sawFirst:
		c.fields(t, stream, seq, obj)
	case sawTooFar:
		f.note(&f.unidentified, where)
		known = false
		return
	case sawCopy:
		f.note(&f.copies, event)
	case sawCopyOtherID:
		f.note(&f.copies, event)
		f.note(&f.otherID, event)
	case sawCopyNoID:
		f.note(&f.copies, event)
		f.note(&f.unproven, event)
	}
	if id == 0 {
		f.note(&f.noID, event)
	}
}

// lacksConstant tells whether one of the Constant fields is not there at all.
func (c *Checker) lacksConstant(obj object) bool {
	for key := range c.constant {
		if _, ok := obj.get(key); !ok {
			return true
		}
	}
	return false
}

// fields compares a record with what the ledger expects and with the constants.
func (c *Checker) fields(t *track, stream string, seq uint64, obj object) {
	if c.cfg.Uncompared != nil && c.cfg.Uncompared(stream, seq) {
		return
	}
	d := differ{found: &c.found, event: func() string { return fmt.Sprintf("%s seq %d", stream, seq) }, tolerance: c.cfg.TimeTolerance}
	d.repeated(obj)
	for key, want := range c.constant {
		d.field(obj, key, want)
	}
	off, ok := t.expectation(seq)
	if !ok || c.ledger == nil {
		return
	}
	e, err := ledger.ReadAt(c.ledger, off)
	if err != nil || e.Seq != seq || e.Stream != stream {
		c.found.note(&c.found.badLedger, func() string { return fmt.Sprintf("%s seq %d at offset %d: %v", stream, seq, off, err) })
		return
	}
	c.found.compared++
	d.expect(obj, e.Expect)
}

func (c *Checker) track(stream string) *track {
	t := c.streams[stream]
	if t == nil {
		t = newTrack(stream, c.cfg.KeepIDs)
		c.streams[stream] = t
	}
	return t
}
