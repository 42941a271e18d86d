package fieldmetrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flbgo/shared/listen"
	"flbgo/shared/option"
	"flbgo/shared/record"
)

// options is everything that an instance can be told. The README's table is made from it. Those of a metric have the
// names that Fluent Bit's own log_to_metrics gives them, as far as that has them.
var options = option.Table{
	{Name: "metrics_file", Kind: option.Text, Example: "/etc/fluent-bit/metrics.yaml",
		Help: "YAML file with any number of metrics. Without it the section itself is one."},
	{Name: "listen", Kind: option.Text, Default: "127.0.0.1:2021", Example: "127.0.0.1:2021",
		Help: "Address of `/metrics` and `/healthz`, host:port; port 0 takes a free one, `off` serves nothing. Instances that name the same address share it."},
	{Name: "web_config_file", Kind: option.Text, Example: "/etc/fluent-bit/web.yml",
		Help: "Web configuration file of the Prometheus exporters: TLS, client certificates, basic authentication."},
	{Name: "trace_id_field", Kind: option.Text, Default: "trace_id", Example: "$trace.id",
		Help: "Field with the trace id that becomes an exemplar."},
	{Name: "span_id_field", Kind: option.Text, Default: "span_id", Example: "$trace.span",
		Help: "Field with the span id that goes with it."},
	{Name: "exemplar_interval", Kind: option.Duration, Default: "1s", Min: 0, Max: int64(24 * time.Hour), Example: "1s",
		Help: "A series takes at most one exemplar in this time."},
	{Name: "created_timestamps", Kind: option.Bool, Default: "off", Example: "on",
		Help: "Whether counters and histograms say when they began. Only scrapers that ask for protobuf see it."},

	{Name: "metric_name", Aliases: []string{"metric-name"}, Kind: option.Text, Example: "log_records_total",
		Help: "Name of the metric."},
	{Name: "metric_namespace", Kind: option.Text, Example: "shop",
		Help: "First part of the name; `_` comes behind it."},
	{Name: "metric_subsystem", Kind: option.Text, Example: "http",
		Help: "Second part of the name; `_` comes behind it."},
	{Name: "metric_mode", Aliases: []string{"metrics", "metric_type"}, Kind: option.Choice, Choices: kindNames, Default: "counter", Example: "histogram",
		Help: "A counter counts records, or adds up `value_field`; a gauge shows its last value; a histogram sorts its values into `bucket`."},
	{Name: "metric_description", Aliases: []string{"help", "metric_help"}, Kind: option.Text, Example: "Time to answer a request.",
		Help: "What `/metrics` says about the metric; made from its type where it is not set."},
	{Name: "value_field", Aliases: []string{"value-key", "field"}, Kind: option.Text, Example: "$http.duration_ms",
		Help: "Path of the value. Histograms, and gauges that are set, need it; a counter without it counts records."},
	{Name: "unit", Kind: option.Text, Example: "seconds",
		Help: "Unit of the metric. Values may then have a unit, and are converted."},
	{Name: "number_unit", Kind: option.Text, Example: "ms",
		Help: "Unit of values that name none; where it is not set, `unit`."},
	{Name: "action", Kind: option.Choice, Choices: actionNames, Example: "sub",
		Help: "What a record does to a counter (`inc`, or `add` its value) or a gauge (`set` it to its value, `add` or `sub` the value, `inc` or `dec` by one). Where it is not set a gauge is set, and a counter adds what it has a value for."},
	{Name: "label_field", Aliases: []string{"label_fields"}, Kind: option.List, Example: "level,status=$http.status_code",
		Help: "Fields that become labels: name=path, or a path from which the name is made. The label of a record that lacks the field is empty."},
	{Name: "labels", Kind: option.Pairs, Example: "cluster=eu1,app=$TAG[1]",
		Help: "Labels that are not from a field: text, in which `$TAG` is the tag and `$TAG[n]` its part between dots, from 0."},
	{Name: "regex", Kind: option.Text, Example: "level ^(error|fatal)$",
		Help: "Only records count whose field matches: a path, a space, a regular expression."},
	{Name: "exclude", Kind: option.Text, Example: "$http.path ^/healthz",
		Help: "Records do not count whose field matches."},
	{Name: "bucket", Aliases: []string{"buckets"}, Kind: option.Text, Example: "1,10,100,1000",
		Help: "Upper bounds of a histogram's buckets, ascending, in the metric's unit, +Inf not among them; `linear(start,width,n)`; `exponential(start,factor,n)`; or `default`, `seconds`, `milliseconds`, `bytes`, `ratio`. A native histogram gets classic buckets beside its own only where this is set."},
	{Name: "native_factor", Kind: option.Text, Default: "1.1", Example: "1.1",
		Help: "By how much one bucket of a native histogram is wider than the one before."},
	{Name: "native_max_buckets", Kind: option.Int, Default: "160", Min: minNativeMax, Max: maxNativeMax, Example: "160",
		Help: "How many buckets a native histogram may have before its resolution is halved."},
	{Name: "max_series", Kind: option.Int, Default: "10000", Min: 1, Max: maxMaxSeries, Example: "10000",
		Help: "How many sets of label values are kept. What comes on top is counted in one series whose label values are `other`."},
	{Name: "idle_timeout", Kind: option.Text, Example: "1h",
		Help: "After how long without a record a series goes away; `off` for never. Where it is not set, 10m for gauges and never for all else."},
	{Name: "initialize", Kind: option.Pairs, Example: "level=info|warn|error,app=shop",
		Help: "Series that are there, at 0, before the first record: for each label its values, of which all combinations are made."},
	{Name: "exemplars", Kind: option.Bool, Default: "on", Example: "off",
		Help: "Whether a counter or histogram keeps the trace of a record behind it."},
}

// instanceOptions are those that say nothing about a single metric.
var instanceOptions = []string{"metrics_file", "listen", "web_config_file", "trace_id_field", "span_id_field", "exemplar_interval", "created_timestamps"}

// optionOf is the option of a section for a key of the metrics file.
var optionOf = map[string]string{"name": "metric_name", "type": "metric_mode", "help": "metric_description", "value": "value_field",
	"buckets": "bucket", "where": "regex"}

// instanceConfig is what an instance was told, checked.
type instanceConfig struct {
	Listen           string
	WebConfigFile    string
	TraceField       record.Path
	SpanField        record.Path
	ExemplarInterval time.Duration
	Created          bool
	Rules            []ruleConfig
}

// unquoted takes the quotes around a value away, which Fluent Bit hands over with it.
func unquoted(get option.Getter) option.Getter {
	return func(name string) string {
		text := strings.TrimSpace(get(name))
		if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] &&
			strings.IndexByte(text[1:n-1], text[0]) < 0 {
			return text[1 : n-1]
		}
		return text
	}
}

// parseConfig reads the options. The error joins everything that is wrong, one line each; the values are for what only
// the start can tell.
func parseConfig(get option.Getter) (c instanceConfig, v *option.Values, err error) {
	v = options.Parse(unquoted(get))
	c = instanceConfig{
		Listen:           v.Text("listen"),
		WebConfigFile:    v.Text("web_config_file"),
		ExemplarInterval: v.Duration("exemplar_interval"),
		Created:          v.Bool("created_timestamps"),
	}
	if err := listen.CheckAddress(c.Listen); err != nil {
		v.Fail("listen", "%v", err)
	}
	if err := listen.CheckWebConfig(c.WebConfigFile); err != nil {
		v.Fail("web_config_file", "%v", err)
	}
	for name, to := range map[string]*record.Path{"trace_id_field": &c.TraceField, "span_id_field": &c.SpanField} {
		if *to, err = record.ParsePath(v.Text(name)); err != nil {
			v.Fail(name, "%v", err)
		}
	}
	if !v.IsSet("metrics_file") {
		c.Rules = []ruleConfig{sectionRule(v)}
		return c, v, v.Err()
	}
	for _, o := range options {
		if v.IsSet(o.Name) && !slices.Contains(instanceOptions, o.Name) {
			v.Fail(o.Name, "with metrics_file the metrics stand there and not here")
		}
	}
	rules, err := readMetrics(v.Text("metrics_file"))
	for _, line := range lines(err) {
		v.Fail("metrics_file", "%s", line)
	}
	c.Rules = rules
	return c, v, v.Err()
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// sectionRule reads the one metric of a section.
func sectionRule(v *option.Values) ruleConfig {
	d := newDraft(func(key, format string, args ...any) {
		base, label, _ := strings.Cut(key, ".")
		name := base
		if o := optionOf[base]; o != "" {
			name = o
		}
		if base == "labels" && !slices.ContainsFunc(v.Pairs("labels"), func(p option.Pair) bool { return p.Key == label }) {
			name = "label_field"
		}
		v.Fail(name, format, args...)
	})
	d.Origin, d.section = "this section", true
	if !v.IsSet("metric_name") {
		v.Fail("metric_name", "is missing: a section needs the name of its metric, or a metrics_file. Example: metric_name log_records_total")
	}
	d.Name = v.Text("metric_name")
	for _, prefix := range []string{"metric_subsystem", "metric_namespace"} {
		switch text := v.Text(prefix); {
		case text == "":
		case !isName(text, false):
			v.Fail(prefix, "must be letters, digits and _, and not begin with a digit, for example: %s shop", prefix)
		case d.Name != "":
			d.Name = text + "_" + d.Name
		}
	}
	d.Kind = kind(slices.Index(kindNames, v.Text("metric_mode")))
	d.Help = v.Text("metric_description")
	if v.IsSet("value_field") {
		d.setValue(v.Text("value_field"))
	}
	for _, key := range []string{"unit", "number_unit"} {
		if v.IsSet(key) {
			d.setUnit(key, v.Text(key))
		}
	}
	if v.IsSet("action") && v.Text("action") != "" {
		setChoice(d, "action", v.Text("action"), actionNames, &d.Action)
	}
	if v.IsSet("bucket") {
		d.setBuckets(v.Text("bucket"))
	}
	d.given["native_factor"], d.given["native_max_buckets"] = v.IsSet("native_factor"), v.IsSet("native_max_buckets")
	var err error
	if d.NativeFactor, err = finite(v.Text("native_factor")); err != nil {
		v.Fail("native_factor", "must be a number, for example: native_factor 1.1")
		d.NativeFactor = defaultNativeFactor
	}
	d.NativeMax, d.MaxSeries = int(v.Int("native_max_buckets")), int(v.Int("max_series"))
	if d.given["idle_timeout"] = v.IsSet("idle_timeout"); d.given["idle_timeout"] {
		if d.Idle, err = parseIdle(v.Text("idle_timeout")); err != nil {
			v.Fail("idle_timeout", "%v", err)
		}
	}
	d.given["exemplars"], d.Exemplars = true, v.Bool("exemplars")
	sectionLabels(d, v)
	sectionConditions(d, v)
	if pairs := v.Pairs("initialize"); len(pairs) > 0 {
		var set initialSet
		for _, p := range pairs {
			set = append(set, initialLabel{p.Key, strings.Split(p.Value, "|")})
		}
		d.initial = []initialSet{set}
	}
	d.finish()
	return d.ruleConfig
}

func sectionLabels(d *draft, v *option.Values) {
	for _, item := range v.List("label_field") {
		l, err := parseLabel(item)
		if err != nil {
			v.Fail("label_field", "%v", err)
			continue
		}
		d.Labels = append(d.Labels, l)
	}
	for _, p := range v.Pairs("labels") {
		l := label{Name: p.Key, MaxLength: maxLabelValue}
		var err error
		if l.Template, err = parseTemplate(p.Value); err != nil {
			v.Fail("labels", "label %q: %v", p.Key, err)
			continue
		}
		if !utf8.ValidString(p.Value) {
			v.Fail("labels", "label %q: its value must be UTF-8", p.Key)
		}
		d.Labels = append(d.Labels, l)
	}
}

// sectionConditions reads regex and exclude.
func sectionConditions(d *draft, v *option.Values) {
	for _, c := range []struct {
		name string
		op   operator
	}{{"regex", opRegex}, {"exclude", opNotRegex}} {
		text := v.Text(c.name)
		if text == "" {
			continue
		}
		field, expression, _ := strings.Cut(text, " ")
		path, err := record.ParsePath(field)
		if err != nil {
			v.Fail(c.name, "%v", err)
			continue
		}
		match, err := regexp.Compile(strings.TrimSpace(expression))
		if err != nil || strings.TrimSpace(expression) == "" {
			v.Fail(c.name, "must be a path, a space and a regular expression (%s), for example: %s level ^(error|fatal)$", regexProblem(err), c.name)
			continue
		}
		d.Where = append(d.Where, condition{Op: c.op, Field: path, Regex: match})
	}
}

func regexProblem(err error) string {
	if err == nil {
		return "there is none"
	}
	return regexError(err)
}

// parseLabel reads name=path, or a path from which the name is made.
func parseLabel(item string) (label, error) {
	name, path, named := strings.Cut(item, "=")
	if named && strings.ContainsAny(name, "['\"") {
		named = false // the = is inside a quoted name of the path
	}
	if !named {
		path = item
	}
	path = strings.TrimSpace(path)
	l := label{Name: strings.TrimSpace(name), MaxLength: maxLabelValue}
	if err := l.setSource(path); err != nil {
		return l, fmt.Errorf("%q is neither a path nor name=path: %w", item, err)
	}
	if !named {
		if l.Name = labelName(path); l.Name == "" {
			return l, fmt.Errorf("no name can be made from %q; give one, for example: label_field status=%s", path, path)
		}
	}
	return l, nil
}

// labelName makes a label's name from a path: what cannot stand in a name becomes one underscore between what can.
//
//	$http.status_code → http_status_code    $labels['app.name'][0] → labels_app_name_0    5xx → _5xx
func labelName(path string) string {
	var b strings.Builder
	gap := false
	for i := range len(path) {
		c := path[i]
		if !isName(path[i:i+1], false) && (c < '0' || c > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap || b.Len() == 0 && c <= '9' {
			b.WriteByte('_')
		}
		gap = false
		b.WriteByte(c)
	}
	return b.String()
}
