package fieldmetrics

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"flbgo/shared/listen"
	"flbgo/shared/option"
	"flbgo/shared/record"
)

// options is everything that an instance can be told. The README's table is made from it.
var options = option.Table{
	{Name: "listen", Kind: option.Text, Default: "127.0.0.1:2021", Example: "127.0.0.1:2021",
		Help: "Address of `/metrics` and `/healthz`, host:port; port 0 takes a free one, `off` serves nothing. Instances that name the same address share it."},
	{Name: "web_config_file", Kind: option.Text, Example: "/etc/fluent-bit/web.yml",
		Help: "Web configuration file of the Prometheus exporters: TLS, client certificates, basic authentication."},
	{Name: "metric_name", Kind: option.Text, Required: true, Example: "log_records_total",
		Help: "Name of the metric."},
	{Name: "metric_type", Kind: option.Choice, Choices: kindNames[:], Default: "counter", Example: "histogram",
		Help: "A counter counts records, or adds up `field`; a gauge shows the last value of `field`; a histogram sorts its values into `buckets`."},
	{Name: "metric_help", Kind: option.Text, Example: "Time to answer a request.",
		Help: "What `/metrics` says about the metric; made from its type where it is not set."},
	{Name: "field", Kind: option.Text, Example: "$http.duration_ms",
		Help: "Path of the value. Gauges and histograms need it; a counter without it counts records."},
	{Name: "label_fields", Kind: option.List, Example: "level,status=$http.status_code",
		Help: "Fields that become labels: name=path, or a path from which the name is made. The label of a record that lacks the field is empty."},
	{Name: "labels", Kind: option.Pairs, Example: "cluster=eu1,tier=web",
		Help: "Labels that are the same for every record."},
	{Name: "buckets", Kind: option.List, Default: "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10", Example: "1,10,100,1000",
		Help: "Upper bounds of a histogram's buckets, ascending, in the unit of the field. +Inf comes by itself."},
	{Name: "max_series", Kind: option.Int, Default: "10000", Min: 1, Max: 10_000_000, Example: "10000",
		Help: "How many sets of label values are kept. Records with one more than that are not in the metric; `field_metrics_records_total` counts them."},
}

// maxBuckets bounds what one series costs.
const maxBuckets = 200

// kind is the type of a metric.
type kind uint8

const (
	counter kind = iota
	gauge
	histogram
)

var kindNames = [...]string{"counter", "gauge", "histogram"}

func (k kind) String() string { return kindNames[k] }

// config is what an instance was told, checked.
type config struct {
	Listen        string
	WebConfigFile string
	Rule          ruleConfig
}

// ruleConfig is one metric and how records make it.
type ruleConfig struct {
	Name      string
	Kind      kind
	Help      string
	HasField  bool // false: a counter of records
	Field     record.Path
	Labels    []label
	Static    []option.Pair
	Buckets   []float64 // of histograms: ascending, finite
	MaxSeries int
}

// parseConfig reads the options. The error joins everything that is wrong, one line each; the values are for what only
// the start can tell.
func parseConfig(get option.Getter) (config, *option.Values, error) {
	v := options.Parse(get)
	c := config{
		Listen:        v.Text("listen"),
		WebConfigFile: v.Text("web_config_file"),
		Rule: ruleConfig{
			Name:      v.Text("metric_name"),
			Kind:      kind(slices.Index(kindNames[:], v.Text("metric_type"))),
			Help:      v.Text("metric_help"),
			HasField:  v.IsSet("field"),
			Static:    v.Pairs("labels"),
			MaxSeries: int(v.Int("max_series")),
		},
	}
	r := &c.Rule
	if err := listen.CheckAddress(c.Listen); err != nil {
		v.Fail("listen", "%v", err)
	}
	if err := listen.CheckWebConfig(c.WebConfigFile); err != nil {
		v.Fail("web_config_file", "%v", err)
	}
	if r.Name != "" {
		if why := checkMetricName(r.Name); why != "" {
			v.Fail("metric_name", "%s", why)
		}
	}
	if !utf8.ValidString(r.Help) {
		v.Fail("metric_help", "must be UTF-8")
	}
	if r.HasField {
		var err error
		if r.Field, err = record.ParsePath(v.Text("field")); err != nil {
			v.Fail("field", "%v", err)
		}
	} else if r.Kind != counter {
		v.Fail("field", "a %s needs the path of its value, for example: field $http.duration_ms", r.Kind)
	}
	r.readLabels(v)
	r.readBuckets(v)
	if r.Help == "" {
		r.Help = r.defaultHelp(v.Text("field"))
	}
	return c, v, v.Err()
}

// readLabels reads label_fields and labels, which together must not name a label twice.
func (r *ruleConfig) readLabels(v *option.Values) {
	seen := map[string]bool{}
	take := func(option, name string) {
		switch why := checkLabelName(name, r.Kind); {
		case why != "":
			v.Fail(option, "label %q: %s", name, why)
		case seen[name]:
			v.Fail(option, "label %q is there twice; give one of them another name, for example: label_fields %s_2=$other.field", name, name)
		}
		seen[name] = true
	}
	for _, item := range v.List("label_fields") {
		l, err := parseLabel(item)
		if err != nil {
			v.Fail("label_fields", "%v", err)
			continue
		}
		take("label_fields", l.Name)
		r.Labels = append(r.Labels, l)
	}
	for _, pair := range r.Static {
		take("labels", pair.Key)
		if !utf8.ValidString(pair.Value) {
			v.Fail("labels", "the value of %q must be UTF-8", pair.Key)
		}
	}
}

func (r *ruleConfig) readBuckets(v *option.Values) {
	if r.Kind != histogram {
		if v.IsSet("buckets") {
			v.Fail("buckets", "only a histogram has buckets, and metric_type is %s", r.Kind)
		}
		return
	}
	const allowed = "buckets are ascending numbers, for example: buckets 1,10,100,1000"
	items := v.List("buckets")
	if len(items) == 0 {
		v.Fail("buckets", "there is no number in it; %s", allowed)
	}
	if len(items) > maxBuckets {
		v.Fail("buckets", "%d are more than the %d that are allowed", len(items), maxBuckets)
		return
	}
	for i, item := range items {
		f, err := strconv.ParseFloat(item, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			v.Fail("buckets", "%q is not a finite number; %s", item, allowed)
			return
		}
		if i > 0 && f <= r.Buckets[i-1] {
			v.Fail("buckets", "%s does not come after %s; %s", item, items[i-1], allowed)
			return
		}
		r.Buckets = append(r.Buckets, f)
	}
}

func (r *ruleConfig) defaultHelp(field string) string {
	switch {
	case r.Kind == gauge:
		return "Last value of the field " + field + "."
	case r.Kind == histogram:
		return "Values of the field " + field + "."
	case r.HasField:
		return "Sum of the field " + field + "."
	}
	return "Number of records."
}

// exposedNames are the names under which the metric's samples are shown.
func (r *ruleConfig) exposedNames() []string {
	if r.Kind == histogram {
		return []string{r.Name, r.Name + "_bucket", r.Name + "_sum", r.Name + "_count"}
	}
	return []string{r.Name}
}

// checkMetricName says what is wrong with a name, "" where nothing is.
// https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
func checkMetricName(name string) string {
	if !isName(name, true) {
		return "must be letters, digits, _ and :, and not begin with a digit, for example: metric_name http_requests_total"
	}
	if strings.HasPrefix(name, ownPrefix) {
		return "names that begin with " + ownPrefix + " are the plugin's own; choose another one, for example: metric_name http_requests_total"
	}
	return ""
}

// checkLabelName says what is wrong with a name, "" where nothing is.
func checkLabelName(name string, k kind) string {
	const example = ", for example: label_fields status=$http.status"
	switch {
	case !isName(name, false):
		return "the name of a label must be letters, digits and _, and not begin with a digit" + example
	case strings.HasPrefix(name, "__"):
		return "names that begin with __ are Prometheus' own; choose another one" + example
	case k == histogram && name == "le":
		return "a histogram has a label le of its own; choose another name" + example
	}
	return ""
}

func isName(s string, colons bool) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' && colons:
		case c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}
