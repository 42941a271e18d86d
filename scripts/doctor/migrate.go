package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"flbgo/plugins/out_kafka_batch/batch"
	"flbgo/scripts/internal/confcheck"
)

// migration writes sections of this project's plugins for those of Fluent Bit's own.
type migration struct {
	out     io.Writer
	file    *confcheck.File
	written int // sections so far
}

// line is one setting of a section that is written. One without a key is a comment.
type line struct{ key, value, comment string }

// print writes a section for each kafka output and log_to_metrics filter, in the format of the file, and returns how
// many there were.
func (m migration) print() int {
	for i := range m.file.Outputs {
		if s := &m.file.Outputs[i]; s.Name == "kafka" {
			m.section(s, m.kafka(s))
			m.written++
		}
	}
	for i := range m.file.Filters {
		if s := &m.file.Filters[i]; s.Name == "log_to_metrics" {
			m.section(s, m.metrics(s))
			m.written++
		}
	}
	return m.written
}

func (m migration) section(from *confcheck.Section, lines []line) {
	kind := "output"
	if from.Name == "log_to_metrics" {
		kind = "filter"
	}
	fmt.Fprintf(m.out, "# In place of the %s %s in %s:%d\n", kind, from.Name, from.File, from.Line)
	width := 0
	for _, l := range lines {
		width = max(width, len(l.key))
	}
	if !m.file.YAML {
		fmt.Fprintln(m.out, "[OUTPUT]")
	}
	first := true
	for _, l := range lines {
		switch {
		case l.key == "":
			// Comments of a list of YAML go between its members as they do between settings.
			fmt.Fprintf(m.out, "    # %s\n", l.comment)
			continue
		case m.file.YAML && first:
			fmt.Fprintf(m.out, "  - %s: %s", l.key, yamlText(l.value))
		case m.file.YAML:
			fmt.Fprintf(m.out, "    %s: %s", l.key, yamlText(l.value))
		default:
			fmt.Fprintf(m.out, "    %-*s %s", width, l.key, l.value)
		}
		first = false
		fmt.Fprintln(m.out)
		if l.comment != "" {
			fmt.Fprintf(m.out, "    # %s: %s\n", l.key, l.comment)
		}
	}
	fmt.Fprintln(m.out)
}

// yamlText quotes what YAML would not take as it is.
func yamlText(s string) string {
	if s == "" || strings.ContainsAny(s, ":#'\"{}[],&*!|>%@`$") || strings.TrimSpace(s) != s {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// isVariable tells whether a value is one variable and nothing besides.
func isVariable(s string) bool {
	name, ok := strings.CutPrefix(s, "${")
	return ok && strings.IndexByte(name, '}') == len(name)-1
}

// kept are the settings of the core that a section goes on with.
func kept(s *confcheck.Section) (lines []line) {
	for _, key := range []string{"match", "match_regex", "alias", "log_level", "log_suppress_interval"} {
		if v, ok := s.Get(key); ok {
			lines = append(lines, line{key: key, value: v})
		}
	}
	return lines
}

func (m migration) kafka(s *confcheck.Section) []line {
	lines := append([]line{{key: "name", value: "kafka_batch"}}, kept(s)...)
	get := func(name string) string { v, _ := s.Get(strings.ToLower(name)); return v }
	settings, notes, refused := batch.Migrate(get)
	dead, listens, topic := false, false, "logs"
	for _, o := range settings {
		l := line{key: o.Name, value: o.Value}
		if o.From != "" {
			l.comment = "was " + o.From
		}
		if from := max(lineOf(s, o.Name), 0); o.Secret && !isVariable(o.Value) {
			if o.From != "" {
				from = lineOf(s, o.From)
			}
			l.value, l.comment = "***", fmt.Sprintf("a secret: copy it from line %d, or better name a variable: ${NAME}", from)
		}
		switch o.Name {
		case "topics":
			topic, _, _ = strings.Cut(o.Value, ",")
		case "dead_letter_topic":
			dead = true
		case "listen":
			listens = true
		}
		lines = append(lines, l)
	}
	if !dead {
		lines = append(lines, line{"dead_letter_topic", topic + "-dead-letters", "new: where records go that the brokers refuse for their own fault; create it"})
	}
	if !listens {
		lines = append(lines, line{"listen", fmt.Sprintf("127.0.0.1:%d", 2022+10*m.written), "new: /metrics and /healthz"})
	}
	workers := line{"workers", "8", "new: flushes run beside the inputs"}
	if n := s.Number("workers"); n > 1 {
		workers = line{key: "workers", value: fmt.Sprint(n)}
	}
	was := "new"
	if v, ok := s.Get("retry_limit"); ok {
		was = "was " + v
	}
	lines = append(lines, workers, line{"retry_limit", "no_limits", was + ": a chunk stays in Fluent Bit's buffer until the brokers have it; the default drops it at its second failure"})
	if v, ok := s.Get("storage.total_limit_size"); ok {
		lines = append(lines, line{key: "storage.total_limit_size", value: v})
	}
	for _, n := range notes {
		lines = append(lines, line{comment: "left out: " + n})
	}
	for _, r := range refused {
		lines = append(lines, line{comment: "NOT POSSIBLE: " + r})
	}
	return append(lines, m.unknown(s, append(batch.Options.Names(), batch.ForeignKeys()...))...)
}

// unknown are comments for keys that nothing is known of.
func (m migration) unknown(s *confcheck.Section, names []string) (lines []line) {
	for _, p := range s.Props {
		if !slices.Contains(names, p.Key) && !isCore(coreOutput, p.Key) {
			lines = append(lines, line{comment: fmt.Sprintf("left out: %s, which is not known here (line %d)", p.Key, p.Line)})
		}
	}
	return lines
}

// sameMetric are options of log_to_metrics that have the same name and meaning in field_metrics.
var sameMetric = []string{"metric_mode", "metric_name", "metric_namespace", "metric_subsystem", "metric_description", "value_field", "regex", "exclude"}

// kubernetesLabels are what kubernetes_mode adds.
const kubernetesLabels = "namespace_name=$kubernetes['namespace_name'],pod_name=$kubernetes['pod_name'],container_name=$kubernetes['container_name'],docker_id=$kubernetes['docker_id'],pod_id=$kubernetes['pod_id']"

func (m migration) metrics(s *confcheck.Section) []line {
	lines := append([]line{{key: "name", value: "field_metrics"}}, kept(s)...)
	known := append([]string{"label_field", "add_label", "bucket", "kubernetes_mode", "tag", "emitter_name", "emitter_mem_buf_limit",
		"discard_logs", "flush_interval_sec", "flush_interval_nsec"}, sameMetric...)
	for _, key := range sameMetric {
		values := s.Values(key)
		if key == "value_field" && s.Is("metric_mode", "counter") {
			if len(values) > 0 {
				lines = append(lines, line{comment: "left out: value_field, which a counter of log_to_metrics does not look at; here it would be added up"})
			}
			continue
		}
		if len(values) == 0 {
			if key == "metric_name" {
				lines = append(lines, line{key: key, value: "a", comment: "was so by default"})
			}
			if key == "metric_namespace" {
				lines = append(lines, line{key: key, value: "log_metric", comment: "was so by default"})
			}
			if key == "metric_subsystem" {
				mode := "counter"
				if v, ok := s.Get("metric_mode"); ok {
					mode = strings.ToLower(v)
				}
				lines = append(lines, line{key: key, value: mode, comment: "was so by default"})
			}
			continue
		}
		lines = append(lines, line{key: key, value: values[0]})
		for _, v := range values[1:] {
			lines = append(lines, line{comment: fmt.Sprintf("NOT POSSIBLE here: a second %s (%s); a metrics_file takes several conditions", key, v)})
		}
	}
	labels := s.Values("label_field")
	for _, v := range s.Values("add_label") {
		if name, field, ok := strings.Cut(v, " "); ok {
			labels = append(labels, name+"="+strings.TrimSpace(field))
		}
	}
	if s.On("kubernetes_mode") {
		labels = append(labels, kubernetesLabels)
	}
	if len(labels) > 0 {
		lines = append(lines, line{key: "label_field", value: strings.Join(labels, ",")})
	}
	if b := s.Values("bucket"); len(b) > 0 {
		lines = append(lines, line{key: "bucket", value: strings.Join(b, ",")})
	} else if s.Is("metric_mode", "histogram") {
		lines = append(lines, line{"bucket", "default", "was so by default"})
	}
	listen := "127.0.0.1:2021"
	for i := range m.file.Outputs {
		if o := &m.file.Outputs[i]; o.Name == "prometheus_exporter" {
			host, port := "0.0.0.0", "2021"
			if v, ok := o.Get("host"); ok {
				host = v
			}
			if v, ok := o.Get("port"); ok {
				port = v
			}
			listen = host + ":" + port
		}
	}
	lines = append(lines,
		line{"listen", listen, "in place of the prometheus_exporter, which may go if it has no other metrics"},
		line{key: "workers", value: "1"},
		line{"retry_limit", "no_retries", "new: a chunk is counted once"})
	if s.On("discard_logs") {
		lines = append(lines, line{comment: "discard_logs: give these records no other output"})
	}
	for _, key := range []string{"tag", "emitter_name", "emitter_mem_buf_limit", "flush_interval_sec", "flush_interval_nsec"} {
		if _, ok := s.Get(key); ok {
			lines = append(lines, line{comment: "left out: " + key + ", of no use here: metrics do not go through the pipeline"})
		}
	}
	return append(lines, m.unknown(s, known)...)
}
