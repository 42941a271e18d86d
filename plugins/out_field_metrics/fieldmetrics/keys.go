package fieldmetrics

import (
	"fmt"
	"slices"
	"strings"
)

// key is one key of the metrics file. The README's tables and the errors about unknown keys are made from these lists.
type key struct {
	Name, Form, Default, Help, Example string
}

type keys []key

// metricKeys are those of one metric.
var metricKeys = keys{
	{"name", "text", "required", "Name of the metric.", "http_requests_total"},
	{"type", "counter, gauge, histogram, native_histogram", "counter", "What the metric is.", "histogram"},
	{"help", "text", "made from the type", "What `/metrics` says about it.", "Requests that were answered."},
	{"value", "path", "–", "Field with the value. Histograms and gauges need it; a counter without it counts records.", "$http.duration"},
	{"unit", "unit", "–", "Unit of the metric. Values may then have a unit, and are converted.", "seconds"},
	{"number_unit", "unit", "`unit`", "Unit of values that name none.", "ms"},
	{"action", "inc, dec, add, sub, set", "see below", "What a record does to a counter (inc, or add its value) or a gauge (set it to the value, add or subtract the value, or count up or down by one).", "sub"},
	{"labels", "mapping", "–", "Labels by name: a path, a text with `$TAG[n]`, or a mapping of the keys below.", "{status: $http.status}"},
	{"where", "conditions", "every record", "Which records count: a list that has to hold as a whole.", "[{field: status, gte: 500}]"},
	{"buckets", "buckets", "`default`", "Upper bounds of a histogram's buckets: a list, `linear(start,width,n)`, `exponential(start,factor,n)`, or `default`, `seconds`, `milliseconds`, `bytes`, `ratio`. A native histogram gets classic buckets beside its own only where this is set.", "[0.1, 0.5, 1]"},
	{"native_factor", "number", "1.1", "By how much one bucket of a native histogram is wider than the one before.", "1.2"},
	{"native_max_buckets", "number", "160", "How many buckets a native histogram may have before its resolution is halved.", "100"},
	{"max_series", "number", "10000", "How many sets of label values are kept. What comes on top is counted in one series whose label values are `other`.", "1000"},
	{"idle_timeout", "duration", "10m of gauges, off", "After how long without a record a series goes away; `off` for never.", "1h"},
	{"initialize", "mapping or list", "–", "Series that are there, at 0, before the first record, and stay: by label a list of values, of which all combinations are made.", "{status: [\"2xx\", \"5xx\"]}"},
	{"exemplars", "on/off", "on", "Whether counters and histograms keep the trace of a record behind them.", "off"},
}

// labelKeys are those of one label.
var labelKeys = keys{
	{"field", "path", "–", "Field with the value. A label has this or `value`.", "$http.status"},
	{"value", "text", "–", "A text that is the same for every record but for `$TAG` and `$TAG[n]`, the tag and its parts between dots, from 0. `$$` is a dollar sign.", "\"app-$TAG[1]\""},
	{"values", "mapping", "–", "Other values by regular expression, which matches the whole value. The first one that does counts; what matches none stays.", "{\"5..\": \"5xx\"}"},
	{"max_length", "number", "1024", "Bytes that are kept of a value, up to the border of a character.", "64"},
	{"missing", "empty, default, skip", "empty, or default where one is set", "What it means that a record lacks the field: an empty label, the default, or that the record does not count.", "skip"},
	{"default", "text", "–", "Value of the label of records that lack the field.", "unknown"},
}

// conditionKeys are those of one condition.
var conditionKeys = keys{
	{"field", "path", "required", "Field that is compared. Several comparisons in one condition have to hold all.", "$http.status"},
	{"eq", "value", "–", "Equal. A number compares with numbers and with text that is one; text, and numbers in quotes, with the value's text.", "200"},
	{"neq", "value", "–", "Not equal, or missing.", "GET"},
	{"gt", "number", "–", "Above.", "0.5"},
	{"lt", "number", "–", "Below.", "500"},
	{"gte", "number", "–", "At least.", "500"},
	{"lte", "number", "–", "At most.", "599"},
	{"in", "list", "–", "Equal to one of them.", "[error, fatal]"},
	{"not_in", "list", "–", "Equal to none of them, or missing.", "[200, 204]"},
	{"regex", "regular expression", "–", "Somewhere in the value's text there is a match.", "\"time.?out\""},
	{"not_regex", "regular expression", "–", "There is none, or the field is missing.", "\"^/healthz\""},
	{"exists", "on/off", "–", "The record has the field and it is not nil, or lacks it.", "on"},
	{"and", "list of conditions", "–", "All of them hold. In place of `field`.", "[{field: a, exists: on}, {field: b, eq: 1}]"},
	{"or", "list of conditions", "–", "One of them holds. In place of `field`.", "[{field: a, exists: on}, {field: b, eq: 1}]"},
}

func (k keys) has(name string) bool {
	return slices.ContainsFunc(k, func(k key) bool { return k.Name == name })
}

// names is for errors.
func (k keys) names() string {
	list := make([]string, len(k))
	for i := range k {
		list[i] = k[i].Name
	}
	return strings.Join(list, ", ")
}

// example is a line of the file, for errors.
func (k keys) example(name string) string {
	for _, row := range k {
		if row.Name == name {
			return name + ": " + row.Example
		}
	}
	return ""
}

func (k keys) markdown() string {
	var b strings.Builder
	b.WriteString("| key | form | default | what it does |\n|---|---|---|---|\n")
	for _, row := range k {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s Example: `%s`. |\n", row.Name, row.Form, row.Default, row.Help, k.example(row.Name))
	}
	return b.String()
}
