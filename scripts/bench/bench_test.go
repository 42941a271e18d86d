package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStat(t *testing.T) {
	f := func(v []float64, want Stat) {
		t.Helper()
		if got := stat(v); got != want {
			t.Errorf("%v: %v, not %v", v, got, want)
		}
	}
	f(nil, Stat{})
	f([]float64{3}, Stat{3, 3, 3})
	f([]float64{3, 1, 2}, Stat{2, 1, 3})
	f([]float64{4, 1, 2, 3}, Stat{2.5, 1, 4})
}

// A ratio is that of a round, so that a slow round counts in both; without a peer there is none.
func TestOver(t *testing.T) {
	if got := over([]float64{1, 4}, []float64{2, 16}); !slices.Equal(got, []float64{0.5, 0.25}) {
		t.Error(got)
	}
	if got := over([]float64{1, 4}, nil); got != nil {
		t.Error(got)
	}
}

// Every file of peers/ is some row's, or included by one, and every row's files are there.
func TestPeers(t *testing.T) {
	var want []string
	for _, r := range rows {
		want = append(want, r.ours.conf, r.builtin.conf)
	}
	want = append(want, null.conf, "input.conf", "parsers.conf", "enrich.lua")
	slices.Sort(want)
	want = slices.Compact(want)
	var got []string
	files, err := filepath.Glob("peers/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		got = append(got, filepath.Base(f))
	}
	if !slices.Equal(got, want) {
		t.Errorf("peers/ has %v, the rows name %v", got, want)
	}
}

func TestLineNumber(t *testing.T) {
	f := func(value string, want int, ok bool) {
		t.Helper()
		if got, is := lineNumber([]byte(value)); is != ok || ok && got != want {
			t.Errorf("%s: %d, %v", value, got, is)
		}
	}
	f(`{"seq":12}`, 12, true)
	f(`{"a":1,"seq":12,"b":2}`, 12, true)
	f(`{"a":1}`, 0, false)
	f(`{"seq":-1}`, 0, false)
	f(`{"seq":"x"}`, 0, false)
	f(`{"seq":12`, 0, false)
}

// What the two exporters write for one histogram is the same one.
func TestHistogram(t *testing.T) {
	ours, err := histogram([]byte(metricName + `_bucket{level="info",status="200",le="10"} 3` + "\n" + metricName + `_count{level="info",status="200"} 4` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	builtin, err := histogram([]byte(`log_metric_histogram_` + metricName + `_bucket{le="10.0",level="info",status="200"} 3` + "\n" +
		`log_metric_histogram_` + metricName + `_count{level="info",status="200"} 4` + "\nother_count{} 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := made{series: ours}, made{series: builtin}
	if diff := a.differences(b); len(ours) != 2 || diff != nil {
		t.Errorf("%v: %v", ours, diff)
	}
	builtin[`count{level="info",status="200"}`] = 5
	if diff := a.differences(b); len(diff) != 1 {
		t.Errorf("%v", diff)
	}
}

func TestDifferences(t *testing.T) {
	base := func() made {
		return made{records: map[int]map[string]any{1: {"seq": 1.0, "@timestamp": 1764000000.123456, "order": map[string]any{"id": 5.0}}}}
	}
	f := func(change func(*made), want string) {
		t.Helper()
		o := base()
		change(&o)
		diff := strings.Join(base().differences(o), "; ")
		if want == "" && diff != "" || !strings.Contains(diff, want) {
			t.Errorf("%q, not %q", diff, want)
		}
	}
	f(func(*made) {}, "")
	f(func(o *made) { o.records[1]["@timestamp"] = 1764000000.1234567 }, "")
	f(func(o *made) { o.records[1]["seq"] = 2.0 }, "line 1: seq is 1 and 2")
	f(func(o *made) { o.records[1]["order"] = map[string]any{} }, "line 1: order")
	f(func(o *made) { o.records[1]["more"] = "x" }, "line 1: more is nowhere and x")
	f(func(o *made) { delete(o.records, 1) }, "1 and 0 records")
	f(func(o *made) { o.twice = 3 }, "0 and 3 records sent twice")
}

// A row that is measured again replaces its predecessor, the others stay, in the order of the table; what is met and
// missed is said.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	rep, err := loadReport(dir, "5.1.1")
	if err != nil {
		t.Fatal(err)
	}
	put := func(r row, cpu float64) {
		t.Helper()
		res := Result{Name: r.name, What: r.what, Lines: 1_000_000,
			OursSide: Side{r.ours.name(), r.ours.command()}, BuiltinSide: Side{r.builtin.name(), r.builtin.command()},
			Null:    []Run{{CPU: 2, Seconds: 2, Records: 1_000_000}},
			Ours:    []Run{{CPU: 2 + cpu, Seconds: 3, Records: 1_000_000, RSS: 50e6}},
			Builtin: []Run{{CPU: 5, Seconds: 6, Records: 1_000_007, RSS: 60e6, Complaints: 2, Complaint: "[ warn] queue full"}},
		}
		res.measure(r)
		rep.put(res)
		if err := rep.save(); err != nil {
			t.Fatal(err)
		}
		if rep, err = loadReport(dir, "5.1.1"); err != nil {
			t.Fatal(err)
		}
	}
	put(rows[3], 1)
	put(rows[0], 3)
	put(rows[0], 0.6)
	if len(rep.rows) != 2 || rep.rows[0].Name != rows[0].name {
		t.Fatalf("%d rows", len(rep.rows))
	}
	if m := rep.rows[0].Measures[0]; m.Name != cpuPerRecord || m.Ours.Median < 0.599 || m.Ours.Median > 0.601 || m.Ratio.Median > 0.201 {
		t.Errorf("%+v", m)
	}
	md, err := os.ReadFile(filepath.Join(dir, "peers-5.1.1.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ratio ≤ 0.22: met", "ratio ≥ 2.2: missed",
		"kafka sent 7 records more than there were lines", "queue full",
		"`scripts/bench/peers/kafka.conf`", "rdkafka.compression.codec",
	} {
		if !strings.Contains(string(md), want) {
			t.Errorf("the report lacks %q:\n%s", want, md)
		}
	}
}

func TestFlags(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: %d, %s", args, code, errs.String())
		}
	}
	f(`"kafka" is none of kafka_batch`, "-rows", "kafka")
	f("lines from 5000", "-lines", "10")
	f("unexpected argument", "x")
}

// A family's rows stand together, read lines of one size and share their sides.
func TestFamilies(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range families(rows) {
		if seen[f[0].family] || f[0].family == "" {
			t.Errorf("family %q is in two places", f[0].family)
		}
		seen[f[0].family] = true
		for _, r := range f {
			if r.size != f[0].size {
				t.Errorf("%s reads other lines than %s", r.name, f[0].name)
			}
		}
	}
	f := func(skipped map[string]string, want ...string) {
		t.Helper()
		var got []string
		for _, s := range turn(families(rows)[0], skipped) {
			got = append(got, s.name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, not %v", got, want)
		}
	}
	f(nil, "null", "kafka_batch", "kafka", "kafka_worker", "kafka_batch_ids")
	f(map[string]string{"kafka_batch": "x", "kafka_batch_worker": "x", "kafka_batch_ids": "x"}, "null", "kafka_batch", "kafka_batch_ids")
}

// The chart is XML, and has the rows that have a peer.
func TestChart(t *testing.T) {
	rep := &report{version: "5.1.1"}
	for i, skipped := range []string{"", "no peer"} {
		rep.rows = append(rep.rows, Result{Name: rows[i].name, Skipped: skipped, Machine: "a <b> & c",
			OursSide: Side{Name: "kafka_batch"}, BuiltinSide: Side{Name: "kafka"},
			Measures: []Measure{{Ours: Stat{Median: 0.5}, Builtin: Stat{Median: 2}, Ratio: Stat{Median: 0.25}}}})
	}
	svg := rep.chart()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(svg, rows[0].chart) != 1 || strings.Contains(svg, rows[1].chart) ||
		!strings.Contains(svg, `width="75.0"`) || !strings.Contains(svg, "× 0.250") {
		t.Error(svg)
	}
}
