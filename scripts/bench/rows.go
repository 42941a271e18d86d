package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"flbgo/scripts/internal/benchdata"
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
	family        string // rows of one are run by turns with each other, and share runs
	ours, builtin side
	size          benchdata.Size // of the lines; empty for normal ones
	same          bool           // both make the same of a record, which is checked
	whole         bool           // the process counts with its input, not what it costs above the null run
	latency       bool
	targets       []target
	floor         string // what no plugin could go below, for the report
	chart         string // the row's title in the chart; empty: not there
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
	kafkaBatch     = side{conf: "kafka_batch.conf", plugins: []string{kafkaSO}, kafka: true}
	builtinKafka   = side{conf: "kafka.conf", needs: kafkaNeeds, kafka: true}
	kafkaNeeds     = []string{"output kafka"}
	enrich         = side{conf: "enrich.conf", plugins: []string{enrichSO}}
	fieldMetrics   = side{conf: "field_metrics.conf", plugins: []string{metricsSO}, metrics: true}
	metricsNeeds   = []string{"filter log_to_metrics", "output prometheus_exporter"}
	whole          = side{conf: "whole.conf", plugins: []string{enrichSO, metricsSO, kafkaSO}, kafka: true, metrics: true}
	recordModifier = side{conf: "record_modifier.conf", needs: []string{"filter record_modifier"}}
	logToMetrics   = side{conf: "log_to_metrics.conf", needs: metricsNeeds, metrics: true, partial: true}
	wholeBuiltin   = side{conf: "whole_builtin.conf", needs: wholeNeeds, kafka: true, metrics: true, partial: true}
	wholeNeeds     = []string{"filter lua", "filter log_to_metrics", "output prometheus_exporter", "output kafka"}
)

// rows is the table: everything that is compared, and the targets. What a configuration says is in its file alone.
var rows = []row{
	{
		name: "kafka_batch", family: "kafka", what: "delivery to Kafka, LZ4, acknowledged by all replicas; no record_id, so that both do the same",
		chart: "Delivery to Kafka",
		ours:  kafkaBatch, builtin: builtinKafka,
		same: true, latency: true,
		targets: []target{
			{measure: cpuPerRecord, of: "ratio", bound: 0.22},
			{measure: recordsPerSecond, of: "ratio", atLeast: true, bound: 2.2},
			{measure: latencyP50, of: "ours", bound: 0.3},
			{measure: latencyP99, of: "ours", bound: 1},
			{measure: latencyP50, of: "ratio", bound: 1},
			{measure: latencyP99, of: "ratio", bound: 1},
		},
		floor: "a plain transcoding of msgpack to JSON and LZ4 by pierrec/lz4 are at 0.35 of the built-in, LZ4 at the speed of C alone at 0.08; the input bounds records/s at about 1.9 times the built-in's",
	},
	{
		name: "kafka_batch_worker", family: "kafka", what: "the same against a built-in with a worker of its own, in place of the engine's thread",
		chart:   "… built-in on a thread of its own",
		ours:    kafkaBatch,
		builtin: side{conf: "kafka_worker.conf", needs: kafkaNeeds, kafka: true},
		same:    true, latency: true,
	},
	{
		name: "kafka_batch_ids", family: "kafka", what: "the same with the record_id header that kafka_batch writes by default, and the built-in cannot",
		ours: side{conf: "kafka_batch_ids.conf", plugins: []string{kafkaSO}, kafka: true}, builtin: builtinKafka,
		same: true,
	},
	{
		name: "enrich", family: "enrich", what: "5 attributes and a traceparent taken apart, against 5 static fields alone",
		chart: "5 fields and a trace; built-in: the fields",
		ours:  enrich, builtin: recordModifier,
		targets: []target{{measure: cpuPerRecord, of: "ratio", bound: 0.5}},
		floor:   "a filter in Go that copies every chunk and says that it changed it is at 0.31 to 0.41 of record_modifier: the host counts the records again",
	},
	{
		name: "enrich_modify", family: "enrich", what: "5 attributes and a traceparent taken apart, against 5 Add rules alone",
		ours: enrich, builtin: side{conf: "modify.conf", needs: []string{"filter modify"}},
	},
	{
		name: "enrich_lua", family: "enrich", what: "5 attributes and a traceparent taken apart, against a Lua script that does the same",
		chart: "… a Lua script that does the same",
		ours:  enrich, builtin: side{conf: "lua.conf", needs: []string{"filter lua"}},
		same:    true,
		targets: []target{{measure: cpuPerRecord, of: "ratio", bound: 0.15}},
		floor:   "the filter that only copies is at 0.10",
	},
	{
		name: "field_metrics", family: "metrics", what: "a histogram with 10 buckets and 3 labels, served at /metrics",
		chart:   "A histogram with 3 labels",
		ours:    fieldMetrics,
		builtin: logToMetrics,
		targets: []target{{measure: cpuPerRecord, of: "ratio", bound: 0.02}},
	},
	{
		name: "field_metrics_timer", family: "metrics", what: "the same against a log_to_metrics that sends its series on once a second, and not after every record",
		chart:   "… built-in exporting once a second",
		ours:    fieldMetrics,
		builtin: side{conf: "log_to_metrics_timer.conf", needs: metricsNeeds, metrics: true},
		same:    true,
	},
	{
		name: "whole", family: "whole", what: "the whole job in one pipeline: enrich, histogram, Kafka; the whole process with its input",
		chart:   "The whole job, with tail and JSON parser",
		ours:    whole,
		builtin: wholeBuiltin,
		whole:   true, latency: true,
		targets: []target{
			{measure: cpuPerRecord, of: "ratio", bound: 0.14},
			{measure: peakRSS, of: "ours", bound: 80},
		},
		floor: "the input alone, tail and JSON parser, is at 0.07",
	},
	{
		name: "whole_tuned", family: "whole", what: "the same against built-ins that are tuned: metrics once a second, Kafka with a worker",
		chart:   "… built-ins tuned",
		ours:    whole,
		builtin: side{conf: "whole_tuned.conf", needs: wholeNeeds, kafka: true, metrics: true},
		same:    true, whole: true, latency: true,
	},
	{
		name: "kafka_batch_small", family: "small", what: "delivery to Kafka of lines of 100 bytes",
		ours: kafkaBatch, builtin: builtinKafka, same: true, size: benchdata.Small,
	},
	{
		name: "enrich_small", family: "small", what: "5 attributes on lines of 100 bytes without a trace, against 5 static fields",
		ours: enrich, builtin: recordModifier, size: benchdata.Small,
	},
	{
		name: "field_metrics_small", family: "small", what: "the histogram of lines of 100 bytes",
		ours: fieldMetrics, builtin: logToMetrics, size: benchdata.Small,
	},
	{
		name: "whole_small", family: "small", what: "the whole job on lines of 100 bytes; the whole process with its input",
		ours: whole, builtin: wholeBuiltin, size: benchdata.Small, whole: true,
	},
	{
		name: "kafka_batch_large", family: "large", what: "delivery to Kafka of lines of 2 KB",
		ours: kafkaBatch, builtin: builtinKafka, same: true, size: benchdata.Large,
	},
	{
		name: "enrich_large", family: "large", what: "5 attributes and a traceparent taken apart on lines of 2 KB, against 5 static fields alone",
		ours: enrich, builtin: recordModifier, size: benchdata.Large,
	},
	{
		name: "field_metrics_large", family: "large", what: "the histogram of lines of 2 KB",
		ours: fieldMetrics, builtin: logToMetrics, size: benchdata.Large,
	},
	{
		name: "whole_large", family: "large", what: "the whole job on lines of 2 KB; the whole process with its input",
		ours: whole, builtin: wholeBuiltin, size: benchdata.Large, whole: true,
	},
}

// sizes are the files that a whole run reads: of -lines so many parts, because a run of a size takes what the others do.
var sizes = []struct {
	size benchdata.Size
	part int
}{{benchdata.Normal, 1}, {benchdata.Small, 2}, {benchdata.Large, 5}}

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
