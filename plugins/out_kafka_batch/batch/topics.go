package batch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxKnownTopics bounds how many topics an instance writes to: records may name them, and each takes memory for good.
	maxKnownTopics = 10_000
	// creationTime is how long a flush waits for a topic that is being created.
	creationTime = time.Second
)

// topics are all topics that an instance writes to. Safe for concurrent use.
type topics struct {
	o *Output

	// turn holds one token: whoever asks for metadata asks for all that is wanted.
	turn chan struct{}

	refreshing atomic.Bool

	mu         sync.Mutex
	byName     map[string]*topic
	configured int
}

func newTopics(o *Output, configured []string) *topics {
	t := &topics{o: o, turn: make(chan struct{}, 1), byName: map[string]*topic{}}
	t.turn <- struct{}{}
	for _, name := range configured {
		t.configure(name)
	}
	return t
}

// configure returns the topic of a name that the configuration has.
func (t *topics) configure(name string) *topic {
	n := t.byName[name]
	if n == nil {
		n = &topic{name: name, o: t.o}
		t.byName[name] = n
		t.configured++
	}
	return n
}

// get returns the topic of that name, made where there is none yet; nil where there are too many.
func (t *topics) get(name string) *topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byName[name]
	if n == nil && len(t.byName) >= maxKnownTopics+t.configured {
		maps.DeleteFunc(t.byName, func(_ string, n *topic) bool { return n.forgettable() })
	}
	if n == nil && len(t.byName) < maxKnownTopics+t.configured {
		n = &topic{name: name, o: t.o, dynamic: true}
		t.byName[name] = n
	}
	return n
}

// resolve fills in the route of each topic that is wanted and has none. A topic that cannot be written to keeps none,
// and the error says why the first of these cannot. It waits for metadata, no longer than ctx, where a topic has none
// yet; where no broker answers, none has a route.
func (t *topics) resolve(ctx context.Context, uses []use) error {
	began := time.Now()
	for attempt := 0; ; attempt++ {
		var ask []*topic
		var missing *topic
		old := false
		for i := range uses {
			u := &uses[i]
			if u.t == nil || u.r != nil {
				continue
			}
			s, r := u.t.state()
			u.r = r
			switch s {
			case stateUnknown:
				ask = append(ask, u.t)
			case stateOld:
				old = true
			case stateMissing:
				if missing == nil {
					missing = u.t
				}
			}
		}
		if old {
			t.refresh()
		}
		if len(ask) > 0 && attempt > 0 && (time.Since(began) > creationTime || !sleep(ctx, t.o.cfg.backoff(attempt))) {
			missing, ask = ask[0], nil
		}
		if len(ask) == 0 {
			if missing == nil {
				return nil
			}
			return missing.missing()
		}
		if err := t.ask(ctx, ask, true); err != nil {
			t.o.cluster.check()
			for i := range uses {
				uses[i].r = nil
			}
			return fmt.Errorf("metadata of %s: %w", ask[0].name, err)
		}
	}
}

// ask brings metadata of the topics, unless another goroutine brings it meanwhile. create lets brokers that create topics
// on demand do so.
func (t *topics) ask(ctx context.Context, wanted []*topic, create bool) error {
	began := time.Now()
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	wanted = slices.DeleteFunc(slices.Clone(wanted), func(n *topic) bool { return n.askedAfter(began) })
	if len(wanted) == 0 {
		return nil
	}
	asked := time.Now()
	found, err := t.o.cluster.metadata(ctx, wanted, create)
	if err != nil {
		return err
	}
	for i := range found {
		if n := t.get(found[i].Name); n != nil {
			if err := n.update(&found[i], asked); err != nil {
				return err
			}
		}
	}
	return nil
}

// refresh brings new metadata in the background. It creates no topic: one that was deleted and that no record goes to any
// more would come back for ever.
func (t *topics) refresh() {
	if !t.refreshing.CompareAndSwap(false, true) {
		return
	}
	started := t.o.cluster.spawn(func() {
		defer t.refreshing.Store(false)
		ctx, cancel := context.WithTimeout(t.o.ctx, t.o.cfg.requestTimeout)
		defer cancel()
		if err := t.ask(ctx, t.old(), false); err != nil && t.o.ctx.Err() == nil {
			t.o.cluster.check()
		}
	})
	if !started {
		t.refreshing.Store(false)
	}
}

// old are the topics whose metadata should be asked for again.
func (t *topics) old() (all []*topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.byName {
		if s, _ := n.state(); s == stateOld {
			all = append(all, n)
		}
	}
	return all
}

// all are the topics that there are.
func (t *topics) all() []*topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.byName))
}
