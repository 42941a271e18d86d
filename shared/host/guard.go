package host

import (
	"fmt"
	"runtime/debug"
	"sync"
	"unsafe"
)

// maxPanicsKept bounds the distinct panics whose stack was logged; later ones are counted only.
const maxPanicsKept = 32

// maxStackLines bounds what is logged of a stack.
const maxStackLines = 60

// guard turns panics and faults of one instance into values. The zero value is ready; safe for concurrent use.
type guard struct {
	mu    sync.Mutex
	seen  map[string]int
	total int
	lost  int
}

// run calls f and returns the value it panicked with, nil when it did not. A fault in memory that the host has lent is
// a panic too: the runtime makes it one only where SetPanicOnFault is set, which holds for the calling goroutine and so
// has to be done in every call from the host. borrowed is the chunk that f works on, if any.
//
// A panic's stack is logged the first time that its message is seen; repetitions are logged as one line with the count
// when that count is a power of two. So is a chunk that the host took back, which is no mistake of logic's.
func (g *guard) run(log *logger, what string, borrowed []byte, f func()) (panicked any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			panicked = p
			if tookBack(p, borrowed) {
				g.reportLost(log, what)
			} else {
				g.report(log, what, p, debug.Stack())
			}
		}
	}()
	f()
	return nil
}

// tookBack tells whether a panic is a fault inside the chunk: reading within it is always right, so the memory is gone.
func tookBack(p any, chunk []byte) bool {
	fault, ok := p.(interface{ Addr() uintptr })
	if !ok {
		return false
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(chunk)))
	return fault.Addr()-start < uintptr(len(chunk))
}

func (g *guard) report(log *logger, what string, p any, stack []byte) {
	key := fmt.Sprintf("%s: %v", what, p)
	g.mu.Lock()
	g.total++
	if g.seen == nil {
		g.seen = map[string]int{}
	}
	if _, known := g.seen[key]; !known && len(g.seen) >= maxPanicsKept {
		// Messages may hold numbers that never repeat.
		key = what + ": others, of which no stack is shown"
		stack = nil
	}
	g.seen[key]++
	n := g.seen[key]
	g.mu.Unlock()

	s := log.slog()
	switch {
	case n == 1 && stack != nil:
		s.Error("panic in " + key)
		for i, line := range lines(string(stack)) {
			if i == maxStackLines {
				break
			}
			s.Error("  " + line)
		}
	case n&(n-1) == 0:
		s.Error("panic in "+key, "times", n)
	}
}

func (g *guard) reportLost(log *logger, what string) {
	g.mu.Lock()
	g.lost++
	n := g.lost
	g.mu.Unlock()
	if n&(n-1) == 0 {
		log.slog().Warn("the host took a chunk's memory back during a call, as old versions do when they stop; nothing is lost", "call", what, "times", n)
	}
}

// panics returns how many there were.
func (g *guard) panics() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}
