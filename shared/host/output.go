package host

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"syscall"
	"unsafe"

	"flbgo/shared/option"
)

// OutputLogic is what an output plugin's logic provides; one value per instance, called from several threads at once.
//
// Flush delivers one chunk: nil answers OK, an error that has in its tree a method Permanent() bool returning true
// answers ERROR (the chunk is dropped), any other error answers RETRY. onEngine tells that the call blocks the host's
// engine, and with it every input.
//
// Close ends the instance; flushes may still be running on workers. It must return within the host's grace time.
type OutputLogic interface {
	Flush(data []byte, tag string, onEngine bool) error
	Close()
}

// Isolator is an OutputLogic that can go through a chunk record by record, so that a record which makes it panic costs
// itself only. It is asked from the third attempt on at a chunk at which Flush panicked twice.
type Isolator interface {
	FlushIsolated(data []byte, tag string, onEngine bool) error
}

// Output is one output plugin: one value per shared object, a package variable of its main package.
type Output struct {
	Name, Description, Version string

	// OnPanic is what a flush answers that panicked: Retry where nothing may be lost, Error where a second attempt
	// would only panic again and the chunk was staged, not half taken.
	OnPanic Verdict

	// New builds the logic of one instance. An error stops Fluent Bit's start; every line of it is logged.
	New func(log *slog.Logger, get option.Getter) (OutputLogic, error)

	table instances[*outputInstance]
}

type outputInstance struct {
	OutputLogic
	thread     int // that ran Init: the engine's
	warnEngine sync.Once
	suspects   suspects
}

// Init starts an instance; p is what the host's proxy passes. setHandle stores the handle in the host's context for it;
// nothing but that small integer may be given to the host, which never frees it. Returns the host's code: 1, or -1 to
// stop the start.
func (o *Output) Init(p unsafe.Pointer, get option.Getter, setHandle func(handle any)) int {
	started()
	build := func(log *slog.Logger, get option.Getter) (*outputInstance, error) {
		logic, err := o.New(log, get)
		if err != nil {
			return nil, err
		}
		return &outputInstance{OutputLogic: logic, thread: syscall.Gettid()}, nil
	}
	handle, in := o.table.open(identity{"output", o.Name, o.Version, outputName(p)}, build, get)
	if in == nil {
		return -1
	}
	setHandle(handle)
	return 1
}

// Flush delivers a chunk: length bytes at data, tag as a C string, both borrowed until it returns. handle is what Init
// gave to setHandle.
func (o *Output) Flush(handle any, data unsafe.Pointer, length int, tag unsafe.Pointer) Verdict {
	h, _ := handle.(uintptr)
	in := o.table.get(h)
	if in == nil {
		// Closed: before 2.2 the first exit closes all instances while the others' workers still drain.
		return Retry
	}
	in.log.atLevel(enter())
	defer in.log.drain()

	logic := in.logic
	onEngine := syscall.Gettid() == logic.thread
	if onEngine {
		logic.warnEngine.Do(func() {
			in.log.slog().Warn("flushed on the engine's thread, where a slow flush stalls every input: set Workers in this [OUTPUT], as the plugin's README says")
		})
	}
	var chunk []byte
	if length > 0 {
		chunk = unsafe.Slice((*byte)(data), length)
	}

	var err error
	name := goString(tag)
	flush, panics := logic.Flush, 0
	isolator, isolates := logic.OutputLogic.(Isolator)
	if isolates && logic.suspects.any() {
		in.guard.run(in.log, "look at a chunk", chunk, func() {
			if panics = logic.suspects.panics(chunk, name); panics >= 2 {
				flush = isolator.FlushIsolated
			}
		})
	}
	if p := in.guard.run(in.log, "flush", chunk, func() { err = flush(chunk, name, onEngine) }); p != nil {
		if tookBack(p, chunk) {
			return Retry // the chunk is not to blame, whatever OnPanic says
		}
		if isolates {
			in.guard.run(in.log, "note a chunk", chunk, func() { logic.suspects.add(chunk, name) })
		}
		return o.OnPanic
	}
	v := verdict(err)
	if err != nil {
		// RETRY is the host's to report, and comes with every attempt of an outage; ERROR drops the chunk, so it is said.
		level, text := slog.LevelDebug, "the chunk is to be brought again"
		if v == Error {
			level, text = slog.LevelError, "the chunk is dropped"
		}
		in.log.slog().Log(context.Background(), level, text, "tag", name, "bytes", length, "error", err)
	}
	if panics > 0 && v != Retry {
		in.guard.run(in.log, "forget a chunk", chunk, func() { logic.suspects.forget(chunk, name) })
	}
	return v
}

// Exit ends the instance; the host's code is always 1.
func (o *Output) Exit(handle any) int {
	end := func(l *outputInstance) { l.Close() }
	if !modern() {
		// Before 2.2 the exit of each instance comes with the last one's handle, so the first closes them all.
		for _, in := range o.table.takeAll() {
			in.close(end)
		}
		return 1
	}
	h, _ := handle.(uintptr)
	if in := o.table.take(h); in != nil {
		in.close(end)
	}
	return 1
}

func verdict(err error) Verdict {
	var p interface{ Permanent() bool }
	switch {
	case err == nil:
		return OK
	case errors.As(err, &p) && p.Permanent():
		return Error
	}
	return Retry
}

// suspects counts panics by chunk. A chunk is known by a hash of tag and bytes: the host's pointers are not identities,
// it reuses them. Bounded; safe for concurrent use.
type suspects struct {
	mu     sync.Mutex
	seed   maphash.Seed
	counts map[uint64]int
}

const maxSuspects = 256

func (s *suspects) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.counts) > 0
}

func (s *suspects) add(chunk []byte, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts, s.seed = map[uint64]int{}, maphash.MakeSeed()
	}
	if len(s.counts) >= maxSuspects {
		clear(s.counts) // so many bad chunks at once cost each of them two more attempts
	}
	s.counts[s.key(chunk, tag)]++
}

// forget takes a chunk off the list once it has been answered.
func (s *suspects) forget(chunk []byte, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts != nil {
		delete(s.counts, s.key(chunk, tag))
	}
}

func (s *suspects) panics(chunk []byte, tag string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		return 0
	}
	return s.counts[s.key(chunk, tag)]
}

func (s *suspects) key(chunk []byte, tag string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(tag)
	h.WriteByte(0)
	h.Write(chunk)
	return h.Sum64()
}
