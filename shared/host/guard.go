package host

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// maxPanicsKept bounds the distinct panics whose stack was logged; later ones are counted only.
const maxPanicsKept = 32

// guard turns panics and faults of one instance into values. The zero value is ready; safe for concurrent use.
type guard struct {
	mu    sync.Mutex
	seen  map[string]int
	total int
}

// run calls f and returns the value it panicked with, nil when it did not. A fault in borrowed memory is a panic too:
// the runtime makes it one only where SetPanicOnFault is set, which holds for the calling goroutine and so has to be
// done in every call from the host.
//
// A panic's stack is logged the first time that its message is seen; repetitions are logged as one line with the count
// when that count is a power of two.
func (g *guard) run(log *logger, what string, f func()) (panicked any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			panicked = p
			g.report(log, what, p, debug.Stack())
		}
	}()
	f()
	return nil
}

func (g *guard) report(log *logger, what string, p any, stack []byte) {
	key := fmt.Sprintf("%s: %v", what, p)
	g.mu.Lock()
	g.total++
	if g.seen == nil {
		g.seen = map[string]int{}
	}
	n := g.seen[key] + 1
	if n > 1 || len(g.seen) < maxPanicsKept {
		g.seen[key] = n
	}
	g.mu.Unlock()

	s := log.slog()
	switch {
	case n == 1:
		s.Error("panic in " + key)
		for i, line := range lines(string(stack)) {
			if i == 60 {
				break
			}
			s.Error("  " + line)
		}
	case n&(n-1) == 0:
		s.Error("panic in "+key, "times", n)
	}
}

// panics returns how many there were.
func (g *guard) panics() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}
