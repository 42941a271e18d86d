package batch

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol/produce"
)

const (
	// maxRequestBytes is how much one request carries, unless a single batch is larger, or request_max_bytes is less: what
	// waits behind a request waits for all of it.
	maxRequestBytes = 8 << 20
	// gatherTurns is how often a request lets other goroutines run before it takes what there is.
	gatherTurns = 8
)

// leaders groups batches by the broker that they go to: what is ready for one leader while its requests are under way
// goes in the next request together. At most max requests are under way at a time. A leader that has one leaves a slot
// for each that has none, so that a broker that hangs holds up nobody else. Safe for concurrent use.
type leaders struct {
	c       *cluster
	max     int
	observe func(took time.Duration) // called for each request

	mu       sync.Mutex
	all      map[int32]*leader
	inFlight int
	silence  time.Time // when a request was sent that no broker answered, nor any later one; zero: there is none
}

// leader is the batches that wait for one broker.
type leader struct {
	id       int32
	waiting  []*sending // the oldest first
	inFlight int        // requests
	gathers  bool       // one of them has not yet taken its batches
}

// sending is a sealed batch on its way.
type sending struct {
	topic     string
	partition int32
	wire      []byte

	done      chan struct{} // closed when what follows is set
	reply     reply
	abandoned bool
	err       error
}

// reply is a broker's answer to a batch.
type reply struct {
	code    int16
	message string
	records []int32 // that are at fault, where the broker says so
}

// errUnsent is in the tree of an error of a request that no broker has got anything of.
var errUnsent = errors.New("not sent")

// produce sends a sealed batch to the partition's leader and waits for its answer. abandoned tells that wire may still
// be read, whatever err is; it is read by nobody else afterwards.
func (l *leaders) produce(id int32, topic string, partition int32, wire []byte) (r reply, abandoned bool, err error) {
	s := &sending{topic: topic, partition: partition, wire: wire, done: make(chan struct{})}
	l.mu.Lock()
	q := l.all[id]
	if q == nil {
		q = &leader{id: id}
		l.all[id] = q
	}
	q.waiting = append(q.waiting, s)
	l.start()
	l.mu.Unlock()
	<-s.done
	return s.reply, s.abandoned, s.err
}

// start starts requests while there are slots: leaders that have none come first. The lock is held.
func (l *leaders) start() {
	for _, first := range []bool{true, false} {
		for _, q := range l.all {
			if len(q.waiting) > 0 && !q.gathers && (q.inFlight == 0) == first && l.slot(q) {
				l.inFlight++
				q.inFlight++
				q.gathers = true
				l.c.wg.Add(1)
				go l.request(q)
			}
		}
	}
}

// slot tells whether a request to q may start. The lock is held.
func (l *leaders) slot(q *leader) bool {
	free := l.max - l.inFlight
	if q.inFlight == 0 || free <= 0 {
		return free > 0
	}
	idle := 0
	for _, o := range l.all {
		if o.inFlight == 0 {
			idle++
		}
	}
	return free > idle
}

// request takes what waits for q and sends it.
func (l *leaders) request(q *leader) {
	defer l.c.wg.Done()
	// One flush brings records for several partitions, whose goroutines are about to be ready: let them.
	for range gatherTurns {
		runtime.Gosched()
	}
	l.mu.Lock()
	batches := q.take(l.c.cfg)
	q.gathers = false
	l.start() // for what was too much
	l.mu.Unlock()
	l.send(q.id, batches)
	l.mu.Lock()
	q.inFlight--
	l.inFlight--
	l.start()
	l.mu.Unlock()
}

// hears notes that a request was sent, or that a broker has answered one.
func (l *leaders) hears(answer bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case answer:
		l.silence = time.Time{}
	case l.silence.IsZero():
		l.silence = time.Now()
	}
}

// silent tells whether brokers, who may be there and take connections, have answered no request for longer than d.
func (l *leaders) silent(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.silence.IsZero() && time.Since(l.silence) > d
}

// underWay is how many requests are.
func (l *leaders) underWay() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight
}

// take removes the oldest batches that fit in one request. No two are of one partition: it waits for the answer.
func (q *leader) take(cfg *config) []*sending {
	limit := min(maxRequestBytes, cfg.requestMaxBytes)
	size, n := 0, 0
	for n < len(q.waiting) {
		s := q.waiting[n]
		if size += requestSize(cfg.clientID, s.topic, len(s.wire)); size > limit && n > 0 {
			break
		}
		n++
	}
	batches := slices.Clone(q.waiting[:n])
	q.waiting = append(q.waiting[:0], q.waiting[n:]...)
	clear(q.waiting[len(q.waiting):cap(q.waiting)])
	return batches
}

// send makes one request and settles its batches.
func (l *leaders) send(id int32, batches []*sending) {
	slices.SortStableFunc(batches, func(a, b *sending) int { return cmp.Compare(a.topic, b.topic) })
	cfg := l.c.cfg
	ctx, cancel := context.WithTimeout(l.c.ctx, cfg.requestTimeout+answerMargin)
	defer cancel()
	req := &produceRequest{leader: id, acks: cfg.acks, timeout: int32(cfg.requestTimeout.Milliseconds()), clientID: cfg.clientID, batches: batches}
	began := time.Now()
	l.hears(false)
	m, err := l.c.roundTrip(ctx, req)
	l.observe(time.Since(began))
	if err == nil {
		l.hears(true)
	} else {
		sent, reading := req.revoke()
		if !sent {
			err = errors.Join(err, errUnsent)
		}
		for _, s := range batches {
			s.abandoned, s.err = reading, err
			close(s.done)
		}
		return
	}
	res, _ := m.(*produce.Response)
	answers := flatten(res)
	for i, s := range batches {
		switch p := answers.find(i, s); {
		case cfg.acks == 0:
		case p == nil:
			s.err = errors.New("the answer does not name the partition")
		default:
			s.reply = reply{code: p.ErrorCode, message: p.ErrorMessage}
			for _, e := range p.RecordErrors {
				s.reply.records = append(s.reply.records, e.BatchIndex)
			}
		}
		close(s.done)
	}
}

// answers is what a produce response says of each partition.
type answers []answer

type answer struct {
	topic string
	*produce.ResponsePartition
}

func flatten(res *produce.Response) (all answers) {
	if res == nil {
		return nil
	}
	for i := range res.Topics {
		t := &res.Topics[i]
		for j := range t.Partitions {
			all = append(all, answer{t.Topic, &t.Partitions[j]})
		}
	}
	return all
}

// find returns the answer to the i-th batch of the request, nil where there is none. Brokers answer in the order of the
// request, or in another.
func (a answers) find(i int, s *sending) *produce.ResponsePartition {
	is := func(r answer) bool { return r.topic == s.topic && r.Partition == s.partition }
	if i < len(a) && is(a[i]) {
		return a[i].ResponsePartition
	}
	if i = slices.IndexFunc(a, is); i >= 0 {
		return a[i].ResponsePartition
	}
	return nil
}
