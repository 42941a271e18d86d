package main

import (
	"sync"
	"sync/atomic"
)

// gate is where calls wait until the host lets them go, so that a test decides what happens meanwhile. Closed at first,
// and again once all who waited have passed.
var gate gates

type gates struct {
	mu      sync.Mutex
	waiting int
	open    chan struct{}
	said    atomic.Int64 // log lines of goroutines behind the gate
}

func (g *gates) pass() {
	g.mu.Lock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
	open := g.open
	g.waiting++
	g.mu.Unlock()
	<-open
}

func (g *gates) letGo() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.waiting
	if n > 0 {
		close(g.open)
		g.open, g.waiting = nil, 0
	}
	return n
}

func (g *gates) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}
