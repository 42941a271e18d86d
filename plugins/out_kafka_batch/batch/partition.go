package batch

import (
	"sync"
	"sync/atomic"
	"time"
)

// partition owns the batches of one partition of a topic, from the moment that records are appended until a broker has
// decided. Its goroutine runs while there is a batch.
type partition struct {
	t        *topic
	id       int32
	o        *Output
	leader   atomic.Int32 // -1: none, or not known
	troubled atomic.Bool  // the last attempt failed
	blocked  atomic.Pointer[trouble]

	mu      sync.Mutex
	queue   []*batch // the oldest first; records are appended to the last one while it has room
	running bool     // the goroutine, which holds one batch more
	lingers chan struct{}

	// Of the goroutine alone.
	producer producerID
	asked    bool  // producer is an answer
	fresh    bool  // the shared producer id is of no use here any more
	sequence int32 // of the next record
	stale    bool  // the leader may be another one
	err      error // of the last attempt, where it brought no answer
	refused  reply // of the last attempt, where it is an answer that passes by itself; code 0 otherwise
}

// batch is a stretch of one partition's records: first open, then closed by what follows it, then sealed.
type batch struct {
	set    recordSet
	parts  []part    // in the order of the records
	size   int64     // of its records, about
	held   int64     // bytes of memory that are accounted to it: its buffer's, or size where that is more
	full   bool      // nothing is appended any more
	opened time.Time // where there is a linger

	wire      []byte // once sealed; set is empty then
	raw       int    // bytes of its records before compression
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
	d      *delivery
	n      int32
	reason string // of dead letters; "" of other records
}

// add notes n records of a delivery behind those that there are.
func (b *batch) add(d *delivery, n int32, reason string) {
	if k := len(b.parts); k > 0 && b.parts[k-1].d == d && b.parts[k-1].reason == reason {
		b.parts[k-1].n += n
		return
	}
	b.parts = append(b.parts, part{d, n, reason})
}

// append adds the entries of one flush for this partition, which are reserved.
func (p *partition) append(s *scratch, at *touched, d *delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := at.bytes
	var b *batch
	var n int32 // of the records in b that are not yet noted there, and their size
	var size int64
	note := func() {
		if n > 0 {
			b.size += size
			b.hold(&p.o.memory, max(b.size, int64(b.set.held())), size)
			b.add(d, n, "")
		}
		n, size = 0, 0
	}
	for i := at.head; i >= 0; i = s.entries[i].next {
		e := &s.entries[i]
		if to := p.openFor(e.size(), left); to != b {
			note()
			b = to
		}
		b.set.room(p.o.cfg.codec, e.size())
		b.set.add(e.ms, e.key.of(s.text), e.value.of(s.text), e.headers.of(s.text))
		n++
		size += int64(e.size())
		left -= e.size()
	}
	note()
	p.start()
}

// hold accounts n bytes of memory to the batch, reserved of which are accounted already, beside what it held.
func (b *batch) hold(m *memory, n, reserved int64) {
	m.used.Add(n - b.held - reserved)
	b.held = n
}

// appendRecord adds a record of about that size, which is reserved. The lock is held.
func (p *partition) appendRecord(size int, d *delivery, reason string, ms int64, key, value, headers []byte) {
	b := p.openFor(size, size)
	b.set.room(p.o.cfg.codec, size)
	b.set.add(ms, key, value, headers)
	b.size += int64(size)
	b.hold(&p.o.memory, max(b.size, int64(b.set.held())), int64(size))
	b.add(d, 1, reason)
}

// openFor returns the batch for a record of about that size, which with those that follow at once takes total.
func (p *partition) openFor(size, total int) *batch {
	if n := len(p.queue); n > 0 {
		b := p.queue[n-1]
		if !b.full && b.set.size()+size <= p.o.cfg.batchMaxBytes && b.set.count < p.o.cfg.batchMaxRecords {
			return b
		}
		b.full = true
	}
	b := &batch{}
	b.set.bytes = getBuffer(min(total, largeBlock, p.o.cfg.batchMaxBytes))
	if p.o.cfg.linger > 0 {
		b.opened = time.Now()
	}
	p.queue = append(p.queue, b)
	return b
}

// start starts the goroutine unless it runs, or tells it that the batch it waits for is full. The lock is held.
func (p *partition) start() {
	if len(p.queue) == 0 {
		return
	}
	if !p.running {
		p.running = true
		p.o.wg.Add(1)
		go p.run()
	} else if b := p.queue[0]; p.lingers != nil && (b.full || b.set.count >= p.o.cfg.batchMaxRecords) {
		close(p.lingers)
		p.lingers = nil
	}
}

// next takes the oldest batch, or ends the goroutine.
func (p *partition) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		p.linger(p.queue[0])
	}
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

// linger waits for the batch to fill, no longer than the option of that name says. The lock is held, but not while it
// waits.
func (p *partition) linger(b *batch) {
	left := p.o.cfg.linger
	if left > 0 {
		left -= time.Since(b.opened)
	}
	if left <= 0 || b.full || b.set.count >= p.o.cfg.batchMaxRecords {
		return
	}
	full := make(chan struct{})
	p.lingers = full
	p.mu.Unlock()
	timer := time.NewTimer(left)
	select {
	case <-full:
	case <-timer.C:
	case <-p.o.closing:
	}
	timer.Stop()
	p.mu.Lock()
	p.lingers = nil
}

// putFirst makes batches the oldest ones.
func (p *partition) putFirst(batches []*batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(batches, p.queue...)
}

// putLast makes batches the last ones.
func (p *partition) putLast(batches []*batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, batches...)
	p.start()
}

// run delivers batch after batch.
func (p *partition) run() {
	defer p.o.wg.Done()
	for b := p.next(); b != nil; b = p.next() {
		for attempt := 0; !p.try(b); attempt++ {
			p.troubled.Store(true)
			if !sleep(p.o.ctx, p.o.cfg.backoff(attempt)) {
				return
			}
			select {
			case <-p.o.cluster.reachable():
			case <-p.o.ctx.Done():
				return
			}
			if p.stale {
				p.relocate()
			}
			if attempt >= quietFailures {
				p.complain(attempt+1, len(b.wire))
			}
		}
		p.troubled.Store(false)
		p.blocked.Store(nil)
	}
}
