package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Account is what scrapes of kafka_batch's metrics have said, over any number of starts of the host. Its methods are safe
// for concurrent use.
type Account struct {
	mu      sync.Mutex
	scrapes int
	last    map[string]float64
	past    map[string]float64 // what the lives before the present one had counted at their last scrape
	broken  []string

	quit func()
	done chan struct{}
}

// maxBroken bounds the examples of scrapes that broke the law.
const maxBroken = 5

// Watch scrapes until Stop is called, and holds every scrape to the law that no record goes unaccounted.
func (p *Pipeline) Watch(ctx context.Context) *Account {
	ctx, cancel := context.WithCancel(ctx)
	a := &Account{past: map[string]float64{}, quit: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if m, err := p.Scrape(ctx); err == nil { // else it is not up
				a.add(m)
			}
		}
	}()
	return a
}

// add takes one scrape into account.
func (a *Account) add(m map[string]float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m["records_taken_total"] < a.last["records_taken_total"] {
		for name, v := range a.last {
			a.past[name] += v
		}
	}
	a.scrapes, a.last = a.scrapes+1, m
	if d := Unaccounted(m); d != 0 && len(a.broken) < maxBroken {
		a.broken = append(a.broken, fmt.Sprintf("%v of %v", d, m["records_taken_total"]))
	}
}

// Stop ends the watching.
func (a *Account) Stop() {
	a.quit()
	<-a.done
}

// Scrapes is how many there were so far.
func (a *Account) Scrapes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.scrapes
}

// Last is the last scrape; nil as long as there is none. It is not to be written to.
func (a *Account) Last() map[string]float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Broken are examples of scrapes that broke the law, in words.
func (a *Account) Broken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// Total is a counter over all starts of the host, as far as scrapes have seen it: what was counted between the last scrape
// of a life and its end is not in it.
func (a *Account) Total(name string) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.past[name] + a.last[name]
}
