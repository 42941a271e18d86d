package batch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
	"golang.org/x/time/rate"
)

const (
	// metadataTTL bounds how long a new partition goes unseen. A leader that moved does not wait for it: see check.
	metadataTTL = 6 * time.Second
	// checkEvery bounds how often connections are renewed for fresh metadata.
	checkEvery = 200 * time.Millisecond
	// answerMargin is what a request's deadline has over the time that it grants the broker.
	answerMargin = time.Second
	// maxInFlight is how many produce requests run at a time on one leader, each on a connection of its own.
	maxInFlight = 8
)

// cluster is the connection to Kafka: requests, and whether any broker can be reached at all.
//
// It is taken to be reachable until an attempt fails. After a request without an answer, check asks for metadata over
// new connections; only when no broker answers that is the cluster down, and it stays so, asked again and again by a
// goroutine of its own, until one does. So neither one dead broker of several nor a slow one makes flushes answer RETRY
// at once, and recovery does not wait for a flush. Safe for concurrent use.
type cluster struct {
	log       *slog.Logger
	cfg       *config
	addr      netAddr
	transport *kafka.Transport
	dialer    *dialer
	ctx       context.Context // ends with the instance
	wg        *sync.WaitGroup

	mu       sync.Mutex
	slots    map[int32]chan struct{} // by leader
	closed   bool
	checking bool
	checked  time.Time
	since    time.Time     // of being down; zero while up
	down     chan struct{} // closed while down
	up       chan struct{} // closed while up
	notice   rate.Sometimes
}

type netAddr interface {
	Network() string
	String() string
}

func newCluster(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger, cfg *config) *cluster {
	c := &cluster{
		log: log, cfg: cfg, addr: kafka.TCP(cfg.brokers...), ctx: ctx, wg: wg,
		dialer: &dialer{share: len(cfg.brokers)},
		slots:  map[int32]chan struct{}{},
		down:   make(chan struct{}),
		up:     make(chan struct{}),
		notice: rate.Sometimes{Interval: time.Minute},
	}
	close(c.up)
	c.transport = &kafka.Transport{
		Dial:           c.dialer.dial,
		DialTimeout:    dialTimeout,
		MetadataTTL:    metadataTTL,
		MetadataTopics: cfg.topics[:1],
		ClientID:       cfg.clientID,
		Context:        ctx,
	}
	return c
}

// unreachable returns a channel that is closed while no broker can be reached. It holds for the present state only.
func (c *cluster) unreachable() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

func (c *cluster) isUnreachable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero()
}

// reachable returns a channel that is closed while the cluster is up, as far as is known.
func (c *cluster) reachable() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

// check renews the connections and the metadata in the background. Further calls while it runs change nothing.
func (c *cluster) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checking || c.closed {
		return
	}
	c.checking = true
	c.wg.Add(1)
	go c.probe(time.Until(c.checked.Add(checkEvery)))
}

// probe asks for metadata until a broker answers.
func (c *cluster) probe(wait time.Duration) {
	defer c.wg.Done()
	for attempt := 0; sleep(c.ctx, wait); attempt++ {
		// kafka-go keeps metadata it once had however old it is, and does not ask again because of an error. A new
		// connection pool does.
		c.transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(c.ctx, dialTimeout+2*time.Second)
		_, err := c.transport.RoundTrip(ctx, c.addr, &metadata.Request{TopicNames: []string{}})
		cancel()
		if c.ctx.Err() != nil {
			return
		}
		if c.settle(err) {
			return
		}
		wait = backoff(attempt)
	}
}

// settle takes the outcome of a probe and tells whether the check is over.
func (c *cluster) settle(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = time.Now()
	if err == nil {
		c.checking = false
		if !c.since.IsZero() {
			c.log.Info("Kafka is reachable again", "after", time.Since(c.since).Round(time.Millisecond))
			c.since, c.down = time.Time{}, make(chan struct{})
			close(c.up)
		}
		return true
	}
	if c.since.IsZero() {
		c.since, c.up = time.Now(), make(chan struct{})
		close(c.down)
	}
	c.notice.Do(func() {
		c.log.Warn("no Kafka broker can be reached; chunks stay in Fluent Bit's buffer until one can",
			"brokers", strings.Join(c.cfg.brokers, ","), "error", err.Error())
	})
	return false
}

// topic returns a topic's metadata, from the pool's cache once there is one. Where the brokers create topics on demand
// the request does so, as other producers do.
func (c *cluster) topic(ctx context.Context, name string) (*metadata.ResponseTopic, error) {
	req := &metadata.Request{TopicNames: []string{name}, AllowAutoTopicCreation: true}
	m, err := c.transport.RoundTrip(ctx, c.addr, req)
	if err != nil {
		return nil, err
	}
	res, ok := m.(*metadata.Response)
	if !ok || len(res.Topics) != 1 {
		return nil, protocol.ErrNoTopic
	}
	return &res.Topics[0], nil
}

// producerIDRequest asks any broker. kafka-go's own type is a transactional message, for which it first looks for the
// coordinator of a transaction that does not exist.
type producerIDRequest initproducerid.Request

// ApiKey implements protocol.Message.
func (*producerIDRequest) ApiKey() protocol.ApiKey { return protocol.InitProducerId }

// producerID asks for a new producer id. code is the broker's answer, when err is nil.
func (c *cluster) producerID(ctx context.Context) (p producerID, code int16, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.requestTimeout)
	defer cancel()
	m, err := c.transport.RoundTrip(ctx, c.addr, &producerIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err != nil {
		return p, 0, err
	}
	res, ok := m.(*initproducerid.Response)
	if !ok {
		return p, 0, errors.New("the answer is none to InitProducerId")
	}
	return producerID{res.ProducerID, res.ProducerEpoch, res.ErrorCode == 0}, res.ErrorCode, nil
}

// reply is a broker's answer to a batch.
type reply struct {
	code    int16
	message string
	records []int32 // that are at fault, where the broker says so
}

// produce sends a sealed batch to the partition's leader and waits for its answer. abandoned tells that kafka-go may
// still read wire, whatever err is.
func (c *cluster) produce(ctx context.Context, leader int32, topic string, partition int32, wire []byte) (r reply, abandoned bool, err error) {
	slot := c.slot(leader)
	select {
	case slot <- struct{}{}:
		defer func() { <-slot }()
	case <-ctx.Done():
		return r, false, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.requestTimeout+answerMargin)
	defer cancel()
	m, err := c.transport.RoundTrip(ctx, c.addr, &rawproduce.Request{
		Acks:    -1,
		Timeout: int32(c.cfg.requestTimeout.Milliseconds()),
		Topics: []rawproduce.RequestTopic{{Topic: topic, Partitions: []rawproduce.RequestPartition{{
			Partition: partition,
			RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(wire)},
		}}}},
	})
	if err != nil {
		return r, ctx.Err() != nil, err
	}
	res, ok := m.(*produce.Response)
	if !ok || len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return r, false, errors.New("the answer names other partitions than the request")
	}
	p := &res.Topics[0].Partitions[0]
	r = reply{code: p.ErrorCode, message: p.ErrorMessage}
	for _, e := range p.RecordErrors {
		r.records = append(r.records, e.BatchIndex)
	}
	return r, false, nil
}

// slot bounds the requests to one leader, so that a broker that hangs holds up nobody else's.
func (c *cluster) slot(leader int32) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.slots[leader]
	if s == nil {
		s = make(chan struct{}, maxInFlight)
		c.slots[leader] = s
	}
	return s
}

// close waits for the goroutine of check and ends all connections. The instance's context has ended before.
func (c *cluster) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wg.Wait()
	c.transport.CloseIdleConnections()
	c.dialer.close()
}
