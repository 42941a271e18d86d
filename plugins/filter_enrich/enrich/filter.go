// Package enrich is the logic of the Fluent Bit filter enrich: it adds service attributes to every record, brings trace
// context of whatever form into one, and renames, removes and normalises top-level fields.
//
// It works on raw msgpack in one pass over a record's fields. Bytes that no option is about are copied, not decoded:
// an event keeps its form, its time, its metadata and the order of its fields, and only the head of its map and the
// fields concerned are written anew. Events that are no records, group markers and damage stay byte for byte.
//
// What becomes of an event is a function of the event, its chunk's tag, the configuration and what the sources of
// attributes have said last, and a second pass changes nothing: Fluent Bit may run a filter more than once.
package enrich

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/chunk"
	"flbgo/shared/listen"
	"flbgo/shared/option"
)

// Filter is one instance. Its methods may be called from several goroutines at once, except Close.
type Filter struct {
	log      *slog.Logger
	config   *Config
	plan     atomic.Pointer[plan]
	growth   growth
	stats    stats
	sources  *identity.Collector
	listener *listen.Listener
	warned   atomic.Int64

	mu      sync.Mutex
	editors []*editor // those that no call has, as many as calls there were at once
}

// New reads the options and makes an instance of them. The error joins everything that is wrong with them. It waits for
// nothing but files, and for those a second at the most.
func New(log *slog.Logger, get option.Getter) (*Filter, error) {
	return newOn(identity.System{Log: log}, log, get)
}

func newOn(system identity.System, log *slog.Logger, get option.Getter) (*Filter, error) {
	c, described, err := load(get)
	if err != nil {
		return nil, err
	}
	log.Info("options: " + described)
	f := &Filter{log: log, config: c}
	system.Log = log
	var found []identity.Attribute
	f.sources, found = identity.Start(identity.Config{
		System: system, Sources: c.Sources, Downward: c.Downward, Refresh: c.Refresh, OthersPods: c.ofPods(),
	}, f.learn)
	p := newPlan(c, found)
	f.growth.init(p)
	f.plan.CompareAndSwap(nil, p) // a source may have said something since
	if p.nothing() {
		log.Warn("enrich has nothing to do: no option asks for anything")
	}
	if f.listener, err = f.listen(); err != nil {
		f.sources.Close()
		return nil, err
	}
	return f, nil
}

// learn takes what the sources of attributes have said. Calls that are under way end with what was said before.
func (f *Filter) learn(found []identity.Attribute) {
	f.plan.Store(newPlan(f.config, found))
	f.log.Info("attributes of the sources have changed", "attributes", len(found))
}

// SizeHint is how much memory Apply will need for a chunk of n bytes, mostly a little more than it turns out to be.
func (f *Filter) SizeHint(n int) int { return f.growth.hint(n) }

// Apply appends the chunk's new form to dst and says whether it differs from data; where it does not, nothing is
// appended. data and tag are borrowed for the call. It does not block and does no I/O, and once its buffers have grown
// to the chunks that come it allocates nothing, unless dst is too small.
func (f *Filter) Apply(dst, data, tag []byte) (out []byte, modified bool) {
	e := f.take()
	e.begin(tag)
	before := len(dst)
	dst, modified = e.rewrite(dst, data, len(data))
	if e.uncertain && !sameEvents(dst[before:], data) {
		dst, modified = e.rewrite(dst[:before], data, e.malformed)
	}
	if modified {
		f.growth.learn(len(data), len(dst)-before)
	}
	if damaged := e.n.count[countDamaged]; damaged > 0 {
		f.warn(damaged, e.reason, tag)
	}
	f.stats.add(&e.n)
	f.give(e) // which a panic leaves to the garbage collector
	return dst, modified
}

// take returns an editor for the plan of the moment. The lock is held for a few instructions, here and in give; a
// sync.Pool would forget, with the editors, what they know of pods.
func (f *Filter) take() *editor {
	p := f.plan.Load()
	f.mu.Lock()
	var e *editor
	if n := len(f.editors); n > 0 {
		e, f.editors[n-1] = f.editors[n-1], nil
		f.editors = f.editors[:n-1]
	}
	f.mu.Unlock()
	if e == nil || e.plan != p {
		e = newEditor(p)
	}
	return e
}

func (f *Filter) give(e *editor) {
	f.mu.Lock()
	f.editors = append(f.editors, e)
	f.mu.Unlock()
}

// warn logs damage, at most once a minute.
func (f *Filter) warn(damaged int64, reason chunk.Reason, tag []byte) {
	now := time.Now().Unix()
	last := f.warned.Load()
	if now-last < 60 || !f.warned.CompareAndSwap(last, now) {
		return
	}
	f.log.Warn("damaged events passed on as they are", "tag", string(tag), "events", damaged,
		"reason", reason.String(), "since_start", f.stats.count[countDamaged].Load()+damaged)
}

// Close ends what runs in the background, and logs what was counted, on level debug.
func (f *Filter) Close() {
	f.listener.Close()
	f.sources.Close()
	if f.log.Enabled(context.Background(), slog.LevelDebug) {
		f.log.Debug("enrich ends", f.stats.attrs()...)
	}
}
