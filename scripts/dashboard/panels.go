package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// row is a row of panels under a title.
type row struct {
	title  string
	panels []panel
}

// panel is one time series panel.
type panel struct {
	title, text string // what it shows, and what to make of it
	unit        string // Grafana's name of it
	stack       bool   // whether series add up
	queries     []query
}

// query is a PromQL expression; exemplar asks for the traces behind it, which only series as they were scraped have.
type query struct {
	expr, legend string
	exemplar     bool
}

// rows are the dashboard. Names of metrics are those of conf/prometheus/recording.yml and of the plugins' READMEs; a test
// asks a Prometheus that scrapes a running pipeline for each of them.
var rows = []row{
	{"Services", []panel{
		{"Lines by level", "Of all files and instances.", "cps", true, []query{
			{`sum by (level) (service_level:log_records:rate30s{service=~"$service"})`, "{{level}}", false}}},
		{"Error share", "Lines of level ERROR or FATAL of all lines of a service.", "percentunit", false, []query{
			{`service:log_errors_per_record:ratio30s{service=~"$service"}`, "{{service}}", false}}},
		{"Errors and what is normal", "The moving average of an hour and two standard deviations above it: the alert LogErrorsAbnormal.", "cps", false, []query{
			{`service:log_errors:rate30s{service=~"$service"}`, "{{service}}", false},
			{`service:log_errors:avg1h{service=~"$service"} + 2 * service:log_errors:stddev1h{service=~"$service"}`, "{{service}}, limit", false}}},
		{"Lines and what is normal", "The moving average of an hour: the alert LogVolumeAbnormal.", "cps", false, []query{
			{`service:log_records:rate30s{service=~"$service"}`, "{{service}}", false},
			{`service:log_records:avg1h{service=~"$service"}`, "{{service}}, average", false}}},
		{"Errors, with traces", "Dots are exemplars: each leads to the trace of a line.", "cps", false, []query{
			{`sum by (service) (rate(log_records_total{service=~"$service", level=~"ERROR|FATAL"}[$__rate_interval]))`, "{{service}}", true}}},
	}},
	{"Requests", []panel{
		{"Requests", "Lines of access logs.", "reqps", false, []query{
			{`service:http_requests:rate30s{service=~"$service"}`, "{{service}}", false}}},
		{"Error share", "Requests that were answered with 5xx.", "percentunit", false, []query{
			{`service:http_errors_per_request:ratio30s{service=~"$service"}`, "{{service}}", false}}},
		{"Latency", "Of one request in two, in twenty and in a hundred.", "s", false, []query{
			{`service:http_request_duration_seconds:p50_30s{service=~"$service"}`, "{{service}} p50", false},
			{`service:http_request_duration_seconds:p95_30s{service=~"$service"}`, "{{service}} p95", false},
			{`service:http_request_duration_seconds:p99_30s{service=~"$service"}`, "{{service}} p99", false}}},
		{"Latency, with traces", "Dots are exemplars: each leads to the trace of a request that took as long.", "s", false, []query{
			{`histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket{service=~"$service"}[$__rate_interval])))`, "{{service}} p99", true}}},
	}},
	{"Delivery to Kafka", []panel{
		{"Acknowledged records", "Records that the brokers have.", "cps", false, []query{
			{`instance:kafka_batch_records_acknowledged:rate30s{instance=~"$instance"}`, "{{instance}}", false}}},
		{"Bytes", "As sent, compressed.", "Bps", false, []query{
			{`instance:kafka_batch_bytes:rate30s{instance=~"$instance"}`, "{{instance}}", false}}},
		{"Time of an answer", "One produce request in a hundred takes longer.", "s", false, []query{
			{`instance:kafka_batch_request_duration_seconds:p99_30s{instance=~"$instance"}`, "{{instance}} p99", false}}},
		{"What waits", "Records without an answer, and chunks that Fluent Bit is to bring again.", "short", false, []query{
			{`kafka_batch_records_open{instance=~"$instance"}`, "{{instance}} records", false},
			{`kafka_batch_pending_chunks{instance=~"$instance"}`, "{{instance}} chunks", false}}},
		{"Buffer", "At 100% chunks stay in Fluent Bit's own buffer.", "percentunit", false, []query{
			{`kafka_batch_buffer_bytes{instance=~"$instance"} / kafka_batch_buffer_max_bytes`, "{{instance}}", false}}},
		{"Since the last success", "", "s", false, []query{
			{`time() - (kafka_batch_last_success_timestamp_seconds{instance=~"$instance"} > 0)`, "{{instance}}", false}}},
		{"Brokers reachable", "1 while they are.", "short", false, []query{
			{`kafka_batch_reachable{instance=~"$instance"}`, "{{instance}}", false}}},
		{"Sent again", "Batches, and requests without an answer.", "cps", false, []query{
			{`rate(kafka_batch_retries_total{instance=~"$instance"}[$__rate_interval])`, "{{instance}} batches", false},
			{`rate(kafka_batch_request_failures_total{instance=~"$instance"}[$__rate_interval])`, "{{instance}} no answer", false}}},
		{"Answers of the brokers", "By error code; 0 is none.", "cps", true, []query{
			{`sum by (code, class) (rate(kafka_batch_responses_total{instance=~"$instance"}[$__rate_interval]))`, "{{code}} {{class}}", false}}},
		{"Dead letters and dropped records", "In the last five minutes, by reason.", "short", false, []query{
			{`sum by (instance, reason) (increase(kafka_batch_records_dead_lettered_total{instance=~"$instance"}[5m])) > 0`, "{{instance}} dead letter, {{reason}}", false},
			{`sum by (instance, reason) (increase(kafka_batch_records_dropped_total{instance=~"$instance"}[5m])) > 0`, "{{instance}} dropped, {{reason}}", false}}},
		{"Unaccounted records", "0 at every moment: what was taken is acknowledged, a dead letter, dropped or open.", "short", false, []query{
			{`instance:kafka_batch_records:unaccounted{instance=~"$instance"}`, "{{instance}}", false}}},
		{"Compression", "Bytes before it by bytes after it.", "short", false, []query{
			{`kafka_batch_compression_ratio{instance=~"$instance"}`, "{{instance}}", false}}},
	}},
	{"The metrics themselves", []panel{
		{"Series", "Of max_series; at 100% new label values are counted as \"other\".", "percentunit", false, []query{
			{`field_metrics_series / field_metrics_max_series`, "{{instance}} {{metric}}", false}}},
		{"Records that do not count", "By why; those that do not match are meant not to.", "cps", false, []query{
			{`sum by (metric, result) (rate(field_metrics_records_total{result!~"counted|not_matched"}[$__rate_interval])) > 0`, "{{metric}} {{result}}", false}}},
		{"Scrapes", "1 while Fluent Bit answers.", "short", false, []query{
			{`up{job="fluent-bit"}`, "{{instance}}", false}}},
	}},
}

// builder makes the panel: a third of the page wide.
func (p panel) builder() *timeseries.PanelBuilder {
	b := timeseries.NewPanelBuilder().
		Title(p.title).
		Datasource(source).
		Unit(p.unit).
		Min(0).
		Span(8).
		Height(7).
		FillOpacity(10).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.text != "" {
		b.Description(p.text)
	}
	if p.stack {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	for i, q := range p.queries {
		t := prometheus.NewDataqueryBuilder().
			Datasource(source).
			RefId(string(rune('A' + i))).
			Expr(q.expr).
			LegendFormat(q.legend).
			Range()
		if q.exemplar {
			t.Exemplar(true)
		}
		b.WithTarget(t)
	}
	return b
}
