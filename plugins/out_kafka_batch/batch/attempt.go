package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/segmentio/kafka-go"
)

const (
	// goneAfter is how many attempts in a row find that the partition does not exist, before its batch moves: some seconds,
	// since brokers hear late of partitions that are new, and a batch that may have been appended is there twice then.
	goneAfter = 12
	// quietFailures is how many failures in a row are not worth a line while brokers can be reached: a restart of one.
	quietFailures = 3
)

// complain says why a batch of so many bytes is sent again and again, where act has not said so, in the log and in the
// report of health.
func (p *partition) complain(attempts, bytes int) {
	switch {
	case p.err != nil:
		if classifyError(p.err) != failOperator {
			p.block("requests bring no answer", p.err.Error())
		}
		p.o.notices.network.Do(func() {
			p.o.log.Warn("requests to Kafka bring no answer; the batch is sent again", "topic", p.t.name, "partition", p.id,
				"attempts", attempts, "bytes", bytes, "error", p.err.Error())
		})
	case p.refused.code != 0:
		p.block(explain(p.refused.code), p.refused.message)
		p.o.notices.refused.Do(func() {
			p.o.log.Warn("a broker does not take a batch for now; it is sent again", "topic", p.t.name, "partition", p.id,
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
		b.raw = b.set.size()
		b.wire = b.set.seal(p.o.cfg.codec)
		putBuffer(b.set.bytes)
		b.set.bytes = nil
		b.wire = fit(b.wire)
		b.hold(&p.o.memory, int64(cap(b.wire)), 0)
	}
	if b.sent == 0 && requestSize(p.o.cfg.clientID, p.t.name, len(b.wire)) > p.o.cfg.requestMaxBytes {
		// Brokers answer such a request by closing the connection, as often as it comes.
		return p.halve(b, reasonTooLarge, reply{code: int16(kafka.MessageSizeTooLarge), message: "not sent: the request would be larger than request_max_bytes"})
	}
	if !b.stamped {
		if b.abandoned {
			b.wire, b.abandoned = append([]byte(nil), b.wire...), false
		}
		stamp(b.wire, p.producer, p.sequence)
		b.stamped = true
	}
	leader := p.leader.Load()
	if leader < 0 {
		return p.failed(b, errNoLeader)
	}
	if b.sent++; b.sent > 1 {
		p.o.stats.resends.Add(1)
	}
	r, abandoned, err := p.o.cluster.leaders.produce(leader, p.t.name, p.id, b.wire)
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
	f := p.unanswered(err)
	if f == failNetwork && !errors.Is(err, errUnsent) {
		b.unsure = true
	}
	if f == failOperator {
		b.gone = 0
		return false
	}
	p.stale = true
	// A partition goes away only with its topic. Nothing of it can be appended any more where it was, so that its
	// records may be written anew; for some attempts that may still be metadata that is behind.
	r := p.t.lastRoute()
	if f != failStale || r == nil || int(p.id) < len(r.partitions) {
		b.gone = 0
		return false
	}
	if b.gone++; b.gone < goneAfter {
		return false
	}
	to := r.partitions[int(p.id)%len(r.partitions)]
	batches := p.rewrite(b, 1, func(int32, int64) (int, bool) { return 0, false }, "", reply{})
	if b.unsure {
		p.renew() // as in rewrite: should the partition come back, nothing may be taken for what went with its sequence
	}
	for _, b := range batches {
		p.o.stats.moved.Add(int64(b.set.count))
	}
	to.putLast(batches)
	return true
}

// relocate has metadata of the topic brought, so that the next attempt goes to the leader of now.
func (p *partition) relocate() {
	p.stale = false
	p.t.outdate()
	ctx, cancel := context.WithTimeout(p.o.ctx, p.o.cfg.requestTimeout)
	defer cancel()
	p.o.cluster.checked(ctx)
	if err := p.o.topics.ask(ctx, []*topic{p.t}, true); err != nil && p.o.ctx.Err() == nil {
		p.o.cluster.check()
	}
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
		p.block("", err.Error())
		p.o.notices.operator.Do(func() {
			p.o.log.Warn("a broker turns this client away; somebody has to mend that", "error", err.Error())
		})
	}
	if !errors.Is(err, errNoLeader) {
		p.o.cluster.check()
	}
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
