package batch

import (
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// maxCorrupt is how often a batch is sent that brokers call corrupt, before it is taken for the records' fault; and
	// how often when an earlier attempt may have been appended, since a broker looks at the checksum before it looks for
	// duplicates, so that writing the records anew may write them twice.
	maxCorrupt       = 3
	maxCorruptUnsure = 12
)

// act acts on a broker's answer.
func (p *partition) act(b *batch, r reply) bool {
	switch classify(r.code) {
	case acked:
		p.acknowledge(b)
		return true
	case resend:
		b.unsure = true // 7 and 20 are said by a leader that has appended it
		p.refused = r
	case resendStale:
		b.unsure = true // 6 too, by one that lost its leadership while it waited for the followers
		p.refused = r
		p.stale = true
	case corrupt:
		return p.corrupted(b, r)
	case newProducer:
		p.o.notices.producer.Do(func() {
			p.o.log.Warn("the broker does not know this producer's sequence any more: going on with a new producer id, which may duplicate one batch",
				"partition", p.id, "error", explain(r.code), "code", r.code)
		})
		p.renew()
		b.stamped = false
	case split:
		if b.set.count > 1 {
			p.o.notices.tooLarge.Do(func() {
				p.o.log.Warn("a broker refuses a batch as too large; it goes in halves: set batch_max_bytes below the topic's max.message.bytes",
					"topic", p.t.name, "bytes", len(b.wire), "records", b.set.count, "batch_max_bytes", p.o.cfg.batchMaxBytes)
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
		if kafka.Error(r.code) == kafka.InvalidTopic && p.t.dynamic {
			p.putFirst(p.rewrite(b, 1, func(int32, int64) (int, bool) { return 0, true }, reasonTopic, r))
			return true
		}
		p.operator("Produce", r)
	case unknownCode:
		b.unsure = true
		p.unknown("Produce", r)
		p.stale = true
	}
	return false
}

func (p *partition) unknown(request string, r reply) {
	p.o.stats.unknown.Add(1)
	p.o.notices.unknown.Do(func() {
		p.o.log.Warn("a broker answered with a code that is not expected; the request is sent again", "request", request,
			"topic", p.t.name, "partition", p.id, "error", explain(r.code), "code", r.code, "message", r.message)
	})
}

func (p *partition) operator(request string, r reply) {
	p.block(explain(r.code), r.message)
	p.o.notices.operator.Do(func() {
		args := []any{"request", request, "topic", p.t.name, "partition", p.id, "error", explain(r.code), "code", r.code, "message", r.message}
		if c := kafka.Error(r.code); c == kafka.UnsupportedCompressionType || c == kafka.UnsupportedVersion {
			args = append(args, "compression", p.o.cfg.codec.String())
		}
		p.o.log.Warn("a broker refuses for a reason that somebody has to mend; nothing is lost until then", args...)
	})
}

func (p *partition) acknowledge(b *batch) {
	n, dead := int32(0), int32(0)
	for _, part := range b.parts {
		n += part.n
		if part.reason != "" {
			dead += part.n
			p.o.stats.bury(int64(part.n), part.reason)
		}
	}
	p.sequence = int32((int64(p.sequence) + int64(n)) & (1<<31 - 1))
	p.blocked.Store(nil) // before anybody can know
	p.o.memory.release(b.held)
	p.o.stats.acknowledge(int64(n-dead), len(b.wire), b.raw)
	for _, part := range b.parts {
		part.d.resolve(part.n)
	}
	if !b.abandoned {
		putBuffer(b.wire)
	}
	b.wire = nil
}

// renew has a new producer id taken before the next attempt, with sequences from 0. It is needed wherever a batch that may
// have been appended gives its sequence up: another one with the same sequence would be taken for it, and lost.
func (p *partition) renew() {
	p.asked, p.fresh = false, true
	p.o.stats.newProducer.Add(1)
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
	return sleep(p.o.ctx, p.o.cfg.backoff(b.corrupt)) && p.swap(b)
}

// swap lets the next batch go first, to see whether it is accepted.
func (p *partition) swap(b *batch) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return false
	}
	if b.unsure {
		p.renew()
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
