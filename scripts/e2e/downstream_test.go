package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// readsKafka tells whether a host was built with the kafka input.
func readsKafka(h fluentbit.Host) bool {
	out, err := exec.Command(h.Path, "--help").Output()
	if err != nil {
		return false
	}
	_, inputs, _ := strings.Cut(string(out), "Inputs")
	inputs, _, _ = strings.Cut(inputs, "Processors")
	inputs, _, _ = strings.Cut(inputs, "Filters")
	for _, line := range strings.Split(inputs, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "kafka") {
			return true
		}
	}
	return false
}

// startDownstream runs one of conf/downstream against the rig's topic until the test ends.
func (r *rig) startDownstream(conf, store, group string) {
	r.t.Helper()
	host, port, _ := strings.Cut(strings.TrimPrefix(store, "http://"), ":")
	state := filepath.Join(r.dir, group)
	p, err := r.host.Start(fluentbit.Options{Config: filepath.Join(root, conf), Dir: root, Log: filepath.Join(r.dir, group+".log"), Env: []string{
		"KAFKA_BROKERS=" + strings.Join(r.Brokers, ","), "KAFKA_TOPIC=" + r.Topic, "KAFKA_GROUP=" + group, "STATE_DIR=" + state, "HTTP_PORT=" + freePort(r.t),
		"STORE_HOST=" + host, "STORE_PORT=" + port, "STORE_TLS=Off", "STORE_USER=flbgo", "STORE_PASSWORD=x",
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		p.Kill()
		if r.t.Failed() {
			r.t.Logf("the end of %s' log:\n%s", group, p.Tail(15))
		}
	})
}

// writeTwice has n events in the topic, and all of them a second time, as a producer that was killed would send them.
func (r *rig) writeTwice(n uint64) {
	r.t.Helper()
	r.startHost()
	r.write(loggen.Config{Streams: jsonStreams, Rate: 3000, Count: n, Seed: 71})
	r.mustBeWhole(r.await(20*time.Second), n)
	records := r.topicRecords(int(n), 10*time.Second, r.Topic)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...), kgo.DefaultProduceTopic(r.Topic))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	var copies []*kgo.Record
	for _, rec := range records {
		copies = append(copies, &kgo.Record{Value: rec.Value, Headers: rec.Headers})
	}
	if err := cl.ProduceSync(r.t.Context(), copies...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// Kafka to a real OpenSearch: every record is one document of its day's index under its record_id, although all of them
// are in the topic twice and are read by two consumer groups; fields have the types of the template.
func TestDownstreamOpenSearch(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			if !readsKafka(h) {
				t.Skipf("%s has no kafka input", h)
			}
			store := startOpenSearch(t)
			template, err := os.ReadFile(filepath.Join(root, "conf/downstream/index-template-opensearch.json"))
			if err != nil {
				t.Fatal(err)
			}
			store.do(t, http.MethodPut, "/_index_template/logs", template)
			r := newRig(t, h, "conf/compose/fluent-bit.conf", "SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2", "HTTP_PORT="+freePort(t))
			const n = 1000
			r.writeTwice(n)
			r.startDownstream("conf/downstream/fluent-bit.conf", store.url, "first")
			r.startDownstream("conf/downstream/fluent-bit.conf", store.url, "second")

			var count struct{ Count int }
			for deadline := time.Now().Add(45 * time.Second); ; time.Sleep(500 * time.Millisecond) {
				store.do(t, http.MethodPost, "/logs-*/_refresh?ignore_unavailable=true", nil)
				if err := json.Unmarshal(store.do(t, http.MethodGet, "/logs-*/_count", nil), &count); err != nil {
					t.Fatal(err)
				}
				if count.Count >= n || time.Now().After(deadline) {
					break
				}
			}
			time.Sleep(3 * time.Second) // for what would be too many
			store.do(t, http.MethodPost, "/logs-*/_refresh", nil)
			var found struct {
				Hits struct {
					Total struct{ Value int }
					Hits  []struct {
						Index  string         `json:"_index"`
						ID     string         `json:"_id"`
						Source map[string]any `json:"_source"`
					}
				}
			}
			if err := json.Unmarshal(store.do(t, http.MethodGet, "/logs-*/_search?size=2000&track_total_hits=true", nil), &found); err != nil {
				t.Fatal(err)
			}
			if found.Hits.Total.Value != n {
				t.Errorf("%d documents of %d records", found.Hits.Total.Value, n)
			}
			for _, d := range found.Hits.Hits {
				ts, _ := d.Source["ts"].(string)
				at, err := time.Parse(time.RFC3339Nano, ts)
				if err != nil || d.Index != "logs-"+at.UTC().Format("2006.01.02") || d.ID != d.Source["record_id"] || len(d.ID) != 32 ||
					d.Source["service.name"] != "checkout" || d.Source["message"] == nil || d.Source["partition"] != nil {
					t.Fatalf("%+v, %v", d, err)
				}
			}
			var mapped map[string]struct {
				Mappings struct {
					Properties map[string]struct{ Type string }
				}
			}
			if err := json.Unmarshal(store.do(t, http.MethodGet, "/logs-*/_mapping", nil), &mapped); err != nil || len(mapped) == 0 {
				t.Fatal(err, mapped)
			}
			for index, m := range mapped {
				for field, want := range map[string]string{"ts": "date", "level": "keyword", "trace_id": "keyword", "duration_ms": "float"} {
					if got := m.Mappings.Properties[field].Type; got != want {
						t.Errorf("%s: %s is %s, want %s", index, field, got, want)
					}
				}
			}
			var errored struct {
				Hits struct{ Total struct{ Value int } }
			}
			if err := json.Unmarshal(store.do(t, http.MethodGet, "/logs-*/_search?q=level:INFO%20AND%20service.name:checkout&track_total_hits=true", nil), &errored); err != nil ||
				errored.Hits.Total.Value == 0 {
				t.Errorf("nothing is found by level and service: %v", err)
			}
		})
	}
}

// Kafka to Loki, of which a recorder of its push endpoint takes the place: every record is a line with its labels.
func TestDownstreamLoki(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			if !readsKafka(h) {
				t.Skipf("%s has no kafka input", h)
			}
			var mu sync.Mutex
			lines, labels := map[string]bool{}, map[string]bool{}
			recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				var push struct {
					Streams []struct {
						Stream map[string]string
						Values [][]any
					}
				}
				if req.URL.Path != "/loki/api/v1/push" || json.NewDecoder(req.Body).Decode(&push) != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, s := range push.Streams {
					labels[s.Stream["service_name"]+"/"+s.Stream["level"]] = true
					for _, v := range s.Values {
						if len(v) > 1 {
							lines[fmt.Sprint(v[:2])] = true
						}
					}
				}
				w.WriteHeader(http.StatusNoContent)
			}))
			defer recorder.Close()
			r := newRig(t, h, "conf/compose/fluent-bit.conf", "SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2", "HTTP_PORT="+freePort(t))
			const n = 1000
			r.writeTwice(n)
			r.startDownstream("conf/downstream/loki.conf", recorder.URL, "loki")
			have := func() int { mu.Lock(); defer mu.Unlock(); return len(lines) }
			for deadline := time.Now().Add(30 * time.Second); have() < n && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			}
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			// As Loki does, lines of one time and text are one.
			if len(lines) != n || !labels["checkout/INFO"] {
				t.Errorf("%d lines of %d records; labels %v", len(lines), n, labels)
			}
		})
	}
}

// openSearch is a node of a test.
type openSearch struct{ url string }

// startOpenSearch runs one until the test ends; it skips the test where it cannot be had.
func startOpenSearch(t *testing.T) openSearch {
	t.Helper()
	script := filepath.Join(root, "scripts", "opensearch.sh")
	if out, err := exec.Command(script, "jars").CombinedOutput(); err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 3 {
			t.Skipf("%s", bytes.TrimSpace(out))
		}
		t.Fatalf("%v: %s", err, out)
	}
	dir, err := os.MkdirTemp("", "flbgo-opensearch-") // of a test's own folder nobody may be the owner
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	cmd := exec.Command(script, "run", dir, port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "opensearch.log"))
			t.Logf("the end of OpenSearch's log:\n%s", log[max(0, len(log)-3000):])
		}
		os.RemoveAll(dir)
	})
	s := openSearch{"http://127.0.0.1:" + port}
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("OpenSearch ended: %v", err)
		default:
		}
		if resp, err := http.Get(s.url + "/_cluster/health"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s
			}
		}
	}
	t.Fatal("OpenSearch does not answer after 90 s")
	return s
}

// do fails the test unless the answer is one of success, and returns its body.
func (s openSearch) do(t *testing.T, method, path string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s, %v\n%s", method, path, resp.Status, err, strconv.Quote(string(answer[:min(len(answer), 1000)])))
	}
	return answer
}
