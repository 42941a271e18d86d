package batch

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
	var dropped []part
	i := int32(0)
	for _, from := range b.parts {
		for range from.n {
			if !in.next() {
				panic("a batch has fewer records than it says")
			}
			group, at, drop := place(i, in.ms)
			i++
			if drop {
				dropped = append(dropped, part{from.d, int32(len(in.tail))})
				continue
			}
			n := made[group]
			if n == nil {
				n = &batch{full: true, since: b.since}
				made[group] = n
			}
			n.set.addTail(at, in.tail)
			if k := len(n.parts); k == 0 || n.parts[k-1].d != from.d {
				n.parts = append(n.parts, part{from.d, 0})
			}
			n.parts[len(n.parts)-1].n++
		}
	}
	// From here on nothing can fail: what follows cannot be done twice.
	for _, d := range dropped {
		p.drop(d.d, int(d.n), reason, r)
	}
	putBuffer(set.bytes)
	if !b.abandoned {
		putBuffer(b.wire)
	}
	b.wire = nil
	p.o.memory.release(b.held)
	kept := made[:0]
	for _, n := range made {
		if n != nil {
			n.held = int64(len(n.set.bytes))
			p.o.memory.used.Add(n.held)
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

// drop gives a record up.
func (p *partition) drop(d *delivery, size int, reason string, r reply) {
	p.o.stats.drop(1, reason)
	p.o.notices.dropped.Do(func() {
		p.o.log.Warn("a record cannot be delivered and is dropped", "reason", reason, "topic", p.topic, "partition", p.id,
			"bytes", size, "error", explain(r.code), "code", r.code, "message", r.message)
	})
	d.resolve(1)
}
