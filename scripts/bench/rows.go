package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"flbgo/scripts/internal/fluentbit"
)

// side is one configuration of peers/ and what it takes to run it.
type side struct {
	conf    string   // file in peers/
	plugins []string // files in bin/
	needs   []string // what the host must have: "output kafka", "filter lua"
	kafka   bool     // delivers to Kafka
	metrics bool     // serves the histogram
	partial bool     // which may lack the last records: they are not waited for
}

// name is the configuration's, without its extension.
func (s *side) name() string { return strings.TrimSuffix(s.conf, ".conf") }

// command is what a user would type, for the report.
func (s *side) command() string {
	c := "fluent-bit"
	for _, p := range s.plugins {
		c += " -e bin/" + p
	}
	return c + " -c scripts/bench/peers/" + s.conf
}

// row is one comparison.
type row struct {
	name, what    string
	ours, builtin side
	same          bool // both make the same of a record, which is checked
	whole         bool // the process counts with its input, not what it costs above the null run
	latency       bool
	targets       []target
}

// target is a bound for a measure: at most, or at least.
type target struct {
	measure string // one of the names in result.go
	of      string // "ours" or "ratio"
	atLeast bool
	bound   float64
}

const (
	kafkaSO   = "out_kafka_batch.so"
	metricsSO = "out_field_metrics.so"
	enrichSO  = "flb-filter_enrich.so"
)

// null is the run that every other is held against.
var null = side{conf: "null.conf"}

var (
	kafkaBatch   = side{conf: "kafka_batch.conf", plugins: []string{kafkaSO}, kafka: true}
	builtinKafka = side{conf: "kafka.conf", needs: kafkaNeeds, kafka: true}
	kafkaNeeds   = []string{"output kafka"}
	enrich       = side{conf: "enrich.conf", plugins: []string{enrichSO}}
	fieldMetrics = side{conf: "field_metrics.conf", plugins: []string{metricsSO}, metrics: true}
	metricsNeeds = []string{"filter log_to_metrics", "output prometheus_exporter"}
	whole        = side{conf: "whole.conf", plugins: []string{enrichSO, metricsSO, kafkaSO}, kafka: true, metrics: true}
	wholeNeeds   = []string{"filter lua", "filter log_to_metrics", "output prometheus_exporter", "output kafka"}
)

// rows is the table: everything that is compared, and the targets. What a configuration says is in its file alone.
var rows = []row{
	{
		name: "kafka_batch", what: "delivery to Kafka, LZ4, acknowledged by all replicas; no record_id, so that both do the same",
		ours: kafkaBatch, builtin: builtinKafka,
		same: true, latency: true,
		targets: []target{
			{measure: cpuPerRecord, of: "ratio", bound: 0.22},
			{measure: recordsPerSecond, of: "ratio", atLeast: true, bound: 2.2},
			{measure: latencyP50, of: "ours", bound: 0.3},
			{measure: latencyP99, of: "ours", bound: 1},
			{measure: latencyP50, of: "ratio", bound: 1},
			{measure: latencyP99, of: "ratio", bound: 1},
		},
	},
	{
		name: "kafka_batch_worker", what: "the same against a built-in with a worker of its own, in place of the engine's thread",
		ours:    kafkaBatch,
		builtin: side{conf: "kafka_worker.conf", needs: kafkaNeeds, kafka: true},
		same:    true, latency: true,
	},
	{
		name: "kafka_batch_ids", what: "the same with the record_id header that kafka_batch writes by default, and the built-in cannot",
		ours: side{conf: "kafka_batch_ids.conf", plugins: []string{kafkaSO}, kafka: true}, builtin: builtinKafka,
		same: true,
	},
	{
		name: "enrich", what: "5 attributes and a traceparent taken apart, against 5 static fields alone",
		ours: enrich, builtin: side{conf: "record_modifier.conf", needs: []string{"filter record_modifier"}},
		targets: []target{{measure: cpuPerRecord, of: "ratio", bound: 0.5}},
	},
	{
		name: "enrich_modify", what: "5 attributes and a traceparent taken apart, against 5 Add rules alone",
		ours: enrich, builtin: side{conf: "modify.conf", needs: []string{"filter modify"}},
	},
	{
		name: "enrich_lua", what: "5 attributes and a traceparent taken apart, against a Lua script that does the same",
		ours: enrich, builtin: side{conf: "lua.conf", needs: []string{"filter lua"}},
		same:    true,
		targets: []target{{measure: cpuPerRecord, of: "ratio", bound: 0.15}},
	},
	{
		name: "field_metrics", what: "a histogram with 10 buckets and 3 labels, served at /metrics",
		ours:    fieldMetrics,
		builtin: side{conf: "log_to_metrics.conf", needs: metricsNeeds, metrics: true, partial: true},
		targets: []target{{measure: cpuPerRecord, of: "ratio", bound: 0.02}},
	},
	{
		name: "field_metrics_timer", what: "the same against a log_to_metrics that sends its series on once a second, and not after every record",
		ours:    fieldMetrics,
		builtin: side{conf: "log_to_metrics_timer.conf", needs: metricsNeeds, metrics: true},
		same:    true,
	},
	{
		name: "whole", what: "the whole job in one pipeline: enrich, histogram, Kafka; the whole process with its input",
		ours:    whole,
		builtin: side{conf: "whole_builtin.conf", needs: wholeNeeds, kafka: true, metrics: true, partial: true},
		whole:   true, latency: true,
		targets: []target{
			{measure: cpuPerRecord, of: "ratio", bound: 0.14},
			{measure: peakRSS, of: "ours", bound: 80},
		},
	},
	{
		name: "whole_tuned", what: "the same against built-ins that are tuned: metrics once a second, Kafka with a worker",
		ours:    whole,
		builtin: side{conf: "whole_tuned.conf", needs: wholeNeeds, kafka: true, metrics: true},
		same:    true, whole: true, latency: true,
	},
}

func rowNames() []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}

var (
	ansi    = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	section = regexp.MustCompile(`^(Input|Filter|Output)s$`)
	plugin  = regexp.MustCompile(`^  ([a-z][a-z0-9_-]*)  `)
)

// capabilities asks a host which plugins it has: "output kafka", "filter lua".
func capabilities(ctx context.Context, h fluentbit.Host) (map[string]bool, error) {
	out, err := exec.CommandContext(ctx, h.Path, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("--help: %w", err)
	}
	has := map[string]bool{}
	kind := ""
	for line := range strings.SplitSeq(ansi.ReplaceAllString(string(out), ""), "\n") {
		if m := section.FindStringSubmatch(line); m != nil {
			kind = strings.ToLower(m[1])
		} else if m := plugin.FindStringSubmatch(line); m != nil && kind != "" {
			has[kind+" "+m[1]] = true
		} else if !strings.HasPrefix(line, " ") {
			kind = ""
		}
	}
	if !has["input tail"] {
		return nil, fmt.Errorf("--help lists no input tail: its format is not the one known")
	}
	return has, nil
}
