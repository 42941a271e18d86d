package host

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestGuardReturnsThePanic(t *testing.T) {
	l, _ := testLogger()
	var g guard
	if p := g.run(l, "flush", nil, func() {}); p != nil {
		t.Errorf("no panic, but %v", p)
	}
	if p := g.run(l, "flush", nil, func() { panic("x") }); p != "x" {
		t.Errorf("got %v, want x", p)
	}
	var zero map[string]int
	if p := g.run(l, "flush", nil, func() { zero["a"] = 1 }); p == nil {
		t.Error("a run-time error was not returned")
	}
	if n := g.panics(); n != 2 {
		t.Errorf("%d panics, want 2", n)
	}
}

// The stack is logged once for each message, and repetitions when their number is a power of two.
func TestGuardLogsStackOnce(t *testing.T) {
	l, out := testLogger()
	var g guard
	for range 9 {
		g.run(l, "flush", nil, func() { panic("again") })
		l.drain()
	}
	text := strings.Join(out.take(), "\n")
	if n := strings.Count(text, "debug.Stack()"); n != 1 {
		t.Errorf("%d stacks, want one:\n%s", n, text)
	}
	if !strings.Contains(text, "TestGuardLogsStackOnce") {
		t.Errorf("the stack does not say where:\n%s", text)
	}
	for _, want := range []string{"again times=2", "again times=4", "again times=8"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "times="); n != 3 {
		t.Errorf("%d repetitions logged, want 3", n)
	}
}

// Messages with a number in them never repeat. Their stacks are bounded all the same.
func TestGuardBoundsDistinctPanics(t *testing.T) {
	l, out := testLogger()
	var g guard
	for i := range maxPanicsKept + 100 {
		g.run(l, "flush", nil, func() { panic(fmt.Sprintf("index %d", i)) })
		l.drain()
	}
	text := strings.Join(out.take(), "\n")
	if n := strings.Count(text, "debug.Stack()"); n != maxPanicsKept {
		t.Errorf("%d stacks, want %d", n, maxPanicsKept)
	}
	if !strings.Contains(text, "others, of which no stack is shown times=64") {
		t.Error("what came on top was not counted")
	}
	if len(g.seen) > maxPanicsKept+1 || g.panics() != maxPanicsKept+100 {
		t.Errorf("%d messages kept, %d panics", len(g.seen), g.panics())
	}
}

// mapped returns memory that gone makes unreadable.
func mapped(t *testing.T) (chunk []byte, gone func()) {
	t.Helper()
	size := os.Getpagesize()
	chunk, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(chunk) })
	return chunk, func() {
		if err := syscall.Mprotect(chunk, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
}

// sum reads every byte. Not inlined, so that the compiler does not see that nobody wants the result.
//
//go:noinline
func sum(b []byte) (n int) {
	for _, c := range b {
		n += int(c)
	}
	return n
}

// A fault in lent memory is the host's doing. It is told apart from logic's own faults, and has no stack to show.
func TestGuardKnowsWhatTheHostTookBack(t *testing.T) {
	chunk, gone := mapped(t)
	other, otherGone := mapped(t)
	gone()
	otherGone()
	l, out := testLogger()
	var g guard
	p := g.run(l, "flush", chunk, func() { sum(chunk) })
	if p == nil || !tookBack(p, chunk) {
		t.Errorf("a fault in the chunk: %v", p)
	}
	if p := g.run(l, "flush", chunk[8:16], func() { sum(chunk[12:]) }); p == nil || !tookBack(p, chunk[8:16]) {
		t.Errorf("a fault in a part of the chunk: %v", p)
	}
	l.drain()
	got := out.take()
	if len(got) != 2 || !strings.HasPrefix(got[0], "2 ") || !strings.Contains(got[1], "times=2") || g.panics() != 0 {
		t.Errorf("logged %q and counted %d panics", got, g.panics())
	}

	for what, f := range map[string]func(){
		"a fault elsewhere": func() { sum(other) },
		"a nil pointer":     func() { sum(*(*[]byte)(nil)) },
		"a panic":           func() { panic("x") },
		"an error":          func() { panic(errors.New("x")) },
	} {
		if p := g.run(l, "flush", chunk, f); p == nil || tookBack(p, chunk) {
			t.Errorf("%s: %v was taken for one in the chunk", what, p)
		}
	}
	if g.panics() != 4 {
		t.Errorf("%d panics, want 4", g.panics())
	}
}

func TestGuardConcurrently(t *testing.T) {
	l, _ := testLogger()
	l.print = func(int, string) {}
	var g guard
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range 50 {
				g.run(l, "flush", nil, func() { panic(i % 5) })
				l.drain()
			}
		}()
	}
	wait.Wait()
	if g.panics() != 400 {
		t.Errorf("%d panics, want 400", g.panics())
	}
}
