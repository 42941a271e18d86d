package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"flbgo/scripts/internal/benchdata"
	"flbgo/scripts/internal/contracthost"
	"flbgo/scripts/internal/devkafka"
	"flbgo/shared/testkit/chunks"
)

// cost of one measurement.
type cost struct {
	cpu  float64 // nanoseconds per record, of the host's process
	rate float64 // records per second
}

// running is a setting in a host of its own.
type running struct {
	setting
	host   *contracthost.Host
	broker *devkafka.Broker
}

func start(ctx context.Context, p contracthost.Program, s setting) (_ *running, err error) {
	r := &running{setting: s}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	options := s.options
	if s.plugin == kafka {
		r.broker, err = devkafka.Start(ctx, devkafka.Config{Listen: "127.0.0.1:0", Topics: []devkafka.Topic{{Name: "logs", Partitions: int32(s.partitions)}}})
		if err != nil {
			return nil, err
		}
		options = append([]string{"brokers=" + r.broker.Addr()}, options...)
	}
	if r.host, err = p.Start(ctx, contracthost.Options{Plugin: s.plugin, Options: options, Workers: s.workers}); err != nil {
		return nil, err
	}
	for c := range s.chunks {
		data, err := benchdata.Chunk(size, c*s.records, s.records, func(seq int, members chunks.Pairs) {
			if s.series == 0 {
				return
			}
			// In another order than that of the numbers, all of them before one comes again.
			members[slices.Index(members, any("user_id"))+1] = fmt.Sprintf("u-%08d", seq*7919%s.series)
		})
		if err != nil {
			return nil, err
		}
		if err := r.host.Chunk(fmt.Sprint(c), data); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// pass gives all chunks, or one chunk with all tags, the passes times. A chunk that comes again with the same tag does
// so in one command: the host's part in it is small then.
func (r *running) pass() (cost, error) {
	before, err := r.host.CPU()
	if err != nil {
		return cost{}, err
	}
	begin := time.Now()
	// As many commands as there are, or workers to keep busy, whichever is more.
	commands := max(r.tags, r.chunks, 1)
	times := r.passes
	if commands == 1 {
		commands = max(1, r.workers)
		times = max(1, r.passes/commands)
	}
	if r.tags > 1 || r.chunks > 1 {
		times = 1
	}
	records := 0
	type given struct{ job, times int }
	var jobs []given
	repeat := r.passes
	if times > 1 || r.tags == 1 && r.chunks == 1 {
		repeat = 1
	}
	for range repeat {
		for i := range commands {
			job, err := r.host.Give(fmt.Sprintf("app.svc-%04d.log", i%r.tags), fmt.Sprint(i%r.chunks), times)
			if err != nil {
				return cost{}, err
			}
			jobs = append(jobs, given{job, times})
			records += times * r.records
		}
	}
	for _, j := range jobs {
		if err := r.host.Wait(j.job, j.times); err != nil {
			return cost{}, err
		}
	}
	took := time.Since(begin)
	after, err := r.host.CPU()
	return cost{float64(after-before) / float64(records), float64(records) / took.Seconds()}, err
}

func (r *running) close() {
	if r.host != nil {
		r.host.Kill()
	}
	if r.broker != nil {
		r.broker.Close()
	}
}

// measure runs the cases of an axis by turns, and returns their costs by case and round.
func measure(ctx context.Context, p contracthost.Program, a axis, rounds int) ([][]cost, error) {
	var all []*running
	defer func() {
		for _, r := range all {
			r.close()
		}
	}()
	costs := make([][]cost, len(a.cases))
	for _, s := range a.cases {
		r, err := start(ctx, p, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.label, err)
		}
		all = append(all, r)
		// Connections, tables and buffers are made, and a second time around is like the third.
		for range 2 {
			if _, err := r.pass(); err != nil {
				return nil, fmt.Errorf("%s: %w", s.label, err)
			}
		}
	}
	for round := range rounds {
		order := make([]int, len(all))
		for i := range order {
			order[i] = i
		}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c, err := all[i].pass()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.cases[i].label, err)
			}
			costs[i] = append(costs[i], c)
		}
	}
	return costs, nil
}
