package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flbgo/scripts/internal/pipeline"
)

// need finds a program of the Debian packages prometheus and prometheus-alertmanager, which scripts/test.sh installs where
// it may.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed (Debian packages prometheus, prometheus-alertmanager): not tried with a real one", program)
	}
	return path
}

// promServer is a running Prometheus.
type promServer struct {
	t    *testing.T
	addr string
}

// startPrometheus scrapes a target twice a second. features are what a user switches on.
func startPrometheus(t *testing.T, target, features string) *promServer {
	t.Helper()
	program := need(t, "prometheus")
	addr, err := pipeline.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "prometheus.yml")
	text := "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n  - job_name: fluent-bit\n    static_configs: [{targets: [\"" + target + "\"]}]\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr,
		"--enable-feature="+features, "--log.level=debug")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		b, _ := os.ReadFile(log.Name())
		for _, bad := range []string{"out-of-order", "out of order", "Append failed", "Error on ingesting"} {
			if bytes.Contains(b, []byte(bad)) {
				t.Errorf("Prometheus did not take everything:\n%s", b)
			}
		}
		if t.Failed() {
			t.Logf("Prometheus' log:\n%s", b)
		}
	})
	return &promServer{t, addr}
}

// ask sends a query and decodes its data; false while Prometheus has no answer.
func (p *promServer) ask(path string, values url.Values, to any) bool {
	p.t.Helper()
	resp, err := http.Get("http://" + p.addr + "/api/v1/" + path + "?" + values.Encode())
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	var answer struct {
		Status string
		Data   json.RawMessage
	}
	return err == nil && json.Unmarshal(b, &answer) == nil && answer.Status == "success" && json.Unmarshal(answer.Data, to) == nil
}

// query waits until an expression has the values that are wanted, by one label.
func (p *promServer) query(expression, label string, want map[string]float64) {
	p.t.Helper()
	got := map[string]float64{}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
		if !p.ask("query", url.Values{"query": {expression}}, &data) {
			continue
		}
		got = map[string]float64{}
		for _, r := range data.Result {
			text, _ := r.Value[1].(string)
			got[r.Metric[label]], _ = strconv.ParseFloat(text, 64)
		}
		if maps.EqualFunc(got, want, func(a, b float64) bool { return a == b || a > 0 && a/b < 1+1e-9 && a/b > 1-1e-9 }) {
			return
		}
	}
	p.t.Errorf("%s is %v, want %v", expression, got, want)
}

// exemplars waits until a series has exemplars, and returns the traces of all of them.
func (p *promServer) exemplars(series string) map[string]string {
	p.t.Helper()
	now := time.Now()
	values := url.Values{"query": {series}, "start": {strconv.FormatInt(now.Add(-time.Hour).Unix(), 10)}, "end": {strconv.FormatInt(now.Add(time.Hour).Unix(), 10)}}
	for deadline := now.Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var data []struct {
			Exemplars []struct {
				Labels map[string]string
				Value  string
			}
		}
		traces := map[string]string{}
		if p.ask("query_exemplars", values, &data) {
			for _, s := range data {
				for _, e := range s.Exemplars {
					traces[e.Labels["trace_id"]] = e.Labels["span_id"]
				}
			}
		}
		if len(traces) > 0 {
			return traces
		}
	}
	p.t.Errorf("%s has no exemplars", series)
	return nil
}

const prometheusMetrics = `
metrics:
  - name: log_records_total
    help: Records by level.
    labels: {level: {field: level, default: none}}
  - name: sent_bytes_total
    help: Bytes that were sent.
    value: size
    unit: bytes
  - name: operation_duration_seconds
    help: Time that an operation took.
    type: histogram
    value: took
    unit: seconds
    number_unit: ms
    buckets: [0.01, 0.1, 1]
    labels: {class: {field: status, values: {"5..": 5xx, "[1-4]..": ok}, missing: skip}}
  - name: operation_native_seconds
    help: The same as a native histogram.
    type: native_histogram
    value: took
    unit: seconds
    number_unit: ms
    where: {field: status, exists: on}
  - name: queue_length
    help: Jobs that wait.
    type: gauge
    value: queue
  - name: lines
    help: A counter whose name does not say so; were it shown with an exemplar, Prometheus would refuse the page.
`

// A real Prometheus scrapes what a known log makes, as OpenMetrics and as protobuf, and answers queries with the numbers
// that the log has. Its exemplars lead to records of the log.
func TestMetricsInPrometheus(t *testing.T) {
	for _, h := range hosts {
		for _, form := range []struct{ name, features string }{
			{"openmetrics", "exemplar-storage"},
			{"protobuf", "exemplar-storage,native-histograms"},
		} {
			t.Run(h.Version+"/"+form.name, func(t *testing.T) {
				need(t, "prometheus")
				file := filepath.Join(t.TempDir(), "metrics.yaml")
				if err := os.WriteFile(file, []byte(prometheusMetrics), 0o644); err != nil {
					t.Fatal(err)
				}
				m := startMetrics(t, h, "", "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Retry_Limit no_retries\n    Listen ${ADDR}\n    Metrics_File "+file+"\n")
				prom := startPrometheus(t, m.addr, form.features)

				traces, levels, bytes := map[string]string{}, map[string]float64{}, 0.0
				counts, sums, queue := map[string]float64{}, map[string]float64{}, 0.0
				for i := range 400 {
					fields := map[string]any{"size": fmt.Sprintf("%d KiB", i), "queue": i % 17}
					bytes += float64(i) * 1024
					queue = float64(i % 17)
					level := []string{"info", "warn", "error", "none"}[i%4]
					if level != "none" {
						fields["level"] = level
					}
					levels[level]++
					if i%3 != 0 {
						class, status := "ok", 200
						if i%5 == 0 {
							class, status = "5xx", 503
						}
						fields["status"] = status
						fields["took"] = []any{float64(i), fmt.Sprintf("%dms", i), fmt.Sprintf("%gs", float64(i)/1000)}[i%3]
						counts[class]++
						sums[class] += float64(i) / 1000
					}
					trace, span := fmt.Sprintf("%032x", i+1), fmt.Sprintf("%016x", i+1)
					fields["trace_id"], fields["span_id"] = trace, span
					traces[trace] = span
					m.append(logLine(time.Now(), fields))
					if i%40 == 39 {
						time.Sleep(300 * time.Millisecond) // over several scrapes and exemplar intervals
					}
				}

				prom.query("log_records_total", "level", levels)
				prom.query("sent_bytes_total", "", map[string]float64{"": bytes})
				prom.query("operation_duration_seconds_count", "class", counts)
				prom.query("operation_duration_seconds_sum", "class", sums)
				prom.query("lines", "", map[string]float64{"": 400})
				prom.query("queue_length", "", map[string]float64{"": queue})
				prom.query(`field_metrics_records_total{metric="operation_duration_seconds",result="counted"}`, "result",
					map[string]float64{"counted": counts["ok"] + counts["5xx"]})
				all := counts["ok"] + counts["5xx"]
				if strings.Contains(form.features, "native") {
					prom.query("histogram_count(operation_native_seconds)", "", map[string]float64{"": all})
					prom.query("histogram_sum(operation_native_seconds)", "", map[string]float64{"": sums["ok"] + sums["5xx"]})
					// Half of the values are below 0.2 s: buckets are 9 % wide.
					prom.query("0 * (histogram_quantile(0.5, operation_native_seconds) > 0.18 < 0.22)", "", map[string]float64{"": 0})
				} else {
					prom.query("operation_native_seconds_count", "", map[string]float64{"": all})
				}
				for _, series := range []string{"log_records_total", "operation_duration_seconds_bucket"} {
					for trace, span := range prom.exemplars(series) {
						if traces[trace] != span || span == "" {
							t.Errorf("the exemplar %s/%s of %s is none of the log", trace, span, series)
						}
					}
				}
			})
		}
	}
}

// promtool finds nothing wrong with what is served for the shipped metrics file and the samples of every log format.
func TestMetricsPromtool(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			promtool := need(t, "promtool")
			m := startMetrics(t, h, "", "[FILTER]\n    Name enrich\n    Match *\n    Attributes service.name=checkout,log_type=app\n"+
				"[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Retry_Limit no_retries\n    Listen ${ADDR}\n    Metrics_File ${ROOT}/conf/metrics.yaml\n")
			b, err := os.ReadFile(filepath.Join(root, "testdata/logs/zap.log"))
			if err != nil {
				t.Fatal(err)
			}
			m.append(strings.TrimSpace(string(b)))
			m.shows(`field_metrics_records_total{metric="log_records_total",result="counted"} 40`, 20*time.Second)
			for _, accept := range []string{"text/plain", "application/openmetrics-text"} {
				page := m.page(accept)
				if accept != "text/plain" && !strings.HasSuffix(page, "# EOF\n") {
					t.Errorf("%s was asked for:\n%s", accept, page)
					continue
				}
				if accept != "text/plain" {
					continue // promtool reads the text format only
				}
				cmd := exec.Command(promtool, "check", "metrics")
				cmd.Stdin = strings.NewReader(page)
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("promtool: %v\n%s\n%s", err, out, page)
				}
			}
		})
	}
}
