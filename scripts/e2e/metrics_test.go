package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/pipeline"
)

// metricsHost is a Fluent Bit that tails one file of JSON lines into field_metrics.
type metricsHost struct {
	t    *testing.T
	dir  string
	log  string // that is tailed
	addr string // of /metrics
	*fluentbit.Process
}

// startMetrics starts a host with output sections, in which ${ADDR} is a free address, and waits until it serves.
func startMetrics(t *testing.T, h fluentbit.Host, service, outputs string) *metricsHost {
	t.Helper()
	addr, err := pipeline.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	m := &metricsHost{t: t, dir: t.TempDir(), addr: addr}
	m.log = filepath.Join(m.dir, "app.log")
	conf := filepath.Join(m.dir, "fluent-bit.conf")
	text := "[SERVICE]\n    Flush 0.2\n    Grace 2\n    Log_Level info\n    Parsers_File ${ROOT}/conf/parsers.conf\n    Plugins_File ${ROOT}/conf/plugins.conf\n" +
		"    storage.path ${DIR}/storage\n" + service +
		"[INPUT]\n    Name tail\n    Tag app.json\n    Path ${DIR}/app.log\n    Parser app_json\n    DB ${DIR}/tail.db\n" +
		"    Read_from_Head On\n    Refresh_Interval 1\n    storage.type filesystem\n" + outputs
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.log, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	m.Process, err = h.Start(fluentbit.Options{Config: conf, Dir: root, Log: filepath.Join(m.dir, "log"),
		Env: []string{"ROOT=" + root, "DIR=" + m.dir, "ADDR=" + addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(30 * time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of Fluent Bit's log:\n%s", m.Tail(30))
		}
	})
	return m
}

// append writes lines to the log.
func (m *metricsHost) append(lines ...string) {
	m.t.Helper()
	f, err := os.OpenFile(m.log, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, strings.Join(lines, "\n")+"\n"); err != nil {
		m.t.Fatal(err)
	}
}

// page is what is served; "" while nothing is.
func (m *metricsHost) page(accept string) string {
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, "http://"+m.addr+"/metrics", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(b)
}

// shows waits until a line is served.
func (m *metricsHost) shows(line string, limit time.Duration) {
	m.t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		page := m.page("text/plain")
		if strings.Contains("\n"+page, "\n"+line+"\n") {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%q is not served; this is:\n%s", line, page)
		}
	}
}

// logLine is a line as conf/parsers.conf reads it.
func logLine(when time.Time, fields map[string]any) string {
	fields["time"] = when.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The section that users of log_to_metrics write, without an address: it serves on the default one, with one warning.
func TestMetricsSectionAsWritten(t *testing.T) {
	const address = "127.0.0.1:2021"
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Skipf("the default address is taken on this machine: %v", err)
			}
			l.Close()
			m := startMetrics(t, h, "", `
[OUTPUT]
    Name        field_metrics
    Match       app.*
    Metrics     counter
    Metric-Name request_count
    Value-Key   $.count
    Help        "Number of processed requests"
`)
			m.addr = address
			m.append(logLine(time.Now(), map[string]any{"count": 3}), logLine(time.Now(), map[string]any{"count": "4"}))
			m.shows("request_count 7", 10*time.Second)
			m.shows("# HELP request_count Number of processed requests", time.Second)
			warnings := 0
			for _, line := range m.Lines() {
				if strings.Contains(line, "_total") {
					warnings++
				}
			}
			if warnings != 1 {
				t.Errorf("%d lines about _total, want 1", warnings)
			}
		})
	}
}

// A metrics file that is wrong stops the start, and its log has a line for each mistake, with the file and the line.
func TestMetricsFileStopsTheStart(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "metrics.yaml")
			if err := os.WriteFile(file, []byte("metrics:\n  - name: a b\n  - name: c_total\n    where: {field: status, gte: high}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			said := startWith(t, h, "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Listen 127.0.0.1:0\n    Metrics_File "+file+"\n")
			for _, want := range []string{file + ":2: metrics[0].name", file + ":4: metrics[1].where.gte"} {
				if !strings.Contains(said, want) {
					t.Errorf("the log does not say %q:\n%s", want, said)
				}
			}
		})
	}
}

// Two sections with one name at one address: the start fails and both are named.
func TestMetricsClashStopsTheStart(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			addr, err := pipeline.FreeAddr()
			if err != nil {
				t.Fatal(err)
			}
			section := "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Listen " + addr + "\n    Metric_Name a_total\n"
			said := startWith(t, h, section+"    Labels n=1\n"+section+"    Labels n=2\n")
			if !strings.Contains(said, "a_total is already served at "+addr+" by another instance (field_metrics listen="+addr+" metric_name=a_total labels=n=1)") {
				t.Errorf("both are not named:\n%s", said)
			}
		})
	}
}

// An output that is away owes its chunks, Fluent Bit is reloaded, and hands all of them out again: the metrics count them
// once, at the same port. Without workers, because 5.1 crashes at a reload with them.
func TestMetricsCountOnceOverAReload(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			if !h.HotReload() {
				t.Skipf("%s does not reload", h)
			}
			nobody, err := pipeline.FreeAddr()
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(nobody)
			m := startMetrics(t, h, "    Hot_Reload On\n    Hot_Reload.Ensure_Thread_Safety Off\n    scheduler.base 1\n    scheduler.cap 2\n", `
[OUTPUT]
    Name        field_metrics
    Match       *
    Listen      ${ADDR}
    Metric_Name log_records_total
[OUTPUT]
    Name        forward
    Match       *
    Host        127.0.0.1
    Port        `+port+`
    Retry_Limit no_limits
`)
			const records = 5
			for i := range records {
				m.append(logLine(time.Now(), map[string]any{"seq": i}))
				m.shows(fmt.Sprintf("log_records_total %d", i+1), 10*time.Second) // a chunk each
			}
			reloaded := len(m.Lines())
			if err := m.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			m.shows(fmt.Sprintf(`field_metrics_repeated_chunks_total{metric="log_records_total"} %d`, records), 30*time.Second)
			m.append(logLine(time.Now(), map[string]any{"seq": records}))
			m.shows("log_records_total 1", 10*time.Second)
			if said := strings.Join(m.Lines()[reloaded:], "\n"); !strings.Contains(said, "serving /metrics") || strings.Contains(said, "in use") {
				t.Errorf("after the reload:\n%s", said)
			}
		})
	}
}
