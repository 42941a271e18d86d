package batch

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// maxCorrupt is how often a batch is sent that brokers call corrupt, before it is taken for the records' fault; and
	// how often when an earlier attempt may have been appended, since a broker looks at the checksum before it looks for
	// duplicates, so that writing the records anew may write them twice.
	maxCorrupt       = 3
	maxCorruptUnsure = 12
	// goneAfter is how many attempts in a row find that the partition does not exist, before its batch moves.
	goneAfter = 5
	// quietFailures is how many failures in a row are not worth a line while brokers can be reached: a restart of one.
	quietFailures = 3
)

// partition owns the batches of one partition of the topic, from the moment that records are appended until a broker
// has decided. Its goroutine runs while there is a batch.
type partition struct {
	topic    string
	id       int32
	o        *Output
	leader   atomic.Int32 // -1: none, or not known
	troubled atomic.Bool  // the last attempt failed

	mu      sync.Mutex
	queue   []*batch // the oldest first; records are appended to the last one while it has room
	running bool     // the goroutine, which holds one batch more

	// Of the goroutine alone.
	producer producerID
	asked    bool  // producer is an answer
	fresh    bool  // the shared producer id is of no use here any more
	sequence int32 // of the next record
	err      error // of the last request without an answer
}

// batch is a stretch of one partition's records: first open, then closed by what follows it, then sealed.
type batch struct {
	set   recordSet
	parts []part // in the order of the records
	held  int64  // bytes of memory that are accounted to it
	full  bool   // nothing is appended any more

	wire      []byte // once sealed; set is empty then
	stamped   bool   // wire has its producer and sequence
	abandoned bool   // kafka-go may still read wire
	sent      int    // attempts
	unsure    bool   // an attempt without an answer may have been executed
	corrupt   int    // answers that called it so
	since     int64  // 1 + acknowledged batches of the instance when a broker first called its records corrupt; 0: never
	gone      int    // attempts in a row that found no such partition
	restamps  int    // 1: records that the broker named have the present time, 2: all have
}

// part is the records that a delivery has in a batch.
type part struct {
	d *delivery
	n int32
}

// append adds the entries from head on, which are all of one flush for this partition.
func (p *partition) append(s *scratch, head int32, d *delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := head; i >= 0; i = s.entries[i].next {
		e := &s.entries[i]
		key, value := e.key.of(s.text), e.value.of(s.text)
		var id []byte
		if e.id.to > e.id.from {
			id = e.id.of(s.text)
		}
		b := p.openFor(e.size())
		b.set.add(e.ms, key, value, id)
		b.held += int64(e.size())
		if n := len(b.parts); n == 0 || b.parts[n-1].d != d {
			b.parts = append(b.parts, part{d, 0})
		}
		b.parts[len(b.parts)-1].n++
	}
	p.start()
}

// openFor returns the batch for a record of about that size.
func (p *partition) openFor(size int) *batch {
	if n := len(p.queue); n > 0 {
		b := p.queue[n-1]
		if !b.full && len(b.set.bytes)+size <= p.o.cfg.batchMaxBytes && b.set.count < p.o.cfg.batchMaxRecords {
			return b
		}
	}
	b := &batch{}
	p.queue = append(p.queue, b)
	return b
}

// start starts the goroutine unless it runs. The lock is held.
func (p *partition) start() {
	if !p.running && len(p.queue) > 0 {
		p.running = true
		p.o.wg.Add(1)
		go p.run()
	}
}

// next takes the oldest batch, or ends the goroutine.
func (p *partition) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.running = false
		return nil
	}
	b := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	b.full = true
	return b
}

// putFirst makes batches the oldest ones.
func (p *partition) putFirst(batches []*batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(batches, p.queue...)
}

// run delivers batch after batch.
func (p *partition) run() {
	defer p.o.wg.Done()
	for b := p.next(); b != nil; b = p.next() {
		for attempt := 0; !p.try(b); attempt++ {
			p.troubled.Store(true)
			if !sleep(p.o.ctx, backoff(attempt)) {
				return
			}
			select {
			case <-p.o.cluster.reachable():
			case <-p.o.ctx.Done():
				return
			}
			if p.err != nil && attempt >= quietFailures {
				p.o.notices.network.Do(func() {
					p.o.log.Warn("requests to Kafka bring no answer; the batch is sent again", "topic", p.topic, "partition", p.id,
						"attempts", attempt+1, "error", p.err.Error())
				})
			}
		}
		p.troubled.Store(false)
	}
}

// try makes one attempt and tells whether the batch is settled: acknowledged, dropped, or replaced by others. A panic
// is an attempt whose outcome is not known.
func (p *partition) try(b *batch) (settled bool) {
	defer func() {
		if r := recover(); r != nil {
			b.abandoned = true
			p.o.panicked("send", r)
		}
	}()
	if !p.identify() {
		return false
	}
	if b.wire == nil {
		b.wire = b.set.seal(p.o.cfg.codec)
		putBuffer(b.set.bytes)
		b.set.bytes = nil
		p.o.memory.release(b.held - int64(len(b.wire)))
		b.held = int64(len(b.wire))
	}
	if !b.stamped {
		if b.abandoned {
			b.wire, b.abandoned = append([]byte(nil), b.wire...), false
		}
		stamp(b.wire, p.producer, p.sequence)
		b.stamped = true
	}
	p.err = nil
	if b.sent++; b.sent > 1 {
		p.o.stats.resends.Add(1)
	}
	r, abandoned, err := p.o.cluster.produce(p.o.ctx, p.leader.Load(), p.topic, p.id, b.wire)
	b.abandoned = b.abandoned || abandoned
	if err != nil {
		return p.failed(b, err)
	}
	b.gone = 0
	p.o.stats.answer(r.code)
	return p.act(b, r)
}

// identify gets a producer id where one is missing.
func (p *partition) identify() bool {
	if p.asked {
		return true
	}
	id, code, err := p.o.producers.get(p.o.ctx, p.fresh)
	switch {
	case err != nil:
		p.unanswered(err)
		return false
	case code != 0:
		switch classifyProducerID(code) {
		case operatorCase:
			p.operator("InitProducerId", reply{code: code})
		case unknownCode:
			p.unknown("InitProducerId", reply{code: code})
		}
		return false
	}
	p.producer, p.asked, p.sequence = id, true, 0
	return true
}

// failed acts on a request that brought no answer.
func (p *partition) failed(b *batch, err error) bool {
	switch p.unanswered(err) {
	case failNetwork:
		b.unsure = true
		fallthrough
	case failOperator:
		b.gone = 0
		return false
	}
	// A partition goes away only with its topic. Nothing of it can be appended any more where it was, so that its
	// records may be written anew; for some attempts that may still be metadata that is behind.
	ctx, cancel := context.WithTimeout(p.o.ctx, p.o.cfg.flushTimeout)
	defer cancel()
	n, err := p.o.router.get(ctx)
	if err != nil || int(p.id) < len(n.partitions) {
		b.gone = 0
		return false
	}
	if b.gone++; b.gone < goneAfter {
		return false
	}
	to := n.partitions[int(p.id)%len(n.partitions)]
	batches := p.rewrite(b, 1, func(int32, int64) (int, bool) { return 0, false }, "", reply{})
	for _, b := range batches {
		p.o.stats.moved.Add(int64(b.set.count))
	}
	to.mu.Lock()
	to.queue = append(to.queue, batches...)
	to.start()
	to.mu.Unlock()
	return true
}

// unanswered notes a failure and has the connections renewed.
func (p *partition) unanswered(err error) failure {
	f := classifyError(err)
	p.err = err
	if p.o.ctx.Err() != nil {
		return f
	}
	switch f {
	case failNetwork:
		p.o.stats.network.Add(1)
	case failOperator:
		p.o.notices.operator.Do(func() {
			p.o.log.Warn("a broker turns this client away; somebody has to mend that", "error", err.Error())
		})
	}
	p.o.cluster.check()
	return f
}

// act acts on a broker's answer.
func (p *partition) act(b *batch, r reply) bool {
	v := classify(r.code)
	switch v {
	case acked:
		p.acknowledge(b)
		return true
	case resendStale:
		p.o.cluster.check()
	case corrupt:
		return p.corrupted(b, r)
	case newProducer:
		p.o.stats.newProducer.Add(1)
		p.o.notices.producer.Do(func() {
			p.o.log.Warn("the broker does not know this producer's sequence any more: going on with a new producer id, which may duplicate one batch",
				"partition", p.id, "error", explain(r.code), "code", r.code)
		})
		p.asked, p.fresh, b.stamped = false, true, false
	case split:
		if b.set.count > 1 {
			p.o.notices.tooLarge.Do(func() {
				p.o.log.Warn("a broker refuses a batch as too large; it goes in halves: set batch_max_bytes below the topic's max.message.bytes",
					"topic", p.topic, "bytes", len(b.wire), "records", b.set.count, "batch_max_bytes", p.o.cfg.batchMaxBytes)
			})
		}
		return p.halve(b, reasonTooLarge, r)
	case isolate:
		if !p.o.cfg.keyed && strings.Contains(strings.ToLower(r.message), "compacted topic") {
			// Every record would be refused: the topic wants keys and the configuration names none.
			p.operator("Produce", r)
			return false
		}
		return p.isolate(b, r)
	case newTime:
		if b.restamps > 1 {
			p.operator("Produce", r) // the present is refused too: somebody's clock is wrong
			return false
		}
		return p.restamp(b, r)
	case operatorCase:
		p.operator("Produce", r)
	case unknownCode:
		p.unknown("Produce", r)
		p.o.cluster.check()
	}
	return false
}

func (p *partition) unknown(request string, r reply) {
	p.o.stats.unknown.Add(1)
	p.o.notices.unknown.Do(func() {
		p.o.log.Warn("a broker answered with a code that is not expected; the request is sent again", "request", request,
			"topic", p.topic, "partition", p.id, "error", explain(r.code), "code", r.code, "message", r.message)
	})
}

func (p *partition) operator(request string, r reply) {
	p.o.notices.operator.Do(func() {
		args := []any{"request", request, "topic", p.topic, "partition", p.id, "error", explain(r.code), "code", r.code, "message", r.message}
		if c := kafka.Error(r.code); c == kafka.UnsupportedCompressionType || c == kafka.UnsupportedVersion {
			args = append(args, "compression", p.o.cfg.codec.String())
		}
		p.o.log.Warn("a broker refuses for a reason that somebody has to mend; nothing is lost until then", args...)
	})
}

func (p *partition) acknowledge(b *batch) {
	n := int32(0)
	for _, part := range b.parts {
		n += part.n
	}
	p.sequence = int32((int64(p.sequence) + int64(n)) & (1<<31 - 1))
	p.o.memory.release(b.held)
	p.o.stats.acknowledge(int64(n))
	p.o.stats.batches.Add(1)
	p.o.stats.bytes.Add(int64(len(b.wire)))
	for _, part := range b.parts {
		part.d.resolve(part.n)
	}
	if !b.abandoned {
		putBuffer(b.wire)
	}
	b.wire = nil
}

// halve replaces the batch by two, or drops it when it is a single record.
func (p *partition) halve(b *batch, reason string, r reply) bool {
	half := b.set.count / 2
	single := b.set.count == 1
	p.putFirst(p.rewrite(b, 2, func(i int32, _ int64) (int, bool) {
		if i < half {
			return 0, false
		}
		return 1, single
	}, reason, r))
	return true
}

// isolate drops the records that the broker names, or looks for them by halves.
func (p *partition) isolate(b *batch, r reply) bool {
	bad := named(b, r)
	if len(bad) == 0 {
		return p.halve(b, reasonInvalid, r)
	}
	p.putFirst(p.rewrite(b, 1, func(i int32, _ int64) (int, bool) { return 0, bad[i] }, reasonInvalid, r))
	return true
}

// corrupted acts on a batch that a broker calls corrupt. Its checksum is right, so something on the way breaks it, or
// the broker has a disk that does, or (before Kafka 2.4) one record is not to the topic's liking. Only where others are
// accepted meanwhile it is the record's fault: otherwise one bad network card would cost every record that there is.
func (p *partition) corrupted(b *batch, r reply) bool {
	acknowledged := p.o.stats.batches.Load()
	if b.since == 0 {
		b.since = acknowledged + 1
	}
	limit := maxCorrupt
	if b.unsure {
		limit = maxCorruptUnsure
	}
	if b.corrupt++; b.corrupt < limit {
		return false
	}
	if b.set.count > 1 || acknowledged >= b.since {
		return p.halve(b, reasonCorrupt, r)
	}
	p.operator("Produce", r)
	return sleep(p.o.ctx, backoff(b.corrupt)) && p.swap(b)
}

// swap lets the next batch go first, to see whether it is accepted. A definite refusal has left b without a sequence.
func (p *partition) swap(b *batch) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return false
	}
	b.stamped = false
	p.queue = append([]*batch{p.queue[0], b}, p.queue[1:]...)
	return true
}

// restamp gives the records that the broker names, or all of them, the present time.
func (p *partition) restamp(b *batch, r reply) bool {
	var bad map[int32]bool
	if b.restamps == 0 {
		bad = named(b, r)
	}
	now := time.Now().UnixMilli()
	batches := p.rewriteTimes(b, func(i int32, ms int64) int64 {
		if len(bad) == 0 || bad[i] {
			p.o.stats.restamped.Add(1)
			return now
		}
		return ms
	})
	for _, n := range batches {
		n.restamps = 1
		if len(bad) == 0 {
			n.restamps = 2
		}
	}
	p.putFirst(batches)
	return true
}

// named is the set of records that a broker names, without those that the batch does not have.
func named(b *batch, r reply) map[int32]bool {
	bad := map[int32]bool{}
	for _, i := range r.records {
		if i >= 0 && i < b.set.count {
			bad[i] = true
		}
	}
	return bad
}

// panicked logs and counts a panic of a goroutine of this package.
func (o *Output) panicked(where string, r any) {
	o.stats.panics.Add(1)
	stack := debug.Stack()
	o.notices.panicked.Do(func() {
		o.log.Error(fmt.Sprintf("panic in %s: %v", where, r))
		for _, line := range strings.Split(strings.TrimSpace(string(stack)), "\n") {
			o.log.Error("  " + strings.ReplaceAll(line, "\t", "  "))
		}
	})
}
