package batch

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func getPage(t *testing.T, o *Output, path string) (code int, body string) {
	t.Helper()
	res, err := http.Get("http://" + o.listener.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// value is the sum of a metric's samples on a page.
func value(t *testing.T, page, name string) (sum float64) {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	f := families[name]
	if f == nil {
		t.Fatalf("the page has no %s", name)
	}
	for _, m := range f.Metric {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

func law(t *testing.T, page string) {
	t.Helper()
	v := func(name string) float64 { return value(t, page, "kafka_batch_records_"+name) }
	if taken, sum := v("taken_total"), v("acknowledged_total")+v("dead_lettered_total")+v("dropped_total")+v("open"); taken != sum {
		t.Errorf("taken %v, the others are %v together", taken, sum)
	}
}

func TestReadmeMetrics(t *testing.T) {
	o, _ := output(t, []string{hostPort(1)}, "listen", "127.0.0.1:0")
	o.stats.answer(0) // of whose metric there is none before the first
	_, page := getPage(t, o, "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| metric | type | labels | what it is |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f := families[name]
		var labels []string
		for _, l := range f.Metric[0].Label {
			if l.GetName() != "client_id" {
				labels = append(labels, "`"+l.GetName()+"`")
			}
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
	}
	checkReadme(t, "metrics", want.String())
}

// Every scrape holds the conservation law, whatever happens meanwhile.
func TestMetrics(t *testing.T) {
	c := small(t)
	createTopic(t, c, "dead", 1)
	o, _ := output(t, c.ListenAddrs(), "listen", "127.0.0.1:0", "dead_letter_topic", "dead", "batch_max_records", "30", "client_id", "edge-7")
	stop := make(chan struct{})
	var scrapes sync.WaitGroup
	for range 2 {
		scrapes.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, page := getPage(t, o, "/metrics")
					law(t, page)
				}
			}
		})
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				data := chunkOf(fmt.Sprint(i, j), 50)
				if j == 5 {
					data = append(data, randomEvent(9000)...)
				}
				flush(t, o, data, "app")
			}
		})
	}
	wg.Wait()
	close(stop)
	scrapes.Wait()
	_, page := getPage(t, o, "/metrics")
	law(t, page)
	for name, want := range map[string]float64{"records_taken_total": 4008, "records_acknowledged_total": 4000, "records_dead_lettered_total": 8,
		"records_dropped_total": 0, "records_open": 0, "requests_in_flight": 0, "buffer_bytes": 0, "reachable": 1} {
		if got := value(t, page, "kafka_batch_"+name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"bytes_total", "compression_ratio", "batches_total", "request_duration_seconds", "batch_size_bytes", "last_success_timestamp_seconds"} {
		if value(t, page, "kafka_batch_"+name) <= 0 {
			t.Errorf("%s is not above 0", name)
		}
	}
	if value(t, page, "kafka_batch_batch_size_bytes") != value(t, page, "kafka_batch_batches_total") {
		t.Error("not every batch has its size")
	}
	if !strings.Contains(page, `kafka_batch_responses_total{class="split",client_id="edge-7",code="10"}`) {
		t.Error("the refusals are not shown by code and class")
	}
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// randomEvent is one record of about that size that does not compress.
func randomEvent(size int) []byte {
	text := make([]byte, size)
	for i, x := 0, uint32(1); i < size; i++ {
		x = x*1664525 + 1013904223
		text[i] = byte('!' + x>>24%90)
	}
	return largeText("poison", string(text))
}

// What nobody has to mend is healthy; what is wrong is said with its reason and its time, and gone when it is mended.
func TestHealth(t *testing.T) {
	c := broker(t, 1)
	var refuse sync.Map
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		_, refused := refuse.Load("yes")
		res.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return refused
	})
	o, _ := output(t, c.ListenAddrs(), "listen", "127.0.0.1:0", "flush_timeout", "100ms", "buffer_max_bytes", "1M")
	if code, text := getPage(t, o, "/healthz"); code != 200 || text != "ok\n" {
		t.Errorf("at the start: %d %s", code, text)
	}
	refuse.Store("yes", true)
	for range 3 {
		if o.Flush(chunkOf("a", 3), "app", false) == nil {
			t.Fatal("the broker refused and it was OK")
		}
	}
	since := time.Now()
	code, text := getPage(t, o, "/healthz")
	if code != 503 || !strings.Contains(text, "degraded since "+since.UTC().Format("2006-01-02T15")) || !strings.Contains(text, "topic logs, partition 0: Topic Authorization Failed") {
		t.Errorf("%d %s", code, text)
	}
	refuse.Delete("yes")
	flush(t, o, chunkOf("a", 3), "app")
	if code, text := getPage(t, o, "/healthz"); code != 200 {
		t.Errorf("mended: %d %s", code, text)
	}
	c.Close()
	eventually(t, "the outage is seen", func() bool {
		_ = o.Flush(chunkOf("b", 3), "app", false)
		code, text = getPage(t, o, "/healthz")
		return code == 503 && strings.Contains(text, "no Kafka broker can be reached")
	})
	if _, page := getPage(t, o, "/metrics"); value(t, page, "kafka_batch_reachable") != 0 {
		t.Error("the metrics do not show the outage")
	}
}

// A batch that goes again and again is trouble, also where the broker says that this passes by itself, or says nothing:
// somebody who asks for the health sees it before the buffer is full. Once the batch is acknowledged nothing is left of it.
func TestHealthOfLastingRefusals(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	var refuse atomic.Bool
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		res.ErrorCode = kerr.NotEnoughReplicas.Code
		return refuse.Load()
	})
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "50ms", "backoff_max", "20ms", "backoff_min", "2ms", "request_timeout", "100ms")
	f := func(want string, mend func()) {
		t.Helper()
		if o.Flush(chunkOf("a", 3), "app", false) == nil {
			t.Fatal("it was OK")
		}
		eventually(t, want, func() bool { err := o.Health(); return err != nil && strings.Contains(err.Error(), want) })
		mend()
		flush(t, o, chunkOf("a", 3), "app")
		if err := o.Health(); err != nil {
			t.Errorf("mended: %v", err)
		}
	}
	refuse.Store(true)
	f("topic logs, partition 0: Not Enough Replicas", func() { refuse.Store(false) })
	release := n.holdAll()
	f("topic logs, partition 0: requests bring no answer", release)
}

// Whoever asks has to know the password that web_config_file wants, for the health too.
func TestWebConfigFile(t *testing.T) {
	const hash = "$2a$04$sETAzv4wBPx6C2otL2zNyOssqnNHSf04ckGqNAIfC12E2.VyptFYS" // of hunter2
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte("basic_auth_users:\n  scraper: "+hash+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, _ := output(t, []string{hostPort(1)}, "listen", "127.0.0.1:0", "web_config_file", file)
	for _, path := range []string{"/metrics", "/healthz"} {
		if code, _ := getPage(t, o, path); code != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, code)
		}
	}
	set := getter("listen", "127.0.0.1:0", "web_config_file", filepath.Join(t.TempDir(), "none.yml"))
	if _, err := New(o.log, set); err == nil || !strings.Contains(err.Error(), "option web_config_file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Instances share an address as long as each has a client_id of its own.
func TestListenIsShared(t *testing.T) {
	port := freePort(t)
	a, _ := output(t, []string{hostPort(1)}, "listen", hostPort(port), "client_id", "a")
	output(t, []string{hostPort(1)}, "listen", hostPort(port), "client_id", "b")
	_, page := getPage(t, a, "/metrics")
	if strings.Count(page, "kafka_batch_records_taken_total{") != 2 {
		t.Error("not both instances are shown")
	}
	set := getter("listen", hostPort(port), "client_id", "a")
	if _, err := New(a.log, set); err == nil || !strings.Contains(err.Error(), "give each a client_id of its own") {
		t.Errorf("a third with the same name: %v", err)
	}
}
