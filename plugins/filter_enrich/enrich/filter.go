// Package enrich is the logic of the Fluent Bit filter enrich: it adds service attributes to every record, makes trace
// ids from a W3C traceparent, and renames, removes and normalises top-level fields.
//
// It works on raw msgpack in one pass over a record's fields. Bytes that no option is about are copied, not decoded:
// an event keeps its form, its time, its metadata and the order of its fields, and only the head of its map and the
// fields concerned are written anew. Events that are no records, group markers and damage stay byte for byte.
//
// What becomes of an event is a function of the event, its chunk's tag and the configuration alone, and a second pass
// changes nothing: Fluent Bit may run a filter more than once.
package enrich

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flbgo/shared/chunk"
	"flbgo/shared/option"
)

// Filter is one instance. Its methods may be called from several goroutines at once, except Close.
type Filter struct {
	log     *slog.Logger
	plan    *plan
	growth  growth
	stats   stats
	editors sync.Pool // of *editor
	warned  atomic.Int64
}

// New reads the options and makes an instance of them. The error joins everything that is wrong with them.
func New(log *slog.Logger, get option.Getter) (*Filter, error) {
	c, described, err := load(get)
	if err != nil {
		return nil, err
	}
	log.Info("options: " + described)
	f := &Filter{log: log, plan: newPlan(c)}
	f.growth.init(f.plan)
	f.editors.New = func() any { return &editor{plan: f.plan, fields: make([]field, len(f.plan.slots))} }
	if f.plan.nothing() {
		log.Warn("enrich has nothing to do: no option asks for anything")
	}
	return f, nil
}

// SizeHint is how much memory Apply will need for a chunk of n bytes, mostly a little more than it turns out to be.
func (f *Filter) SizeHint(n int) int { return f.growth.hint(n) }

// Apply appends the chunk's new form to dst and says whether it differs from data; where it does not, nothing is
// appended. data and tag are borrowed for the call. It does not block and does no I/O, and once its buffers have grown
// to the chunks that come it allocates nothing, unless dst is too small.
func (f *Filter) Apply(dst, data, tag []byte) (out []byte, modified bool) {
	e := f.editors.Get().(*editor)
	e.begin(tag)
	before := len(dst)
	dst, modified = e.rewrite(dst, data, len(data))
	if e.uncertain && !sameEvents(dst[before:], data) {
		dst, modified = e.rewrite(dst[:before], data, e.malformed)
	}
	if modified {
		f.growth.learn(len(data), len(dst)-before)
	}
	if damaged := e.n[countDamaged]; damaged > 0 {
		f.warn(damaged, e.reason, tag)
	}
	f.stats.add(&e.n)
	f.editors.Put(e) // which a panic leaves to the garbage collector
	return dst, modified
}

// warn logs damage, at most once a minute.
func (f *Filter) warn(damaged int64, reason chunk.Reason, tag []byte) {
	now := time.Now().Unix()
	last := f.warned.Load()
	if now-last < 60 || !f.warned.CompareAndSwap(last, now) {
		return
	}
	f.log.Warn("damaged events passed on as they are", "tag", string(tag), "events", damaged,
		"reason", reason.String(), "since_start", f.stats[countDamaged].Load()+damaged)
}

// Close logs what was counted, on level debug.
func (f *Filter) Close() {
	if f.log.Enabled(context.Background(), slog.LevelDebug) {
		f.log.Debug("enrich ends", f.stats.attrs()...)
	}
}
