package host

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"flbgo/shared/option"
)

// fake is an output whose flush is a function. It counts its ends.
type fake struct {
	flush func(data []byte, tag string, onEngine bool) error
	ends  atomic.Int32
}

func (f *fake) Flush(data []byte, tag string, onEngine bool) error {
	return f.flush(data, tag, onEngine)
}
func (f *fake) Close() { f.ends.Add(1) }

// isolating is a fake that can isolate.
type isolating struct {
	fake
	isolated func(data []byte, tag string) error
}

func (i *isolating) FlushIsolated(data []byte, tag string, _ bool) error {
	return i.isolated(data, tag)
}

// start starts an instance as the host does and returns its handle. The test process is no host, so it is like an old
// one: it knows no levels, and a plugin cannot ask it for the instance's name.
func start(t *testing.T, o *Output, logic OutputLogic) any {
	t.Helper()
	o.New = func(*slog.Logger, option.Getter) (OutputLogic, error) { return logic, nil }
	var handle any
	var proxy [4]unsafe.Pointer
	if ret := o.Init(unsafe.Pointer(&proxy), func(string) string { return "" }, func(h any) { handle = h }); ret != 1 {
		t.Fatalf("Init answered %d", ret)
	}
	// Quiet: what is logged is tested elsewhere.
	o.table.get(handle.(uintptr)).log.print = func(int, string) {}
	return handle
}

func flush(o *Output, handle any, data []byte, tag string) Verdict {
	text := append([]byte(tag), 0)
	return o.Flush(handle, unsafe.Pointer(unsafe.SliceData(data)), len(data), unsafe.Pointer(&text[0]))
}

type permanent bool

func (p permanent) Error() string   { return "permanent" }
func (p permanent) Permanent() bool { return bool(p) }

func TestVerdict(t *testing.T) {
	f := func(err error, want Verdict) {
		t.Helper()
		if got := verdict(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	f(nil, OK)
	f(errors.New("x"), Retry)
	f(permanent(true), Error)
	f(permanent(false), Retry)
	f(fmt.Errorf("topic logs: %w", permanent(true)), Error)
	f(errors.Join(errors.New("x"), permanent(true)), Error)
}

// Why a chunk was not taken is logged here, once: at level error where that drops it, else at level debug.
func TestFlushErrorsAreLogged(t *testing.T) {
	var o Output
	var err error
	h := start(t, &o, &fake{flush: func([]byte, string, bool) error { return err }})
	var out printed
	l := o.table.get(h.(uintptr)).log
	l.print = out.print
	f := func(level int, e error, want string) {
		t.Helper()
		l.atLevel(level)
		err = e
		flush(&o, h, []byte("chunk"), "app")
		if got := strings.Join(out.take(), "\n"); !strings.HasSuffix(got, want) || (want == "") != (got == "") {
			t.Errorf("%v: logged %q, want %q", e, got, want)
		}
	}
	flush(&o, h, nil, "") // what Init and the engine's thread have to say
	out.take()
	f(4, nil, "")
	f(3, errors.New("no broker"), "")
	f(4, errors.New("no broker"), `the chunk is to be brought again tag=app bytes=5 error="no broker"`)
	f(3, permanent(true), "the chunk is dropped tag=app bytes=5 error=permanent")
}

func TestFlushPassesWhatItGot(t *testing.T) {
	var o Output
	var data []byte
	var tag string
	h := start(t, &o, &fake{flush: func(d []byte, g string, _ bool) error {
		data, tag = d, g
		return nil
	}})
	chunk := []byte("chunk")
	if v := flush(&o, h, chunk, "app.log"); v != OK {
		t.Errorf("answered %d", v)
	}
	if &data[0] != &chunk[0] || len(data) != 5 || cap(data) != 5 || tag != "app.log" {
		t.Errorf("got %q with capacity %d and tag %q", data, cap(data), tag)
	}
	if v := flush(&o, h, nil, ""); v != OK || data != nil || tag != "" {
		t.Errorf("an empty chunk: answered %d with %q and tag %q", v, data, tag)
	}
}

// A handle that belongs to no instance, of whatever kind, has its chunk retried: on old hosts workers still drain when
// their instance is gone.
func TestFlushWithUnknownHandle(t *testing.T) {
	var o Output
	h := start(t, &o, &fake{flush: func([]byte, string, bool) error { return nil }})
	for _, bad := range []any{nil, uintptr(0), uintptr(99), 1, "1"} {
		if v := flush(&o, bad, []byte("x"), "t"); v != Retry {
			t.Errorf("handle %v: answered %d", bad, v)
		}
	}
	o.Exit(h)
	if v := flush(&o, h, []byte("x"), "t"); v != Retry {
		t.Errorf("after its exit: answered %d", v)
	}
}

func TestPanickingFlushAnswersOnPanic(t *testing.T) {
	for _, want := range []Verdict{Error, Retry} {
		o := Output{OnPanic: want}
		h := start(t, &o, &fake{flush: func([]byte, string, bool) error { panic("x") }})
		if v := flush(&o, h, []byte("x"), "t"); v != want {
			t.Errorf("answered %d, want %d", v, want)
		}
	}
}

// The host took the chunk back: RETRY, whatever OnPanic says, and no suspicion falls on the chunk.
func TestFlushOfVanishingChunkIsRetried(t *testing.T) {
	o := Output{OnPanic: Error}
	chunk, gone := mapped(t)
	logic := &isolating{isolated: func([]byte, string) error { t.Error("isolated"); return nil }}
	logic.flush = func(data []byte, _ string, _ bool) error { sum(data); return nil }
	h := start(t, &o, logic)
	if v := flush(&o, h, chunk, "t"); v != OK {
		t.Fatalf("while it was there: answered %d", v)
	}
	gone()
	for range 3 {
		if v := flush(&o, h, chunk, "t"); v != Retry {
			t.Errorf("answered %d, want RETRY", v)
		}
	}
}

func TestThirdAttemptIsIsolated(t *testing.T) {
	o := Output{OnPanic: Retry}
	var isolated []string
	logic := &isolating{isolated: func(data []byte, tag string) error {
		isolated = append(isolated, tag+":"+string(data))
		return nil
	}}
	logic.flush = func(data []byte, tag string, _ bool) error {
		if string(data) == "bad" {
			panic("bad")
		}
		return nil
	}
	h := start(t, &o, logic)
	f := func(chunk, tag string, want Verdict) {
		t.Helper()
		if v := flush(&o, h, []byte(chunk), tag); v != want {
			t.Errorf("%s:%s: answered %d, want %d", tag, chunk, v, want)
		}
	}
	f("bad", "a", Retry)
	f("good", "a", OK)
	f("bad", "b", Retry)
	f("bad", "a", Retry)
	f("bad", "a", OK) // the third attempt
	f("good", "a", OK)
	f("bad", "a", Retry) // forgotten: a new chunk with the same bytes
	f("bad", "b", Retry)
	f("bad", "b", OK)
	if len(isolated) != 2 || isolated[0] != "a:bad" || isolated[1] != "b:bad" {
		t.Errorf("isolated %q", isolated)
	}
}

// While a chunk's isolated attempt is answered RETRY it stays under suspicion.
func TestSuspicionLastsUntilAnAnswer(t *testing.T) {
	o := Output{OnPanic: Retry}
	var answers []error
	logic := &isolating{isolated: func([]byte, string) error {
		err := answers[0]
		answers = answers[1:]
		return err
	}}
	logic.flush = func([]byte, string, bool) error { panic("bad") }
	h := start(t, &o, logic)
	answers = []error{errors.New("no broker"), errors.New("no broker"), permanent(true)}
	for i, want := range []Verdict{Retry, Retry, Retry, Retry, Error, Retry} {
		if v := flush(&o, h, []byte("bad"), "t"); v != want {
			t.Errorf("attempt %d: answered %d, want %d", i+1, v, want)
		}
	}
}

// A chunk that panicked once and then went through is no suspect any more: while there is one, every chunk is hashed.
func TestOnePanicIsForgotten(t *testing.T) {
	o := Output{OnPanic: Retry}
	logic := &isolating{}
	bad := true
	logic.flush = func([]byte, string, bool) error {
		if bad {
			panic("x")
		}
		return nil
	}
	h := start(t, &o, logic)
	flush(&o, h, []byte("x"), "t")
	suspects := &o.table.get(h.(uintptr)).logic.suspects
	if !suspects.any() {
		t.Fatal("no suspicion after a panic")
	}
	bad = false
	if v := flush(&o, h, []byte("x"), "t"); v != OK || suspects.any() {
		t.Errorf("answered %d, suspicion %v", v, suspects.any())
	}
}

func TestSuspectsAreBounded(t *testing.T) {
	var s suspects
	if s.any() || s.panics([]byte("x"), "t") != 0 {
		t.Error("suspicious before anything happened")
	}
	s.forget([]byte("x"), "t")
	for i := range 3 * maxSuspects {
		s.add(fmt.Append(nil, i), "t")
	}
	if n := len(s.counts); n > maxSuspects {
		t.Errorf("%d suspects, want %d at most", n, maxSuspects)
	}
	// Where the tag ends and the chunk begins is part of what is hashed.
	s.add([]byte("bc"), "a")
	if s.panics([]byte("c"), "ab") != 0 {
		t.Error("another tag and chunk with the same bytes in a row")
	}
}

// The flush on the thread that started the instance blocks the host's engine.
func TestOnEngine(t *testing.T) {
	var o Output
	var onEngine []bool
	logic := &fake{flush: func(_ []byte, _ string, e bool) error { onEngine = append(onEngine, e); return nil }}
	thread := make(chan func())
	defer close(thread)
	go onOneThread(thread)
	call := func(f func()) {
		done := make(chan struct{})
		thread <- func() { f(); close(done) }
		<-done
	}
	var h any
	call(func() { h = start(t, &o, logic) })
	call(func() { flush(&o, h, []byte("x"), "t") })
	other := make(chan func())
	defer close(other)
	go onOneThread(other)
	done := make(chan struct{})
	other <- func() { flush(&o, h, []byte("x"), "t"); close(done) }
	<-done
	if len(onEngine) != 2 || !onEngine[0] || onEngine[1] {
		t.Errorf("on the engine: %v, want true and false", onEngine)
	}
}

// The test process has none of the host's functions, which makes it an old one: every exit ends all instances, each
// once. The newer way is tested with a real host.
func TestFirstExitOnOldHostEndsAll(t *testing.T) {
	var o Output
	logics := [3]fake{}
	var handles []any
	for i := range logics {
		handles = append(handles, start(t, &o, &logics[i]))
	}
	for range logics {
		if ret := o.Exit(handles[2]); ret != 1 {
			t.Errorf("answered %d", ret)
		}
	}
	for i := range logics {
		if n := logics[i].ends.Load(); n != 1 {
			t.Errorf("instance %d was ended %d times", i, n)
		}
	}
	again := fake{flush: func([]byte, string, bool) error { return nil }}
	h := start(t, &o, &again)
	for _, old := range handles {
		if h == old {
			t.Error("a handle was used twice")
		}
	}
	if v := flush(&o, h, []byte("x"), "t"); v != OK {
		t.Errorf("an instance after that: answered %d", v)
	}
}

func TestInitFails(t *testing.T) {
	var proxy [4]unsafe.Pointer
	for name, build := range map[string]func(*slog.Logger, option.Getter) (OutputLogic, error){
		"an error": func(*slog.Logger, option.Getter) (OutputLogic, error) { return nil, errors.New("brokers: missing") },
		"a panic":  func(*slog.Logger, option.Getter) (OutputLogic, error) { panic("x") },
	} {
		o := Output{New: build}
		ret := o.Init(unsafe.Pointer(&proxy), func(string) string { return "" }, func(any) { t.Errorf("%s: a handle was given out", name) })
		if ret != -1 || len(o.table.live) != 0 {
			t.Errorf("%s: answered %d and kept %d instances", name, ret, len(o.table.live))
		}
	}
}

// Starts, flushes and exits at the same time, as a reload with threads that drain brings them about.
func TestOutputConcurrently(t *testing.T) {
	var o Output
	var flushes atomic.Int32
	logic := &fake{flush: func([]byte, string, bool) error { flushes.Add(1); return nil }}
	h := start(t, &o, logic)
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 100 {
				if v := flush(&o, h, []byte("x"), "t"); v != OK && v != Retry {
					t.Errorf("answered %d", v)
				}
			}
		}()
	}
	for flushes.Load() == 0 {
	}
	o.Exit(h)
	wait.Wait()
	if n := logic.ends.Load(); n != 1 {
		t.Errorf("ended %d times", n)
	}
}
