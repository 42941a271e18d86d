package fieldmetrics

import "time"

// Series that nothing has updated for a rule's idle timeout go away: a gauge of something that is gone should not be
// shown for ever, and its place under max_series is wanted. Counters and histograms stay unless the configuration says
// otherwise, because one that comes back begins at 0. The clock is this machine's own, not that of the events, and runs
// whether or not anybody scrapes.

const minIdle, maxSweep = time.Second, time.Minute

// sweepEvery is how often idle series are looked for; 0 where no rule has any.
func sweepEvery(rules []*rule) (every time.Duration) {
	for _, r := range rules {
		if r.Idle > 0 && (every == 0 || r.Idle/4 < every) {
			every = r.Idle / 4
		}
	}
	if every == 0 {
		return 0
	}
	return min(max(every, minIdle/4), maxSweep)
}

// sweep removes idle series until stop is closed.
func (p *Plugin) sweep(every time.Duration) {
	defer close(p.swept)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			for _, r := range p.rules {
				r.expire(time.Now().UnixNano())
			}
		}
	}
}

// expire removes what has been idle for the rule's timeout.
func (r *rule) expire(now int64) {
	if r.Idle <= 0 {
		return
	}
	n := r.table.remove(func(s *series) bool { return !s.kept && now-s.used >= int64(r.Idle) })
	r.own.expired.Add(float64(n))
}
