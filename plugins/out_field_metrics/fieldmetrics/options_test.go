package fieldmetrics

import (
	"flag"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/shared/option"
)

var update = flag.Bool("update", false, "write the option table into README.md")

func TestOptionTable(t *testing.T) {
	for _, wrong := range options.Lint() {
		t.Error(wrong)
	}
}

// README.md has the table of options.go between two markers.
func TestREADME(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- options: begin -->\n", "<!-- options: end -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md lacks the markers %q and %q", begin, end)
	}
	if table == options.Markdown() {
		return
	}
	if !*update {
		t.Fatal("the option table in README.md is not that of options.go; run: go test ./plugins/out_field_metrics/fieldmetrics -run TestREADME -update")
	}
	if err := os.WriteFile(file, []byte(before+begin+options.Markdown()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The sections that README.md shows start, and nothing in them is misspelt.
func TestREADMESections(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	host := []string{"name", "match", "workers"}
	n := 0
	for _, section := range strings.Split(string(b), "[OUTPUT]\n")[1:] {
		s := settings{}
		for line := range strings.Lines(section) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), " ")
			if !ok {
				break
			}
			key = strings.ToLower(key)
			if !slices.Contains(host, key) && !slices.ContainsFunc(options, func(o option.Option) bool { return o.Name == key || slices.Contains(o.Aliases, key) }) {
				t.Errorf("no such option: %s", key)
			}
			s[key] = strings.TrimSpace(value)
		}
		if _, _, err := parseConfig(s.get); err != nil {
			t.Errorf("%v: %v", s, err)
		}
		n++
	}
	if n == 0 {
		t.Error("README.md shows no section")
	}
}

func TestDefaults(t *testing.T) {
	c, _, err := parseConfig(settings{"metric_name": "m_total"}.get)
	if err != nil {
		t.Fatal(err)
	}
	want := instanceConfig{Listen: "127.0.0.1:2021", TraceField: path(t, "trace_id"), SpanField: path(t, "span_id"),
		ExemplarInterval: time.Second, Rules: []ruleConfig{{Name: "m_total", Kind: counter, Help: "Number of records.",
			NativeFactor: 1.1, NativeMax: 160, MaxSeries: 10000, Exemplars: true, Origin: "this section"}}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v\nwant %+v", c, want)
	}
	c, _, err = parseConfig(settings{"metric_name": "m", "metric_type": "histogram", "field": "v"}.get)
	if err != nil || !slices.Equal(c.Rules[0].Buckets, prometheus.DefBuckets) {
		t.Errorf("buckets %v, %v; want those of Prometheus, %v", c.Rules[0].Buckets, err, prometheus.DefBuckets)
	}
}

func TestLabelFields(t *testing.T) {
	f := func(fields string, want ...string) {
		t.Helper()
		c, _, err := parseConfig(settings{"metric_name": "m_total", "label_fields": fields}.get)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			return
		}
		var got []string
		for _, l := range c.Rules[0].Labels {
			got = append(got, l.Name+" "+l.Path.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", fields, got, want)
		}
	}
	f("level", "level level")
	f(" level , status = $http.status_code ", "level level", "status $http.status_code")
	f("service.name", "service_name service.name")
	f("$http.status_code", "http_status_code $http.status_code")
	f("$.a.b", "a_b $.a.b")
	f("$labels['app.kubernetes.io/name'][0]", "labels_app_kubernetes_io_name_0 $labels['app.kubernetes.io/name'][0]")
	f(`$a["x--y"]`, `a_x_y $a["x--y"]`)
	f("5xx", "_5xx 5xx")
	f("_a__b", "_a__b _a__b")
	f("größe", "gr_e größe")
	f("$['a=b']", "a_b $['a=b']")
	f("x=$['a=b']", "x $['a=b']")
	f(`$['a\,b']`, "a_b $['a,b']")
}

// One configuration for each thing that can be wrong. The error names the option, the value, what is allowed and an
// example, and nothing is left listening.
func TestInvalidOptions(t *testing.T) {
	good := settings{"metric_name": "m", "metric_type": "histogram", "field": "v", "listen": "127.0.0.1:0"}
	f := func(change settings, want ...string) {
		t.Helper()
		s := maps.Clone(good)
		maps.Copy(s, change)
		p, err := New(slog.New(slog.DiscardHandler), s.get)
		if err == nil {
			p.Close()
			t.Errorf("%v: no error", change)
			return
		}
		text := err.Error()
		if strings.Contains(text, "\n") {
			t.Errorf("%v: more than one error:\n%s", change, text)
		}
		for _, w := range append(want, "option ") {
			if !strings.Contains(text, w) {
				t.Errorf("%v: %q is not in: %s", change, w, text)
			}
		}
	}
	missing := filepath.Join(t.TempDir(), "web.yml")

	f(settings{"listen": "2021"}, `listen: "2021"`, "host:port", "127.0.0.1:2021", "off")
	f(settings{"listen": "127.0.0.1:70000"}, `listen: "127.0.0.1:70000"`, "65535")
	f(settings{"listen": "http://127.0.0.1:2021"}, "host:port")
	f(settings{"listen": "203.0.113.7:0"}, "option listen", "203.0.113.7:0", "no interface of this machine")
	f(settings{"web_config_file": missing}, `web_config_file: "`+missing, "no such file")
	f(settings{"metric_name": ""}, "option metric_name", "is missing", "log_records_total")
	f(settings{"metric_name": "1st"}, `metric_name: "1st"`, "digit", "http_requests_total")
	f(settings{"metric_name": "log.records"}, `metric_name: "log.records"`, "letters, digits, _ and :")
	f(settings{"metric_name": "größe"}, `metric_name: "größe"`, "letters, digits, _ and :")
	f(settings{"metric_name": "field_metrics_x"}, "the plugin's own")
	f(settings{"metric_type": "summary"}, `metric_type: "summary"`, "counter, gauge, histogram, native_histogram")
	f(settings{"metric_help": "\xff"}, "metric_help", "UTF-8")
	f(settings{"field": ""}, "option value_field", "histogram needs", "$http.duration_ms")
	f(settings{"field": "", "metric_type": "gauge"}, "option value_field", "gauge needs")
	f(settings{"field": "$a["}, `field: "$a["`, "not closed")
	f(settings{"label_fields": "a..b"}, `"a..b" is neither a path nor name=path`, "examples: status, $.http.status")
	f(settings{"label_fields": "1a=b"}, `label "1a"`, "not begin with a digit", "for example: status")
	f(settings{"label_fields": "a:b=c"}, `label "a:b"`, "letters, digits and _")
	f(settings{"label_fields": "=b"}, `label ""`, "letters, digits and _")
	f(settings{"label_fields": "__name__=b"}, `label "__name__"`, "Prometheus' own")
	f(settings{"label_fields": "le"}, `label "le"`, "of its own")
	f(settings{"label_fields": "a.b,a_b"}, `label "a_b" is there twice`)
	f(settings{"label_fields": "$['äö']"}, "no name can be made", "status=$['äö']")
	f(settings{"labels": "level"}, `labels: "level"`, "name=value", "cluster=eu1,app=$TAG[1]")
	f(settings{"labels": "a-b=c"}, "option labels", `label "a-b"`)
	f(settings{"labels": "le=1"}, `label "le"`)
	f(settings{"labels": "a=\xff"}, "option labels", "UTF-8")
	f(settings{"labels": "a=1", "label_fields": "a"}, "option labels", `label "a" is there twice`)
	f(settings{"buckets": "1,x"}, `buckets: "1,x"`, `"x" is not a finite number`, "ascending numbers (1,10,100)", "linear(start,width,n)", "milliseconds")
	f(settings{"buckets": "1,+Inf"}, `"+Inf" is not a finite number`)
	f(settings{"buckets": "1,NaN"}, `"NaN" is not a finite number`)
	f(settings{"buckets": "1,5,5"}, "5 does not come after 5", "ascending")
	f(settings{"buckets": "10,1"}, "1 does not come after 10")
	f(settings{"buckets": ","}, `"" is not a finite number`)
	f(settings{"buckets": strings.Repeat("1,", maxBuckets) + "1"}, "201 are more than the 200")
	f(settings{"buckets": "1", "metric_type": "counter"}, "only a histogram has buckets", "this is a counter")
	f(settings{"max_series": "0"}, `max_series: "0"`, "from 1 to 10000000")
	f(settings{"max_series": "many"}, `max_series: "many"`, "whole number")
}

// Whoever has five mistakes in a section sees five lines, not one and then the next.
func TestAllErrorsAtOnce(t *testing.T) {
	_, err := New(slog.New(slog.DiscardHandler), settings{
		"listen": "nowhere", "metric_type": "gauge", "label_fields": "a..b,le=x,1=c", "labels": "x", "max_series": "-1",
	}.get)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range []string{"listen", "metric_name", "value_field", "label_fields", "labels", "max_series"} {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "option "+name) }) {
			t.Errorf("no line about %s in:\n%v", name, err)
		}
	}
	if len(lines) != 7 { // two of the labels are wrong
		t.Errorf("%d lines:\n%v", len(lines), err)
	}
}

// le is a name like any other where the metric is no histogram.
func TestLabelNamesByType(t *testing.T) {
	c, _, err := parseConfig(settings{"metric_name": "m_total", "label_fields": "le"}.get)
	if err != nil || c.Rules[0].Labels[0].Name != "le" {
		t.Errorf("%+v %v", c.Rules[0].Labels, err)
	}
}
