package batch

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait after attempt number attempt, from 0, has failed: exponential, with full jitter.
func (c *config) backoff(attempt int) time.Duration {
	limit := c.backoffMin
	for ; attempt > 0 && limit < c.backoffMax; attempt-- {
		limit *= 2
	}
	return rand.N(min(limit, c.backoffMax))
}

// sleep waits and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
