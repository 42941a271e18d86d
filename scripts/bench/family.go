package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"flbgo/scripts/internal/fluentbit"
)

// host measures all rows with one Fluent Bit and saves after each family.
func (b *bench) host(ctx context.Context, h fluentbit.Host, stdout io.Writer) error {
	b.say("%s", h)
	has, err := capabilities(ctx, h)
	if err != nil {
		return err
	}
	rep, err := loadReport(b.out, h.Version)
	if err != nil {
		return err
	}
	var names []string
	for _, rows := range families(b.rows) {
		results, err := b.family(ctx, h, has, rows)
		if err != nil {
			return fmt.Errorf("rows %s: %w", rows[0].family, err)
		}
		for _, res := range results {
			rep.put(res)
			names = append(names, res.Name)
		}
		if err := rep.save(); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, rep.text(names))
	return err
}

// families cuts rows where the family changes.
func families(rows []row) (f [][]row) {
	for _, r := range rows {
		if n := len(f); n > 0 && f[n-1][0].family == r.family {
			f[n-1] = append(f[n-1], r)
		} else {
			f = append(f, []row{r})
		}
	}
	return f
}

// turn is what a family runs in each round: the null run and every side once, however many rows have it. They go by
// name: a side is what its configuration says.
func turn(rows []row, skipped map[string]string) []*side {
	sides := []*side{&null}
	add := func(s *side) {
		if !slices.ContainsFunc(sides, func(o *side) bool { return o.conf == s.conf }) {
			sides = append(sides, s)
		}
	}
	for i := range rows {
		add(&rows[i].ours)
		if skipped[rows[i].name] == "" {
			add(&rows[i].builtin)
		}
	}
	return sides
}

// family measures the rows of one, which read one file.
func (b *bench) family(ctx context.Context, h fluentbit.Host, has map[string]bool, rows []row) ([]Result, error) {
	skipped, same := map[string]string{}, map[string]string{}
	late := map[string]bool{} // configurations whose latency is measured
	for _, r := range rows {
		lacks := slices.DeleteFunc(slices.Clone(r.builtin.needs), func(need string) bool { return has[need] })
		if len(lacks) > 0 {
			skipped[r.name] = fmt.Sprintf("%s has no %s", h, strings.Join(lacks, ", no "))
			b.say("  %s: peer %s skipped: %s", r.name, r.builtin.name(), skipped[r.name])
		}
		late[r.ours.conf] = late[r.ours.conf] || r.latency
		late[r.builtin.conf] = late[r.builtin.conf] || r.latency
		if b.check == 0 || !r.same || skipped[r.name] != "" {
			continue
		}
		s, err := b.same(ctx, h, r)
		if err != nil {
			return nil, fmt.Errorf("%s: comparing results: %w", r.name, err)
		}
		same[r.name] = s
		b.say("  %s: %s", r.name, s)
	}
	sides := turn(rows, skipped)
	data := b.data[rows[0].size]
	runs, latencies := map[string][]Run{}, map[string][]LatencyRun{}
	for round := range b.rounds {
		// Whatever drifts, drifts for and against each.
		turn := slices.Clone(sides)
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, s := range turn {
			m, err := b.bulk(ctx, h, s, data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.conf, err)
			}
			runs[s.conf] = append(runs[s.conf], m)
			b.say("  %s: round %d of %d, %-20s %6.2f s CPU, %7.0f records/s, %4.0f MB", rows[0].family, round+1, b.rounds, s.name(),
				m.CPU, m.rate(), float64(m.RSS)/1e6)
		}
		if b.latency == 0 || round >= b.latencyRounds {
			continue
		}
		for _, s := range turn {
			if !late[s.conf] {
				continue
			}
			m, err := b.fixedRate(ctx, h, s)
			if err != nil {
				return nil, fmt.Errorf("%s at %d lines/s: %w", s.conf, b.rate, err)
			}
			latencies[s.conf] = append(latencies[s.conf], m)
			b.say("  %s: round %d of %d, %-20s p50 %.3f s, p99 %.3f s at %d lines/s", rows[0].family, round+1, b.rounds, s.name(), m.P50, m.P99, b.rate)
		}
	}
	var results []Result
	for _, r := range rows {
		res := b.newResult(h, r)
		res.Skipped, res.Same = skipped[r.name], same[r.name]
		res.Null, res.Ours = runs[null.conf], runs[r.ours.conf]
		if r.latency {
			res.OursLatency = latencies[r.ours.conf]
		}
		if res.Skipped == "" {
			res.Builtin = runs[r.builtin.conf]
			if r.latency {
				res.BuiltinLatency = latencies[r.builtin.conf]
			}
		}
		res.measure(r)
		results = append(results, res)
	}
	return results, nil
}
