package fieldmetrics

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

// collectors makes one collector of the rules, without what the plugin says about itself.
type collectors []*rule

func (c collectors) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range c {
		r.Describe(ch)
	}
}

func (c collectors) Collect(ch chan<- prometheus.Metric) {
	for _, r := range c {
		r.Collect(ch)
	}
}

// Each folder of testdata/golden is a metrics file, records, and what is served for them: as text, and as OpenMetrics
// with exemplars.
func TestGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no folders: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			p := start(t, settings{"metrics_file": filepath.Join(folder, "metrics.yaml")})
			if err := p.Flush(recordsOf(t, filepath.Join(folder, "records.jsonl")), "app.web", false); err != nil {
				t.Fatal(err)
			}
			text := golden(t, filepath.Join(folder, "metrics.txt"), withoutOwn(scrape(t, p, "text/plain")))
			if err := testutil.CollectAndCompare(collectors(p.rules), strings.NewReader(text)); err != nil {
				t.Error(err)
			}
			open := withoutOwn(scrape(t, p, "application/openmetrics-text;version=1.0.0"))
			if want := golden(t, filepath.Join(folder, "openmetrics.txt"), open); open != want {
				t.Errorf("OpenMetrics:\n%s\nwant:\n%s", open, want)
			}
		})
	}
}

// golden is the content of a file, which -update makes got.
func golden(t *testing.T, file, got string) string {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// scrape gets the page in the form that a scraper accepts.
func scrape(t testing.TB, p *Plugin, accept string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+p.Addr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, b)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, strings.Split(accept, ";")[0]) {
		t.Fatalf("%s was asked for, %s came", accept, got)
	}
	return string(b)
}

// withoutOwn leaves out the metrics that the plugin has about itself.
func withoutOwn(page string) string {
	var out strings.Builder
	for line := range strings.Lines(page) {
		if !strings.Contains(line, " "+ownPrefix) && !strings.HasPrefix(line, ownPrefix) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// recordsOf is a chunk of the records of a file, one in JSON a line, a second apart.
func recordsOf(t testing.TB, file string) (data []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for i := int64(0); lines.Scan(); i++ {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		body, err := msgp.AppendIntf(nil, numbers(v))
		if err != nil {
			t.Fatal(err)
		}
		data = chunk.AppendEvent(data, 1700000000+i, 250e6, nil, body, i%2 == 0)
	}
	return data
}

// numbers makes integers of the numbers that are some, as Fluent Bit's JSON parser does.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	}
	return v
}

// The metrics file that is shipped has no problem that promlint knows, and makes series of the records it is for.
func TestShippedExample(t *testing.T) {
	p := start(t, settings{"metrics_file": "../../../conf/metrics.yaml"})
	if err := p.Flush(recordsOf(t, "testdata/shipped.jsonl"), "app.json", false); err != nil {
		t.Fatal(err)
	}
	lint, err := promlint.New(strings.NewReader(body(t, p.Addr()))).Lint()
	if err != nil || len(lint) > 0 {
		t.Error(fmt.Sprint(lint), err)
	}
	for _, r := range p.rules {
		if r.table.len() == 0 || testutil.ToFloat64(r.own.records[counted]) == 0 {
			t.Errorf("%s: no record counts", r.Name)
		}
	}
}
