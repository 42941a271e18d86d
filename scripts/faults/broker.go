package main

import (
	"context"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// brokerFaults: the broker dies, or stands still.
var brokerFaults = []Fault{{
	Name: "broker-killed", Group: 3, Short: true, BuiltIn: true,
	Title: "broker killed for 8 s, which is longer than flush_timeout",
	Class: Always(NoneLost),
	Run:   outage(8*time.Second, Setup{}, brokerKilled),
}, {
	Name: "broker-hangs", Group: 3, Short: true, BuiltIn: true,
	Title: "broker stands still for 8 s: it takes connections and requests and answers nothing",
	Class: Always(NoneLost),
	Run:   outage(8*time.Second, Setup{}, brokerHangs),
}, {
	Name: "broker-killed-60s", Group: 3, BuiltIn: true,
	Title: "broker killed for 60 s: inputs pause at storage.max_chunks_up",
	Class: overChunksUp,
	Run:   outage(60*time.Second, Setup{}, brokerKilled),
}, {
	Name: "broker-hangs-60s", Group: 3, BuiltIn: true,
	Title: "broker stands still for 60 s: inputs pause at storage.max_chunks_up",
	Class: overChunksUp,
	Run:   outage(60*time.Second, Setup{}, brokerHangs),
}, {
	Name: "broker-killed-room", Group: 3, BuiltIn: true,
	Title: "broker killed for 60 s, with room for that: storage.max_chunks_up 2000",
	Class: Always(NoneLost),
	Run:   outage(60*time.Second, room, brokerKilled),
}}

// room is the shipped configuration with a buffer for some minutes: chunks are counted, and five tags begin 25 a second.
var room = Setup{Changes: [][2]string{
	{`(?m)^(\s*storage\.max_chunks_up\s+)\d+`, "${1}2000"},
	{`(?m)^(\s*storage\.backlog\.mem_limit\s+)\S+`, "${1}4G"},
	{`(?m)^(\s*storage\.total_limit_size\s+)\S+`, "${1}6G"},
}}

func brokerKilled(ctx context.Context, r *Run) (mend func() error, err error) {
	return func() error { return r.StartBroker(ctx) }, r.KillBroker()
}

func brokerHangs(_ context.Context, r *Run) (mend func() error, err error) { return r.FreezeBroker() }

func overChunksUp(h fluentbit.Host) Class {
	const cut = "a Java event at the end of a read of 1 MB, as there are after a pause, arrives as two records"
	if h.KeepsUnmapped() {
		c := NoneLost.WithTorn()
		c.Why = cut
		return c
	}
	return HostBound("hosts before 1.9.9 zero a part of a chunk when several inputs go over storage.max_chunks_up together; " + cut).WithTorn()
}

// outage is a fault for some time under load. Outputs have workers, so the inputs go on, and so does the output beside.
func outage(lasts time.Duration, s Setup, begin func(context.Context, *Run) (mend func() error, err error)) func(context.Context, *Run) error {
	return func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, s); err != nil {
			return err
		}
		return r.UnderLoad(ctx, loggen.Config{Seed: 3}, func(ctx context.Context) error {
			mend, err := begin(ctx, r)
			if err != nil {
				return err
			}
			begun := time.Now()
			full, err := r.untilFull(ctx, begun.Add(lasts))
			if err != nil {
				return err
			}
			if err := mend(); err != nil {
				return err
			}
			r.Mended()
			r.mustMove(begun, full)
			return nil
		})
	}
}

// untilFull waits until a time, and returns when the buffer was full and the inputs paused, or that time.
func (r *Run) untilFull(ctx context.Context, until time.Time) (full time.Time, err error) {
	full = until
	for time.Now().Before(until) {
		if full == until && r.said("paused (storage buf overlimit") > 0 {
			full = time.Now()
		}
		if err := sleep(ctx, min(500*time.Millisecond, time.Until(until))); err != nil {
			return full, err
		}
	}
	return full, nil
}

// mustMove holds the host to what workers promise: while Kafka takes nothing the inputs' record counters move, and an
// output beside keeps receiving, until the buffer is full.
func (r *Run) mustMove(begun, full time.Time) {
	const most = 3 * time.Second
	input, second := r.Standstills(begun, full)
	r.Note("for %.0f s, until it ended or the buffer was full, the inputs stood still for %.1f s at most, and the output beside got nothing for %.1f s",
		full.Sub(begun).Seconds(), input.Seconds(), second.Seconds())
	if input > most || second > most {
		r.Fail("the inputs stood still for %v and the output beside got nothing for %v, at most %v is allowed", input, second, most)
	}
}
