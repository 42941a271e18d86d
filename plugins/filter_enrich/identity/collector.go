package identity

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// startWait is how long a start waits for the sources that read files: they are there at once, unless the file system
// hangs. The others are not waited for at all.
const startWait = time.Second

// closeWait is how long Close waits for the goroutines: one may hang in a file system.
const closeWait = time.Second

// Config says what to look at.
type Config struct {
	System
	Sources  []Source
	Downward string        // folder of the downward API's files
	Refresh  time.Duration // how often files are read again, and a source that failed is asked again; 0 is never
	// OthersPods says that the records name the pods that they are of: then Fluent Bit's own is not theirs, only the node
	// and the cluster are.
	OthersPods bool
	// FQDN asks for a host's full name; nil asks the resolver.
	FQDN func(context.Context, string) (string, error)
}

// Collector keeps the attributes of the sources up to date. Safe for concurrent use.
type Collector struct {
	cfg    Config
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	now    [sources]answer
	said   [sources]string // the problem that was logged last
	last   []Attribute
	update func([]Attribute)
}

// answer is what a source said last.
type answer struct {
	on    bool
	state State
	attrs []Attribute
	fqdn  []Attribute // of the host, which takes two questions
}

// Start asks the sources and returns what they said so far. update is called with every new list, never twice at the
// same time, and not any more after Close has returned. The lists are not changed.
func Start(cfg Config, update func([]Attribute)) (*Collector, []Attribute) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Collector{cfg: cfg, cancel: cancel}
	files := make(chan struct{})
	var first sync.WaitGroup
	for _, s := range cfg.Sources {
		c.now[s].on = true
	}
	for _, s := range cfg.Sources {
		switch s {
		case OTel:
			c.set(s, func() ([]Attribute, State, error) { return readOTel(&c.cfg.System) })
		case Datadog:
			c.set(s, func() ([]Attribute, State, error) { return readDatadog(&c.cfg.System) })
		case Kubernetes:
			first.Add(1)
			c.watch(ctx, s, first.Done, false, func(context.Context) ([]Attribute, State, error) { return c.readPod() })
		case Host:
			first.Add(1)
			c.watch(ctx, s, first.Done, true, func(context.Context) ([]Attribute, State, error) { return readHost(&c.cfg.System) })
			c.spawn(func() { c.setFQDN(readFQDN(ctx, c.cfg.FQDN)) })
		case Container:
			first.Add(1)
			c.watch(ctx, s, first.Done, true, func(context.Context) ([]Attribute, State, error) { return readContainer(&c.cfg.System) })
		case ECS:
			c.watch(ctx, s, func() {}, true, func(ctx context.Context) ([]Attribute, State, error) { return readECS(ctx, &c.cfg.System) })
		}
	}
	go func() { first.Wait(); close(files) }()
	select {
	case <-files:
	case <-time.After(startWait):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.update = update
	c.last = c.list()
	return c, c.last
}

// readPod leaves out what is of Fluent Bit's own pod where the records are of others'.
func (c *Collector) readPod() ([]Attribute, State, error) {
	attrs, state, err := readDownward(&c.cfg.System, c.cfg.Downward)
	if c.cfg.OthersPods {
		attrs = slices.DeleteFunc(attrs, func(a Attribute) bool { return a.Name != "k8s.node.name" && a.Name != "k8s.cluster.name" })
	}
	return attrs, state, err
}

// watch asks a source in a goroutine, again on every refresh: until it has answered where once is enough, else always.
func (c *Collector) watch(ctx context.Context, s Source, asked func(), once bool, read func(context.Context) ([]Attribute, State, error)) {
	c.spawn(func() {
		state := func() State {
			defer asked()
			return c.set(s, func() ([]Attribute, State, error) { return read(ctx) })
		}()
		if c.cfg.Refresh <= 0 {
			return
		}
		tick := time.NewTicker(c.cfg.Refresh)
		defer tick.Stop()
		for !once || state == Failed {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				state = c.set(s, func() ([]Attribute, State, error) { return read(ctx) })
			}
		}
	})
}

// spawn starts a goroutine. A panic in it would end the host, so it ends the goroutine instead.
func (c *Collector) spawn(f func()) {
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		defer func() {
			if p := recover(); p != nil && c.cfg.Log != nil {
				c.cfg.Log.Error("a source of attributes is no longer asked", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		f()
	}()
}

// set asks a source and takes its answer. A panic counts as a failure. A source that failed keeps what it said before,
// unless it still says something.
func (c *Collector) set(s Source, read func() ([]Attribute, State, error)) (state State) {
	var attrs []Attribute
	var err error
	func() {
		defer func() {
			if p := recover(); p != nil {
				state, err = Failed, fmt.Errorf("panic: %v: %s", p, debug.Stack())
			}
		}()
		attrs, state, err = read()
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.now[s]
	a.state = state
	if state != Failed || len(attrs) > 0 {
		a.attrs = attrs
	}
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != c.said[s] && c.cfg.Log != nil {
		if c.said[s] = problem; problem != "" {
			c.cfg.Log.Warn("a source of attributes could not be read", "source", s.String(), "cause", problem)
		} else {
			c.cfg.Log.Info("a source of attributes is readable again", "source", s.String())
		}
	}
	c.changed()
	return state
}

func (c *Collector) setFQDN(attrs []Attribute) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[Host].fqdn = attrs
	c.changed()
}

// changed hands a new list on, where it is new. c.mu is held.
func (c *Collector) changed() {
	if c.update == nil {
		return // Start has not returned
	}
	if list := c.list(); !slices.Equal(list, c.last) {
		c.last = list
		c.update(list)
	}
}

func (c *Collector) list() []Attribute {
	var lists [][]Attribute
	for i := range c.now {
		lists = append(lists, c.now[i].attrs, c.now[i].fqdn)
	}
	return merge(lists...)
}

// States calls f for every source that is switched on.
func (c *Collector) States(f func(Source, State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range sources {
		if c.now[s].on {
			f(s, c.now[s].state)
		}
	}
}

// Close ends the questions. It waits for them, but not for one that hangs in the file system.
func (c *Collector) Close() {
	c.cancel()
	c.mu.Lock()
	c.update = nil
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(closeWait):
	}
}
