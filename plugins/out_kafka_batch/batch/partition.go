package batch

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
)

const (
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
	err      error // of the last attempt, where it brought no answer
	refused  reply // of the last attempt, where it is an answer that passes by itself; code 0 otherwise
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
	unsure    bool   // it may be in the log: an attempt brought no answer, or one that leaves that open
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
		b := p.openFor(e.size())
		b.set.add(e.ms, e.key.of(s.text), e.value.of(s.text), e.headers.of(s.text))
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
			if attempt >= quietFailures {
				p.complain(attempt + 1)
			}
		}
		p.troubled.Store(false)
	}
}

// complain says why a batch is sent again and again, where act has not said so.
func (p *partition) complain(attempts int) {
	switch {
	case p.err != nil:
		p.o.notices.network.Do(func() {
			p.o.log.Warn("requests to Kafka bring no answer; the batch is sent again", "topic", p.topic, "partition", p.id,
				"attempts", attempts, "error", p.err.Error())
		})
	case p.refused.code != 0:
		p.o.notices.refused.Do(func() {
			p.o.log.Warn("a broker does not take a batch for now; it is sent again", "topic", p.topic, "partition", p.id,
				"attempts", attempts, "error", explain(p.refused.code), "code", p.refused.code, "message", p.refused.message)
		})
	}
}

// try makes one attempt and tells whether the batch is settled: acknowledged, dropped, or replaced by others. A panic
// is an attempt whose outcome is not known.
func (p *partition) try(b *batch) (settled bool) {
	defer func() {
		if r := recover(); r != nil {
			b.abandoned, b.unsure = true, true
			p.o.panicked("send", r)
		}
	}()
	p.err, p.refused = nil, reply{}
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
		default:
			p.refused = reply{code: code}
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
	if b.unsure {
		p.renew() // as in rewrite: should the partition come back, nothing may be taken for what went with its sequence
	}
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
