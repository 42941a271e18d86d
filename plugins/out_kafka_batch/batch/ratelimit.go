package batch

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"flbgo/shared/option"
)

// errRate is what a flush fails with that would have to wait too long.
var errRate = errors.New("rate_limit: the chunk has to wait")

// rateConfig is how much may be sent; 0 is no limit.
type rateConfig struct {
	rateRecords, rateRecordsBurst int
	rateBytes, rateBytesBurst     int
}

func (c *rateConfig) parse(v *option.Values) {
	burst := func(limit, burst string) (int, int) {
		n, b := int(v.Int(limit)), int(v.Int(burst))
		if n == 0 && b > 0 {
			v.Fail(burst, "needs %s, for example: %s 5000", limit, limit)
		}
		if b == 0 {
			b = n
		}
		return n, b
	}
	c.rateRecords, c.rateRecordsBurst = burst("rate_limit", "rate_limit_burst")
	c.rateBytes, c.rateBytesBurst = burst("rate_limit_bytes", "rate_limit_bytes_burst")
}

// limiter holds what is taken to a rate. A chunk goes as a whole, also one that is larger than the burst: it goes when
// its first record may, and what it is in debt then, later ones wait for. Otherwise a chunk of more than flush_timeout's
// worth would never go. Safe for concurrent use; nil limits nothing.
type limiter struct {
	records, bytes *rate.Limiter // nil: no limit
}

func newLimiter(c rateConfig) *limiter {
	if c.rateRecords == 0 && c.rateBytes == 0 {
		return nil
	}
	l := &limiter{}
	if c.rateRecords > 0 {
		l.records = rate.NewLimiter(rate.Limit(c.rateRecords), c.rateRecordsBurst)
	}
	if c.rateBytes > 0 {
		l.bytes = rate.NewLimiter(rate.Limit(c.rateBytes), c.rateBytesBurst)
	}
	return l
}

// wait waits until a chunk may be taken, or tells at once that ctx ends before. Then nothing of the rate is used up.
func (l *limiter) wait(ctx context.Context, records, bytes int) error {
	if l == nil {
		return nil
	}
	now := time.Now()
	all, delay := reserve(nil, 0, l.records, now, records)
	all, delay = reserve(all, delay, l.bytes, now, bytes)
	deadline, ok := ctx.Deadline()
	if ok && now.Add(delay).After(deadline) || !sleep(ctx, delay) {
		for i := len(all) - 1; i >= 0; i-- {
			all[i].CancelAt(now)
		}
		return errRate
	}
	return nil
}

// reserve takes n from a limiter, in pieces that it can grant, and adds them to all. The first piece is 1, so that a large
// chunk waits no longer than a small one; delay is how long that has to wait, or as it was if that is longer.
func reserve(all []*rate.Reservation, delay time.Duration, l *rate.Limiter, now time.Time, n int) ([]*rate.Reservation, time.Duration) {
	if l == nil {
		return all, delay
	}
	for piece := min(n, 1); piece > 0; piece = min(n, l.Burst()) {
		r := l.ReserveN(now, piece)
		if len(all) == 0 || piece == 1 {
			delay = max(delay, r.DelayFrom(now))
		}
		all = append(all, r)
		n -= piece
	}
	return all, delay
}
