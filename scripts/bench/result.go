package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"flbgo/scripts/internal/fluentbit"
)

// Names of measures.
const (
	cpuPerRecord     = "CPU per record"
	wholePerRecord   = "CPU per record, input included"
	recordsPerSecond = "records/s end to end"
	peakRSS          = "peak RSS"
	latencyP50       = "latency p50"
	latencyP99       = "latency p99"
	cpuAtRate        = "CPU at the fixed rate"
)

// Result is one row, measured.
type Result struct {
	Name           string       `json:"name"`
	What           string       `json:"what"`
	Time           time.Time    `json:"time"`
	Machine        string       `json:"machine"`
	Versions       string       `json:"versions"`
	Commit         string       `json:"commit"`
	Command        string       `json:"command"`
	Broker         string       `json:"broker"`
	Lines          int          `json:"lines"`
	LineBytes      float64      `json:"line_bytes"`
	Rate           int          `json:"latency_rate"`
	Ours           []Run        `json:"ours"`
	Builtin        []Run        `json:"builtin"`
	Null           []Run        `json:"null"`
	OursLatency    []LatencyRun `json:"ours_latency"`
	BuiltinLatency []LatencyRun `json:"builtin_latency"`
	Same           string       `json:"same,omitempty"`
	Skipped        string       `json:"skipped,omitempty"` // why there is no peer
	Floor          string       `json:"floor,omitempty"`
	Measures       []Measure    `json:"measures"`
	OursSide       Side         `json:"ours_configuration"`
	BuiltinSide    Side         `json:"builtin_configuration"`
}

// Side is a configuration as it was run.
type Side struct {
	Name    string `json:"name"`
	Command string `json:"command"`
}

// Measure is one line of the table. Builtin and Ratio are zero without a peer.
type Measure struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit"`
	Ours    Stat     `json:"ours"`
	Builtin Stat     `json:"builtin"`
	Ratio   Stat     `json:"ratio"` // of each round, not of the medians
	Targets []string `json:"targets,omitempty"`
}

func (b *bench) newResult(h fluentbit.Host, r row) Result {
	res := Result{
		Name: r.name, What: r.what, Time: time.Now().UTC().Truncate(time.Second),
		Machine: machine(), Versions: versions(h), Commit: commit(b.root),
		Command: "make bench-peers",
		Lines:   b.data[r.size].Lines, LineBytes: b.data[r.size].LineBytes(), Rate: b.rate, Floor: r.floor,
		OursSide:    Side{r.ours.name(), r.ours.command()},
		BuiltinSide: Side{r.builtin.name(), r.builtin.command()},
	}
	if r.ours.kafka {
		res.Broker = fmt.Sprintf("devkafka (kfake) in a process of its own, %d partitions, in memory", partitions)
		if os.Getenv("KAFKA_BROKERS") != "" {
			res.Broker = fmt.Sprintf("KAFKA_BROKERS, %d partitions", partitions)
		}
	}
	if len(b.args) > 0 {
		res.Command += " BENCH='" + strings.Join(b.args, " ") + "'"
	}
	return res
}

// measure computes the measures of a row from its runs.
func (res *Result) measure(r row) {
	record := func(runs []Run) []float64 {
		v := make([]float64, len(runs))
		for i, run := range runs {
			v[i] = run.CPU
			if !r.whole {
				v[i] -= res.Null[i].CPU
			}
			v[i] *= 1e6 / float64(res.Lines)
		}
		return v
	}
	name := cpuPerRecord
	if r.whole {
		name = wholePerRecord
	}
	res.add(r, name, "µs", record(res.Ours), record(res.Builtin))
	res.add(r, recordsPerSecond, "", each(res.Ours, Run.rate), each(res.Builtin, Run.rate))
	rss := func(r Run) float64 { return float64(r.RSS) / 1e6 }
	res.add(r, peakRSS, "MB", each(res.Ours, rss), each(res.Builtin, rss))
	if len(res.OursLatency) == 0 {
		return
	}
	o, p := res.OursLatency, res.BuiltinLatency
	p50, p99 := func(l LatencyRun) float64 { return l.P50 }, func(l LatencyRun) float64 { return l.P99 }
	res.add(r, latencyP50, "s", each(o, p50), each(p, p50))
	res.add(r, latencyP99, "s", each(o, p99), each(p, p99))
	cpu := func(l LatencyRun) float64 { return l.CPU * 1e6 / float64(l.Lines) }
	res.add(r, cpuAtRate, "µs per record, input included", each(o, cpu), each(p, cpu))
}

func (res *Result) add(r row, name, unit string, ours, builtin []float64) {
	m := Measure{Name: name, Unit: unit, Ours: stat(ours), Builtin: stat(builtin), Ratio: stat(over(ours, builtin))}
	for _, t := range r.targets {
		if t.measure != name && !(t.measure == cpuPerRecord && name == wholePerRecord) {
			continue
		}
		got, what := m.Ours.Median, "ours"
		if t.of == "ratio" {
			if len(builtin) == 0 {
				continue
			}
			got, what = m.Ratio.Median, "ratio"
		}
		sign, met := "≤", got <= t.bound
		if t.atLeast {
			sign, met = "≥", got >= t.bound
		}
		verdict := "met"
		if !met {
			verdict = "missed"
		}
		m.Targets = append(m.Targets, fmt.Sprintf("%s %s %g: %s", what, sign, t.bound, verdict))
	}
	res.Measures = append(res.Measures, m)
}

// notes are what a reader must know about the runs: complaints of a host, records that were lost or sent twice.
func (res *Result) notes() []string {
	var notes []string
	side := func(name string, runs []Run, lat []LatencyRun) {
		var complaints, twice, lost, dup int
		var first string
		for _, r := range runs {
			complaints += r.Complaints
			twice += int(r.Records) - res.Lines
			if first == "" {
				first = r.Complaint
			}
		}
		for _, r := range lat {
			complaints += r.Complaints
			lost += r.Lost
			dup += r.Duplicates
			if first == "" {
				first = r.Complaint
			}
		}
		if complaints > 0 {
			notes = append(notes, fmt.Sprintf("%s logged %d warnings and errors, the first: `%s`", name, complaints, first))
		}
		if twice > 0 {
			notes = append(notes, fmt.Sprintf("%s sent %d records more than there were lines", name, twice))
		}
		if lost > 0 || dup > 0 {
			notes = append(notes, fmt.Sprintf("%s at the fixed rate: %d lines not delivered %v after the last, %d records twice", name, lost, patience, dup))
		}
	}
	var others, took float64
	for _, runs := range [][]Run{res.Null, res.Ours, res.Builtin} {
		for _, r := range runs {
			others += r.Others
			took += r.Seconds + settle.Seconds()
		}
	}
	if others > took/20 {
		notes = append(notes, fmt.Sprintf("other processes of the machine used %.2f of a CPU meanwhile: measure again without them", others/took))
	}
	side(res.OursSide.Name, res.Ours, res.OursLatency)
	side(res.BuiltinSide.Name, res.Builtin, res.BuiltinLatency)
	return notes
}
