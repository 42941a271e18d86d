package main

import (
	"context"
	"time"

	"flbgo/scripts/internal/loggen"
)

// networkFaults: the broker is there, and what is between is bad. devkafka does it, see devkafka.Faults.
var networkFaults = []Fault{{
	Name: "answers-cut", Group: 4, Short: true, BuiltIn: true,
	Title: "the connection ends after the broker appended a batch and before it answered, again and again",
	// The batch is sent again with its sequence, and the broker knows it.
	Class: Always(NoneLost),
	Run: badNetwork(Setup{}, rate, nil, func(ctx context.Context, r *Run) error {
		r.Faults.CutNext(1 + r.Rand.IntN(3))
		return sleep(ctx, r.between(200*time.Millisecond, 1200*time.Millisecond))
	}, func(r *Run) {
		r.Faults.CutNext(0)
		lost, _, _ := r.Faults.Counts()
		r.Note("%d answers lost", lost)
		if lost == 0 {
			r.Fail("no answer was lost: nothing was tested")
		}
	}),
}, {
	Name: "resets", Group: 4, Short: true, BuiltIn: true,
	Title: "every connection reset at random moments",
	Class: Always(NoneLost),
	Run: badNetwork(Setup{}, rate, nil, func(ctx context.Context, r *Run) error {
		r.reset += r.Faults.Reset(func() bool { return r.Rand.IntN(2) == 0 })
		return sleep(ctx, r.between(20*time.Millisecond, 500*time.Millisecond))
	}, func(r *Run) {
		r.Note("%d connections reset, those of the reading client among them", r.reset)
		if r.reset == 0 {
			r.Fail("no connection was reset: nothing was tested")
		}
	}),
}, {
	Name: "latency", Group: 4, Short: true, BuiltIn: true,
	Title: "every answer comes 500 ms late",
	Class: Always(NoneLost),
	Run: badNetwork(Setup{}, rate, func(r *Run) { r.Faults.Delay(500 * time.Millisecond) }, nil, func(r *Run) {
		r.Faults.Delay(0)
		r.Note("%d lines on their way at the end of it", r.live.Progress().Missing)
	}),
}, {
	Name: "slow-link", Group: 4, Short: true, BuiltIn: true,
	Title: "a link of 1 Mbit/s to the broker, which is less than there is to carry",
	Class: Always(NoneLost),
	Run: badNetwork(room, 3*rate, func(r *Run) { r.Faults.Limit(1_000_000 / 8) }, nil, func(r *Run) {
		r.Faults.Limit(0)
		r.Note("%d lines on their way at the end of it", r.live.Progress().Missing)
	}),
}}

// badNetwork is a fault that begins, goes on and ends while so many lines a second are written. begin and goOn may be nil.
func badNetwork(s Setup, lines float64, begin func(*Run), goOn func(context.Context, *Run) error, end func(*Run)) func(context.Context, *Run) error {
	return func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, s); err != nil {
			return err
		}
		lasts := 20 * time.Second
		if r.Short {
			lasts = 6 * time.Second
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 4, Rate: lines}, func(ctx context.Context) error {
			if begin != nil {
				begin(r)
			}
			for until := time.Now().Add(lasts); time.Now().Before(until); {
				if goOn == nil {
					goOn = func(ctx context.Context, _ *Run) error { return sleep(ctx, lasts) }
				}
				if err := goOn(ctx, r); err != nil {
					return err
				}
			}
			end(r)
			r.Mended()
			return nil
		})
	}
}
