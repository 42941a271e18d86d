package fieldmetrics

import (
	"flag"
	"fmt"
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

// README.md has the tables of options.go, keys.go, unit.go and own.go, each between two markers.
func TestREADME(t *testing.T) {
	const file = "../README.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, part := range []struct{ name, table string }{
		{"options", options.Markdown()},
		{"metric keys", metricKeys.markdown()},
		{"label keys", labelKeys.markdown()},
		{"condition keys", conditionKeys.markdown()},
		{"units", "| | |\n|---|---|\n| time | " + unitNames(timeUnits) + " |\n| size | " + unitNames(byteUnits) + " |\n| part | " + unitNames(ratioUnits) + " |\n"},
		{"own metrics", ownTable(t)},
	} {
		begin, end := "<!-- "+part.name+": begin -->\n", "<!-- "+part.name+": end -->\n"
		before, rest, ok := strings.Cut(text, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("README.md lacks the markers %q and %q", begin, end)
		}
		text = before + begin + part.table + end + after
	}
	if text == string(b) {
		return
	}
	if !*update {
		t.Fatal("a table in README.md is not that of the code; run: go test ./plugins/out_field_metrics/fieldmetrics -run TestREADME -update")
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ownTable is what the plugin serves about itself.
func ownTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| metric | type | what it is |\n|---|---|---|\n")
	p := start(t, settings{"metric_name": "m_total", "listen": "off"})
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), ownPrefix) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), f.GetHelp())
		}
	}
	return b.String()
}

// The examples of the tables are what they are examples of.
func TestKeyExamples(t *testing.T) {
	base := map[string]string{"metrics": "value: v, type: histogram", "unit": "value: v", "number_unit": "value: v, unit: seconds",
		"action": "value: v, type: gauge", "buckets": "value: v, type: histogram", "native_factor": "value: v, type: native_histogram",
		"native_max_buckets": "value: v, type: native_histogram", "initialize": "labels: {status: s}", "type": "value: v"}
	f := func(content string) {
		t.Helper()
		file := t.TempDir() + "/metrics.yaml"
		write(t, file, content)
		if _, err := readMetrics(file); err != nil {
			t.Errorf("%s\n%v", content, err)
		}
	}
	for _, k := range metricKeys {
		lines := []string{metricKeys.example(k.Name)}
		if k.Name != "name" {
			lines = append(lines, "name: a_total")
		}
		if more := base[k.Name]; more != "" {
			lines = append(lines, strings.Split(more, ", ")...)
		}
		f("metrics:\n  - " + strings.Join(lines, "\n    ") + "\n")
	}
	for _, k := range labelKeys {
		more := "\n        field: f"
		if k.Name == "field" || k.Name == "value" {
			more = ""
		}
		f("metrics:\n  - name: a_total\n    labels:\n      l:\n        " + labelKeys.example(k.Name) + more + "\n")
	}
	for _, k := range conditionKeys {
		more := "\n        field: f"
		switch k.Name {
		case "field":
			more = "\n        eq: 1"
		case "and", "or":
			more = ""
		}
		f("metrics:\n  - name: a_total\n    where:\n      - " + conditionKeys.example(k.Name) + more + "\n")
	}
}

// The sections that README.md shows start, and nothing in them is misspelt.
func TestREADMESections(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(b), "```")
	file := t.TempDir() + "/metrics.yaml"
	n := 0
	for _, block := range blocks {
		if content, ok := strings.CutPrefix(block, "yaml\n"); ok {
			write(t, file, content)
			if _, err := readMetrics(file); err != nil {
				t.Error(err)
			}
			n++
		}
	}
	host := []string{"name", "match", "workers", "retry_limit"}
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
		if s["metrics_file"] != "" {
			s["metrics_file"] = file
		}
		if _, _, err := parseConfig(s.get); err != nil {
			t.Errorf("%v: %v", s, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("README.md shows %d examples", n)
	}
}

// A section as log_to_metrics' users write it: served on the default address, with one warning about the name.
func TestSectionOfLogToMetrics(t *testing.T) {
	var out logs
	s := settings{"metrics": "counter", "metric-name": "request_count", "value-key": "$.count", "help": `"Number of processed requests"`}
	c, _, err := parseConfig(s.get)
	if err != nil || c.Listen != "127.0.0.1:2021" {
		t.Fatalf("%q %v", c.Listen, err)
	}
	p, err := open(t, s, &out) // elsewhere: the default port may be in use here
	if err != nil {
		t.Fatal(err)
	}
	flushed(t, p, events(rec("count", 3), rec("count", "4"), rec("n", 1)))
	shows(t, p, `
		# HELP request_count Number of processed requests
		# TYPE request_count counter
		request_count 7
	`, "request_count")
	if n := strings.Count(out.String(), "level=WARN"); n != 1 || !strings.Contains(out.String(), "_total") {
		t.Errorf("%d warnings:\n%s", n, &out)
	}
}

func TestQuotesAreStripped(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := unquoted(func(string) string { return text })("x"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	f(`"a b"`, "a b")
	f(`'a b'`, "a b")
	f(` "a" `, "a")
	f(`""`, "")
	f(`"`, `"`)
	f(`"a`, `"a`)
	f(`"a","b"`, `"a","b"`)
	f(`$['a']`, `$['a']`)
	f(`'it's'`, `'it's'`)
}

// Every option of one metric does what its key of the metrics file does.
func TestSectionLikeFile(t *testing.T) {
	file := t.TempDir() + "/metrics.yaml"
	f := func(s settings, content string) {
		t.Helper()
		s["metric_name"] = "a_total"
		write(t, file, "metrics:\n  - name: a_total\n"+content)
		section, _, err := parseConfig(s.get)
		if err != nil {
			t.Error(err)
			return
		}
		rules, err := readMetrics(file)
		if err != nil {
			t.Error(err)
			return
		}
		rules[0].Origin = section.Rules[0].Origin
		if !reflect.DeepEqual(rules[0], section.Rules[0]) {
			t.Errorf("%v:\n%+v\n%+v", s, section.Rules[0], rules[0])
		}
	}
	f(settings{}, "")
	f(settings{"metric_mode": "Gauge", "value_field": "$.v", "action": "sub", "idle_timeout": "off"},
		"    type: gauge\n    value: $.v\n    action: sub\n    idle_timeout: off\n")
	f(settings{"metrics": "histogram", "field": "v", "unit": "s", "number_unit": "ms", "bucket": "linear(1, 2, 3)", "help": "'Some.'"},
		"    type: histogram\n    value: v\n    unit: seconds\n    number_unit: milliseconds\n    buckets: [1, 3, 5]\n    help: Some.\n")
	f(settings{"metric_mode": "native_histogram", "value-key": "v", "native_factor": "2", "native_max_buckets": "20", "exemplars": "off"},
		"    type: native_histogram\n    value: v\n    native_factor: 2\n    native_max_buckets: 20\n    exemplars: off\n")
	f(settings{"label_field": "a=$.a.b,$x.y", "labels": "c=d,app=$TAG[1]", "max_series": "5", "initialize": "a=1|2,x_y=z,app=w"},
		"    labels: {a: $.a.b, x_y: $x.y, c: {value: d}, app: \"$TAG[1]\"}\n    max_series: 5\n    initialize: {a: [1, 2], x_y: z, app: w}\n")
	f(settings{"regex": "$a.b ^x y$", "exclude": "c z"},
		"    where: [{field: $a.b, regex: \"^x y$\"}, {field: c, not_regex: z}]\n")
	f(settings{"metric_name": "x"}, "")

	c, _, err := parseConfig(settings{"metric_namespace": "shop", "metric_subsystem": "http", "metric_name": "requests_total"}.get)
	if err != nil || c.Rules[0].Name != "shop_http_requests_total" {
		t.Errorf("%v %v", c.Rules, err)
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
	f(settings{"unit": "parsecs"}, `unit: "parsecs"`, "seconds (s)")
	f(settings{"number_unit": "ms"}, "option number_unit", "seconds")
	f(settings{"action": "add"}, "option action", "a histogram has no action")
	f(settings{"action": "more"}, `action: "more"`, "inc, add, set, dec, sub")
	f(settings{"regex": "level"}, `regex: "level"`, "a path, a space and a regular expression", "there is none")
	f(settings{"exclude": "level ("}, `exclude: "level ("`, "missing closing )", "exclude level ^(error|fatal)$")
	f(settings{"native_factor": "2"}, "option native_factor", "only a native_histogram")
	f(settings{"native_factor": "x", "metric_mode": "native_histogram"}, `native_factor: "x"`, "native_factor 1.1")
	f(settings{"native_max_buckets": "1", "metric_mode": "native_histogram"}, "from 10 to 10000")
	f(settings{"idle_timeout": "5"}, `idle_timeout: "5"`, "at least 1s", "10m")
	f(settings{"initialize": "x=1"}, "option initialize", `"x" is no label`)
	f(settings{"labels": "a=$HOST"}, "option labels", "$TAG[n]")
	f(settings{"metric_namespace": "a-b"}, `metric_namespace: "a-b"`, "letters, digits and _")
	f(settings{"trace_id_field": "$a["}, "option trace_id_field", "not closed")
	f(settings{"exemplar_interval": "soon"}, "option exemplar_interval", "1s")
	f(settings{"metrics_file": "../../../conf/metrics.yaml", "metric_type": "", "field": ""}, `option metric_name: "m"`, "with metrics_file")
	f(settings{"metrics_file": missing, "metric_name": "", "metric_type": "", "field": ""}, "option metrics_file", missing+":1", "no such file")
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
