package batch

import "crypto/sha256"

// rewrite takes a batch apart after a definite refusal and returns its records as groups of new batches, in order.
// place tells for the i-th record its group, or that it is dropped for the reason; empty groups are left out. The
// batch is settled by it.
func (p *partition) rewrite(b *batch, groups int, place func(i int32, ms int64) (group int, drop bool), reason string, r reply) []*batch {
	return p.reform(b, groups, func(i int32, ms int64) (int, int64, bool) {
		group, drop := place(i, ms)
		return group, ms, drop
	}, reason, r)
}

// rewriteTimes returns the records as one batch with other times.
func (p *partition) rewriteTimes(b *batch, time func(i int32, ms int64) int64) []*batch {
	return p.reform(b, 1, func(i int32, ms int64) (int, int64, bool) { return 0, time(i, ms), false }, "", reply{})
}

func (p *partition) reform(b *batch, groups int, place func(i int32, ms int64) (group int, at int64, drop bool), reason string, r reply) []*batch {
	set, err := unseal(b.wire)
	if err != nil {
		// This package wrote it: a bug, which the caller's recover keeps as an attempt that failed.
		panic(err)
	}
	p.o.stats.splits.Add(1)
	made := make([]*batch, groups)
	in := recordReader{rest: set.bytes, firstTime: set.firstTime}
	var dropped []refusedRecord
	i := int32(0)
	for _, from := range b.parts {
		for range from.n {
			if !in.next() {
				panic("a batch has fewer records than it says")
			}
			group, at, drop := place(i, in.ms)
			i++
			if drop {
				dropped = append(dropped, refusedRecord{from.d, from.reason, in.ms, in.tail})
				continue
			}
			n := made[group]
			if n == nil {
				n = &batch{full: true, since: b.since}
				made[group] = n
			}
			tail := in.tail
			if at != in.ms {
				tail, _ = withEventTime(tail, in.ms)
			}
			n.set.addTail(at, tail)
			n.add(from.d, 1, from.reason)
		}
	}
	// From here on nothing can fail: what follows cannot be done twice.
	p.drop(dropped, reason, r)
	putBuffer(set.bytes)
	if !b.abandoned {
		putBuffer(b.wire)
	}
	b.wire = nil
	p.o.memory.release(b.held)
	kept := made[:0]
	for _, n := range made {
		if n != nil {
			n.hold(&p.o.memory, int64(cap(n.set.bytes)), 0)
			kept = append(kept, n)
		}
	}
	if b.unsure {
		if len(kept) == 1 && len(dropped) == 0 {
			kept[0].unsure = true // as many records with the same sequence: still recognised if it was appended
		} else {
			p.renew()
		}
	}
	return kept
}

// refusedRecord is a record of a batch that the brokers do not take.
type refusedRecord struct {
	d      *delivery
	reason string // "" unless it is a dead letter
	ms     int64
	tail   []byte // borrowed
}

// drop gives records up: they become dead letters, or are dropped where there is no topic for these, or where they are
// dead letters already.
func (p *partition) drop(records []refusedRecord, reason string, r reply) {
	var letters []letter
	for i := range records {
		n := &records[i]
		why, last := reason, p.o.dead.t == nil
		if n.reason != "" {
			why, last = n.reason, true
		}
		t := parseTail(n.tail)
		p.o.notices.dropped.Do(func() {
			text := "a record cannot be delivered and becomes a dead letter"
			if last {
				text = "a record cannot be delivered and is dropped"
			}
			p.o.log.Warn(text, "reason", why, "topic", p.t.name, "partition", p.id, "tag", n.d.tag,
				"bytes", len(n.tail), "error", explain(r.code), "code", r.code, "message", r.message)
		})
		if last {
			p.o.stats.drop(1, why)
			n.d.resolve(1)
			continue
		}
		letters = append(letters, newLetter(&deadRecord{
			ms: n.ms, key: t.key, value: t.value, size: len(t.value), sum: sha256.Sum256(t.value),
			topic: p.t.name, reason: why, id: t.header(recordIDName), eventTime: t.header(eventTimeName),
		}, n.d, p.o.cfg.deadMaxBytes))
	}
	p.o.dead.add(letters)
}
