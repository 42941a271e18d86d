package batch

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"golang.org/x/time/rate"
)

const (
	// brokersTTL is how long a broker that moved to another address may go unseen; a random part of it, with kafka-go.
	brokersTTL = 6 * time.Second
	// checkEvery bounds how often connections are renewed for fresh metadata.
	checkEvery = 200 * time.Millisecond
	// maxProbeWait is how long a broker that is back may go unseen.
	maxProbeWait = 2 * time.Second
	// answerMargin is what a request's deadline has over the time that it grants the broker.
	answerMargin = time.Second
	// turnedAwayPause is what a probe waits longer after a broker turned this client away: accounts get locked where
	// wrong passwords come too fast.
	turnedAwayPause = 2 * time.Second
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
	addr      net.Addr
	transport *kafka.Transport
	dialer    *dialer
	leaders   *leaders
	ctx       context.Context // ends with the instance

	wg sync.WaitGroup // goroutines of spawn, and requests

	mu       sync.Mutex
	closed   bool
	checking chan struct{} // closed when the check that runs is over; nil: none runs
	lately   time.Time     // when one was over
	since    time.Time     // of being down; zero while up
	why      string        // it is
	down     chan struct{} // closed while down
	up       chan struct{} // closed while up
	notice   rate.Sometimes
}

func newCluster(ctx context.Context, log *slog.Logger, cfg *config, st *stats) *cluster {
	c := &cluster{
		log: log, cfg: cfg, addr: kafka.TCP(cfg.brokers...), ctx: ctx,
		dialer: &dialer{connections: &cfg.connections, share: len(cfg.brokers)},
		down:   make(chan struct{}),
		up:     make(chan struct{}),
		notice: rate.Sometimes{Interval: time.Minute},
	}
	close(c.up)
	c.leaders = &leaders{c: c, max: cfg.maxInFlight, all: map[int32]*leader{}, observe: st.request}
	c.transport = &kafka.Transport{
		Dial:           c.dialer.dial,
		DialTimeout:    cfg.connections.timeout,
		IdleTimeout:    cfg.connections.maxIdle,
		MetadataTTL:    brokersTTL,
		MetadataTopics: []string{}, // the brokers only: topics asks for what it needs
		ClientID:       cfg.clientID,
		Context:        ctx,
	}
	if s := cfg.connections.security.sasl; s != nil {
		c.transport.SASL = s // an interface: nil has to stay nil
	}
	if s := cfg.connections.security.certificates; s != nil {
		s.log = log
	}
	return c
}

// roundTrip is a request; its error says what to look at.
func (c *cluster) roundTrip(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	m, err := c.transport.RoundTrip(ctx, c.addr, req)
	return m, c.cfg.connections.security.advise(err)
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

// spawn runs f in a goroutine that close waits for; false when it is too late for that.
func (c *cluster) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(f)
	return true
}

// check renews the connections and the list of brokers in the background. Further calls while it runs change nothing.
func (c *cluster) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checking != nil || c.closed {
		return
	}
	c.checking = make(chan struct{})
	wait := time.Until(c.lately.Add(checkEvery))
	c.wg.Go(func() { c.probe(wait) })
}

// checked waits until no check is running: what is asked then goes to a broker that has answered.
func (c *cluster) checked(ctx context.Context) {
	c.mu.Lock()
	running := c.checking
	c.mu.Unlock()
	if running == nil {
		return
	}
	select {
	case <-running:
	case <-ctx.Done():
	}
}

// probe asks for the brokers until one answers.
func (c *cluster) probe(wait time.Duration) {
	for attempt := 0; sleep(c.ctx, wait); attempt++ {
		// kafka-go keeps the list it once had however old it is, and does not ask again because of an error. A new
		// connection pool does.
		c.transport.CloseIdleConnections()
		began := time.Now()
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.connections.timeout+2*time.Second)
		probe := &metadataRequest{clientID: c.cfg.clientID}
		probe.TopicNames = []string{} // none
		_, err := c.roundTrip(ctx, probe)
		cancel()
		if c.ctx.Err() != nil {
			return
		}
		if why := c.dialer.failure(began); why != nil && errors.Is(err, context.DeadlineExceeded) {
			err = why // kafka-go was at its second connection by then
		}
		if c.settle(err) {
			return
		}
		wait = min(c.cfg.backoff(attempt), maxProbeWait)
		if classifyError(err) == failOperator {
			wait += turnedAwayPause
		}
	}
}

// settle takes the outcome of a probe and tells whether the check is over.
func (c *cluster) settle(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lately = time.Now()
	if err == nil {
		close(c.checking)
		c.checking = nil
		if !c.since.IsZero() {
			c.log.Info("Kafka is reachable again", "after", time.Since(c.since).Round(time.Millisecond))
			c.since, c.down = time.Time{}, make(chan struct{})
			close(c.up)
		}
		return true
	}
	c.why = err.Error()
	if c.since.IsZero() {
		c.since, c.up = time.Now(), make(chan struct{})
		close(c.down)
	}
	c.notice.Do(func() {
		text := "no Kafka broker can be reached; chunks stay in Fluent Bit's buffer until one can, where Retry_Limit is no_limits"
		if classifyError(err) == failOperator {
			text = "Kafka and this client do not accept each other; chunks stay in Fluent Bit's buffer until somebody mends that, where Retry_Limit is no_limits"
		}
		c.log.Warn(text, "brokers", strings.Join(c.cfg.brokers, ","), "error", err.Error())
	})
	return false
}

// metadata asks a broker about topics. With create the request creates those that are missing, where the brokers create
// topics on demand, as other producers do.
func (c *cluster) metadata(ctx context.Context, about []*topic, create bool) ([]metadata.ResponseTopic, error) {
	req := &metadataRequest{clientID: c.cfg.clientID}
	req.AllowAutoTopicCreation = create
	for _, t := range about {
		req.TopicNames = append(req.TopicNames, t.name)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.requestTimeout)
	defer cancel()
	m, err := c.roundTrip(ctx, req)
	if err != nil {
		return nil, err
	}
	return m.(metadataResponse).Topics, nil
}

// producerID asks for a new producer id. code is the broker's answer, when err is nil.
func (c *cluster) producerID(ctx context.Context) (p producerID, code int16, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.requestTimeout)
	defer cancel()
	m, err := c.roundTrip(ctx, &producerIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err != nil {
		return p, 0, err
	}
	res, ok := m.(*initproducerid.Response)
	if !ok {
		return p, 0, errors.New("the answer is none to InitProducerId")
	}
	return producerID{res.ProducerID, res.ProducerEpoch, res.ErrorCode == 0}, res.ErrorCode, nil
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
