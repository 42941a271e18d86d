package main

import (
	"context"
	"time"

	"flbgo/scripts/internal/loggen"
)

// killFaults: Fluent Bit dies.
var killFaults = []Fault{{
	Name: "sigkill", Group: 1, Short: true, BuiltIn: true,
	Title: "Fluent Bit killed with SIGKILL mid-stream, 20 times at random moments",
	// What is on disk goes out again, and what was read behind the last saved offset is read again.
	Class: Always(NoneLost.WithCopies()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, Setup{}); err != nil {
			return err
		}
		kills := 20
		if r.Short {
			kills = 6
		}
		r.Note("%d kills", kills)
		return r.UnderLoad(ctx, loggen.Config{Seed: 1, RotateEvery: 2000}, func(ctx context.Context) error {
			for range kills {
				// From before it has read its first line to well into its work.
				if err := sleep(ctx, r.between(50*time.Millisecond, 2500*time.Millisecond)); err != nil {
					return err
				}
				r.KillHost()
				if err := sleep(ctx, r.between(0, 500*time.Millisecond)); err != nil {
					return err
				}
				if err := r.StartHost(); err != nil {
					return err
				}
				r.Mended()
			}
			return nil
		})
	},
}}

// between is a random time.
func (r *Run) between(least, most time.Duration) time.Duration {
	return least + time.Duration(r.Rand.Int64N(int64(most-least)))
}
