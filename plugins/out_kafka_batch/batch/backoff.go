package batch

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// backoff is how long to wait after attempt number attempt, from 0, has failed: exponential, with full jitter.
func backoff(attempt int) time.Duration {
	limit := maxBackoff
	if attempt < 6 {
		limit = min(minBackoff<<attempt, maxBackoff)
	}
	return rand.N(limit)
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
