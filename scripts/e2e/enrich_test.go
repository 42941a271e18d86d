package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/fluentbit"
)

// enrichHost runs a Fluent Bit with the filter alone, or with further plugins, until the test ends. conf is written to a
// file in which DIR is the folder of the test.
func enrichHost(t *testing.T, h fluentbit.Host, dir, name, conf string, env []string, plugins ...string) *fluentbit.Process {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, p := range append([]string{"flb-filter_enrich.so"}, plugins...) {
		args = append(args, "-e", filepath.Join(root, "bin", p))
	}
	p, err := h.Start(fluentbit.Options{Config: path, Dir: dir, Env: env, Log: filepath.Join(dir, "fluent-bit.log"), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(20 * time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of Fluent Bit's log:\n%s", p.Tail(30))
		}
	})
	return p
}

// printed waits for n records of a stdout output with the format json_lines.
func printed(t *testing.T, p *fluentbit.Process, n int) []map[string]any {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		var records []map[string]any
		for _, line := range p.Lines() {
			var m map[string]any
			if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &m) == nil {
				records = append(records, m)
			}
		}
		if len(records) >= n || time.Now().After(deadline) {
			if len(records) != n {
				t.Errorf("%d records were printed, want %d", len(records), n)
			}
			return records
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// traceSamples puts the lines of testdata/trace into a folder of logs and returns, by line, the ids that they have.
func traceSamples(t *testing.T, logs string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "testdata/trace/*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	ids := map[string]string{}
	for _, file := range files {
		log, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".log") + ".ids")
		if err != nil {
			t.Fatal(err)
		}
		wants := strings.Split(string(want), "\n")
		for i, line := range strings.Split(strings.TrimSuffix(string(log), "\n"), "\n") {
			ids[line] = wants[i]
		}
		if err := os.WriteFile(filepath.Join(logs, filepath.Base(file)), log, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// mustHaveIDs compares the records of the samples, whose lines are in the field log.
func mustHaveIDs(t *testing.T, records []map[string]any, ids map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range records {
		line, _ := m["log"].(string)
		want, known := ids[line]
		if !known {
			t.Errorf("a record of no sample: %v", m)
			continue
		}
		seen[line] = true
		get := func(name string) string {
			if s, _ := m[name].(string); strings.Trim(s, "0") != "" {
				return s
			}
			return "-"
		}
		if got := get("trace_id") + " " + get("span_id"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
		}
		if m["service.name"] != "shop" || m["deployment.environment.name"] != "test" || m["log_type"] != "raw" {
			t.Errorf("attributes are missing: %v", m)
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("%d of %d samples came", len(seen), len(ids))
	}
}

const enrichTail = `
[SERVICE]
    Flush     0.2
    Log_Level info
[INPUT]
    Name           tail
    Tag            raw.log
    Path           DIR/logs/*.log
    Read_from_Head On
[FILTER]
    Name           enrich
    Match          *
    Service_Name   shop
    Attributes     log_type=$TAG[0]
    From_Message   log
`

var enrichEnv = []string{"OTEL_SERVICE_NAME=other", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test", "DD_ENV=no"}

// In front of the built-in stdout output: the lines of instrumented loggers, raw, as a container runtime hands them on.
func TestEnrichBeforeStdout(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			dir := t.TempDir()
			logs := filepath.Join(dir, "logs")
			if err := os.Mkdir(logs, 0o755); err != nil {
				t.Fatal(err)
			}
			ids := traceSamples(t, logs)
			metrics := "127.0.0.1:" + freePort(t)
			p := enrichHost(t, h, dir, "fluent-bit.conf", enrichTail+"    Listen         "+metrics+`
[OUTPUT]
    Name   stdout
    Match  *
    Format json_lines
`, enrichEnv)
			mustHaveIDs(t, printed(t, p, len(ids)), ids)

			resp, err := http.Get("http://" + metrics + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			page, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{fmt.Sprintf("enrich_records_total{instance=\"0\"} %d\n", len(ids)),
				"enrich_source_state{instance=\"0\",source=\"otel\",state=\"found\"} 1\n", "enrich_damaged_total{instance=\"0\"} 0\n"} {
				if !bytes.Contains(page, []byte(want)) {
					t.Errorf("/metrics lacks %s", want)
				}
			}
		})
	}
}

// In front of kafka_batch: the same records, out of a broker.
func TestEnrichBeforeKafka(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "enrich.conf")
			conf := strings.ReplaceAll(enrichTail, "DIR/logs", "${LOG_DIR}") + `
[OUTPUT]
    Name        kafka_batch
    Alias       kafka
    Match       *
    Brokers     ${KAFKA_BROKERS}
    Topics      ${KAFKA_TOPIC}
    Workers     2
    Retry_Limit no_limits
`
			conf = strings.Replace(conf, "    Log_Level info\n", "    Log_Level info\n    Plugins_File "+filepath.Join(dir, "plugins.conf")+"\n", 1)
			plugins := "[PLUGINS]\n    Path " + filepath.Join(root, "bin/flb-filter_enrich.so") + "\n    Path " + filepath.Join(root, "bin/out_kafka_batch.so") + "\n"
			for name, text := range map[string]string{path: conf, filepath.Join(dir, "plugins.conf"): plugins} {
				if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r := newRig(t, h, path, enrichEnv...)
			ids := traceSamples(t, r.Logs)
			r.startHost()
			mustHaveIDs(t, r.values(len(ids), 20*time.Second), ids)
		})
	}
}

// values reads the topic until it has n records or the time is up.
func (r *rig) values(n int, limit time.Duration) (records []map[string]any) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...), kgo.ConsumeTopics(r.Topic))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	for len(records) < n && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			var m map[string]any
			if err := json.Unmarshal(rec.Value, &m); err != nil {
				r.t.Errorf("a record is no JSON object: %v: %s", err, rec.Value)
			}
			records = append(records, m)
		})
	}
	return records
}

const podMeta = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"checkout-6f7d9b-x2x4z","namespace":"shop","uid":"6f3a9b1c-0000-4000-8000-000000000001",
"labels":{"pod-template-hash":"6f7d9b","app.kubernetes.io/version":"1.4.2"},"annotations":{"resource.opentelemetry.io/service.namespace":"retail"}},
"spec":{"nodeName":"node-17","containers":[{"name":"app","image":"registry:5000/shop/checkout:1.4.1"}]}}`

// Behind Fluent Bit's own kubernetes filter, which takes its pods from files here: the pod names the service, and the
// JSON of the application in the field log has the trace. With two instances, of which the second finds nothing to do.
func TestEnrichBehindKubernetes(t *testing.T) {
	const enrich = `
[FILTER]
    Name         enrich
    Match        *
    Service_From record
    Service_Name fallback
    From_Message log
    Naming       ecs
    Under        resource
    Layout       nested
`
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			dir := t.TempDir()
			const name = "checkout-6f7d9b-x2x4z_shop_app-c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16.log"
			var lines strings.Builder
			for i := range 5 {
				text, _ := json.Marshal(fmt.Sprintf(`{"level":"warn","n":%d,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}`+"\n", i))
				fmt.Fprintf(&lines, "{\"log\":%s,\"stream\":\"stdout\"}\n", text)
			}
			for path, text := range map[string]string{
				"logs/" + name: lines.String(), "meta/shop_checkout-6f7d9b-x2x4z.meta": podMeta,
				"parsers.conf": "[PARSER]\n    Name docker\n    Format json\n",
			} {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			prefix := "kube." + strings.ReplaceAll(strings.TrimPrefix(filepath.Join(dir, "logs"), "/"), "/", ".") + "."
			p := enrichHost(t, h, dir, "fluent-bit.conf", `
[SERVICE]
    Flush        0.2
    Parsers_File DIR/parsers.conf
[INPUT]
    Name           tail
    Tag            kube.*
    Path           DIR/logs/*.log
    Parser         docker
    Read_from_Head On
[FILTER]
    Name                        kubernetes
    Match                       kube.*
    Kube_URL                    http://127.0.0.1:1
    Kube_Tag_Prefix             `+prefix+`
    Kube_meta_preload_cache_dir DIR/meta
`+enrich+enrich+`
[OUTPUT]
    Name   stdout
    Match  *
    Format json_lines
`, nil)
			for _, m := range printed(t, p, 5) {
				resource, _ := json.Marshal(m["resource"])
				const want = `{"service":{"name":"checkout","namespace":"retail","node":{"name":"shop.checkout-6f7d9b-x2x4z.app"},"version":"1.4.2"}}`
				if string(resource) != want || m["trace.id"] != "4bf92f3577b34da6a3ce929d0e0e4736" || m["span.id"] != "00f067aa0ba902b7" || m["level"] != "WARN" {
					t.Errorf("resource %s, record %v", resource, m)
				}
			}
		})
	}
}

// As a YAML processor, and its ids where Fluent Bit's opentelemetry output takes them from: the events' metadata.
func TestEnrichProcessorBeforeOpenTelemetry(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			if !h.YAML() {
				t.Skipf("%s has no processors", h)
			}
			var mu sync.Mutex
			var got []byte
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				mu.Lock()
				defer mu.Unlock()
				got = append(got, b...)
			})}
			go server.Serve(l)
			t.Cleanup(func() { server.Close() })
			_, port, _ := net.SplitHostPort(l.Addr().String())
			enrichHost(t, h, t.TempDir(), "fluent-bit.yaml", `
service:
  flush: 0.2
pipeline:
  inputs:
    - name: dummy
      tag: app.x
      samples: 3
      dummy: '{"msg":"order placed","level":"info","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}'
      processors:
        logs:
          - name: enrich
            service_name: checkout
            otlp_metadata: on
  outputs:
    - name: opentelemetry
      match: '*'
      host: 127.0.0.1
      port: `+port+`
`, nil)
			// LogRecord.trace_id, field 9, and span_id, field 10, of opentelemetry/proto/logs/v1/logs.proto; flags, field 8.
			trace, _ := hex.DecodeString("4a104bf92f3577b34da6a3ce929d0e0e4736")
			span, _ := hex.DecodeString("520800f067aa0ba902b7")
			flags := []byte{0x45, 1, 0, 0, 0}
			deadline := time.Now().Add(20 * time.Second)
			for {
				mu.Lock()
				body := bytes.Clone(got)
				mu.Unlock()
				if n := bytes.Count(body, trace); n == 3 && bytes.Count(body, span) == 3 && bytes.Count(body, flags) == 3 && bytes.Contains(body, []byte("checkout")) {
					return
				} else if time.Now().After(deadline) {
					t.Fatalf("%d trace ids, %d span ids, %d flags in\n% x", n, bytes.Count(body, span), bytes.Count(body, flags), body)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
}
