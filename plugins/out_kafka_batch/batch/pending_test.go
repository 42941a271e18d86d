package batch

import (
	"testing"
	"time"
)

func TestPending(t *testing.T) {
	p := newPending(3, time.Hour)
	take := func(id identity) *delivery { o, _ := p.take(id); return o.d }
	id := p.identify([]byte("chunk"), "tag")
	if id != p.identify([]byte("chunk"), "tag") {
		t.Fatal("the same chunk has two identities")
	}
	for _, other := range []identity{p.identify([]byte("chunk!"), "tag"), p.identify([]byte("chunk"), "tag2"), p.identify([]byte("gchunk"), "ta")} {
		if id == other {
			t.Fatal("two chunks have one identity")
		}
	}
	if take(id) != nil {
		t.Fatal("there was nothing to take")
	}

	// Of several entries a complete one goes first, and each goes once.
	running, complete := newDelivery(2, "tag"), newDelivery(2, "tag")
	complete.resolve(1)
	complete.resolve(1)
	p.put(id, open{d: running})
	p.put(id, open{d: complete})
	if take(id) != complete || take(id) != running || take(id) != nil || p.len() != 0 || len(p.byID) != 0 {
		t.Fatal("not each entry once, the complete one first")
	}

	// The oldest go when there are too many.
	ids := make([]identity, 5)
	for i := range ids {
		ids[i] = p.identify([]byte{byte(i)}, "tag")
		p.put(ids[i], open{d: running})
	}
	if p.len() != 3 || take(ids[1]) != nil || take(ids[2]) == nil {
		t.Fatal("the bound does not hold")
	}

	// … and when they are too old.
	p.age = 0
	p.put(id, open{d: running})
	if p.len() != 1 || len(p.byID) != 1 {
		t.Fatalf("%d entries", p.len())
	}
}
