// Package host is where the plugins meet Fluent Bit. It owns everything that calls from C need and that logic must not
// know: instances by handle, verdicts, the guard against panics and faults, the start-up report, logs in the host's own
// form, and the hazards of running Go inside this host.
//
// # How a call gets here
//
// The host calls a C symbol. Entries that a forked host could reach are C functions that ask gate.h first; they, and
// the rest directly, are one-line //export functions in the plugin's exports.go, which call a method of the plugin's
// Output or Filter value. There is one such value per shared object.
//
// # What it promises to logic
//
//   - data and tag are borrowed: valid until the call returns, and on hosts before 2.2 not even that (after Grace the
//     engine unmaps chunks that workers still read; the fault becomes a panic, the panic a RETRY). So logic takes what
//     it needs first and does not touch data after it has waited for anything.
//   - A panic costs the call, not the process; its stack is logged once per message, repetitions are counted.
//   - Log lines of any goroutine come out through the host, at the host's level, with the next call from the host.
//
// # What it does not
//
// A goroutine that logic starts is logic's own: a panic there ends the process, unless logic recovers.
package host

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flbgo/shared/option"
)

// Verdict is what an output answers for a chunk. The values are the host's.
type Verdict int

// The verdicts. Error drops the chunk, Retry brings the same bytes and tag again later.
const (
	Error Verdict = 0
	OK    Verdict = 1
	Retry Verdict = 2
)

// identity is what an instance is called in logs.
type identity struct {
	kind     string // "output" or "filter"
	plugin   string
	version  string
	instance string // the host's name for it; "" when unknown
}

// lastWords is what an old host's log thread gets to write why the start failed: the host exits at once and does not
// wait for it (seen on 1.8.15, under load).
const lastWords = 200 * time.Millisecond

// instance is one section of the configuration.
type instance[T any] struct {
	logic  T
	log    *logger
	guard  guard
	mu     sync.Mutex // close
	closed bool
}

// instances is the handle table of one shared object. Handles are small integers, never used twice: a host that keeps
// one after its exit (before 2.2 every exit comes with the last instance's handle) cannot reach another instance.
// The zero value is ready.
type instances[T any] struct {
	mu   sync.RWMutex
	last uintptr
	live map[uintptr]*instance[T]
}

// open builds an instance: logger, logic, start-up report. On an error everything is said and nothing is kept. The
// table is not locked meanwhile: other instances go on flushing.
func (t *instances[T]) open(id identity, build func(*slog.Logger, option.Getter) (T, error), get option.Getter) (uintptr, *instance[T]) {
	if id.instance == "" {
		t.mu.RLock()
		id.instance = fmt.Sprintf("%s.%d", id.plugin, len(t.live))
		t.mu.RUnlock()
	}
	in := &instance[T]{log: newLogger(id.kind, id.plugin, id.instance)}
	in.log.atLevel(enter())
	defer in.log.drain()

	var logic T
	var err error
	if p := in.guard.run(in.log, "init", nil, func() { logic, err = build(in.log.slog(), get) }); p != nil {
		err = fmt.Errorf("panic: %v", p)
	}
	if err != nil {
		for _, line := range lines(err.Error()) {
			in.log.slog().Error(line)
		}
		in.log.drain()
		if !modern() {
			time.Sleep(lastWords)
		}
		return 0, nil
	}
	in.logic = logic
	in.log.slog().Info("started", "version", id.version)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	if t.live == nil {
		t.live = map[uintptr]*instance[T]{}
	}
	t.live[t.last] = in
	return t.last, in
}

// get returns a live instance, or nil.
func (t *instances[T]) get(handle uintptr) *instance[T] {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.live[handle]
}

// take removes an instance from the table and returns it; nil when it is gone already.
func (t *instances[T]) take(handle uintptr) *instance[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.live[handle]
	delete(t.live, handle)
	return in
}

// takeAll empties the table.
func (t *instances[T]) takeAll() []*instance[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*instance[T]
	for h, in := range t.live {
		all = append(all, in)
		delete(t.live, h)
	}
	return all
}

// close ends the logic once, however often it is called. The table no longer holds the instance.
func (in *instance[T]) close(end func(T)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	in.closed = true
	in.log.atLevel(enter())
	in.guard.run(in.log, "exit", nil, func() { end(in.logic) })
	if n := in.guard.panics(); n > 0 {
		in.log.slog().Warn("panics since the start; the first of each kind was logged with its stack", "panics", n)
	}
	in.log.drain()
}
