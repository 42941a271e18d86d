//go:build contract

package contract

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/shared/testkit/chunks"
)

// All three plugins in one process, and so three Go runtimes, each with its own idea of threads, signals and garbage.
// Eight threads call them at once while each collects garbage as often as it can; then what went in is counted on the
// other side: in the filter's results, at /metrics, in Kafka.
func TestThreeRuntimes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		const threads, times, records = 4, 25, 40
		broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "logs"))
		if err != nil {
			t.Fatal(err)
		}
		defer broker.Close()
		port := freePort(t)

		h := startHost(t, g, "GOGC=5")
		h.open("filter_enrich")
		h.open("out_field_metrics")
		h.open("out_kafka_batch")
		h.filter("f", "filter_enrich", "attributes=service.name=checkout")
		h.output("m", "out_field_metrics", "workers=4", "metric_name=records_total", "label_fields=level", fmt.Sprintf("listen=127.0.0.1:%d", port))
		h.output("k", "out_kafka_batch", "workers=4", "topics=logs", "brokers="+strings.Join(broker.ListenAddrs(), ","))

		var jobs []int
		for i := range threads {
			b := chunks.New()
			if i%2 == 1 {
				b = chunks.Old()
			}
			for j := range records {
				b.Record("msg", strings.Repeat("x", 300), "level", "INFO", "thread", i, "n", j)
			}
			name := fmt.Sprintf("c%d", i)
			h.chunk(name, b.Bytes())
			tag, n := "app."+name, fmt.Sprintf("times=%d", times)
			jobs = append(jobs, h.apply("f", tag, name, n, fmt.Sprintf("thread=%d", i)), h.flush("m", tag, name, n), h.flush("k", tag, name, n))
		}
		for _, job := range jobs {
			done := h.wait(job)
			if done.number("ok") != times && done.number("modified") != times || done.number("distinct") > 1 {
				t.Errorf("%v; logged %q", done.fields, h.log(""))
			}
			if used := done.number("stack"); used > stackLimit {
				t.Errorf("%d bytes of the coroutine's stack used", used)
			}
		}

		const want = threads * times * records
		if metrics := scrape(t, port); !strings.Contains(metrics, fmt.Sprintf("records_total{level=\"INFO\"} %d\n", want)) {
			t.Errorf("records_total is not %d:\n%s", want, metrics)
		}
		if n := consume(t, broker, want); n != want {
			t.Errorf("%d records in Kafka, want %d", n, want)
		}
		h.do("end", "f")
		h.do("exit", "m")
		h.do("exit", "k")
		if len(h.log("panic")) != 0 {
			t.Errorf("%q", h.log("panic"))
		}
	})
}

// scrape returns what field_metrics serves on a port.
func scrape(t *testing.T, port int) string {
	t.Helper()
	client := http.Client{Timeout: patience}
	got, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// consume reads a topic from its beginning until it has n records, or for a second more than it takes to see that
// there are no others.
func consume(t *testing.T, broker *kfake.Cluster, n int) (got int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ConsumeTopics("logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			if !bytes.Contains(r.Value, []byte(`"level":"INFO"`)) {
				t.Fatalf("a record without its fields: %s", r.Value)
			}
			got++
		}
		if got >= n {
			// All are there; whatever comes in the next moment is too much.
			ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			return got + len(client.PollFetches(ctx).Records())
		}
	}
	return got
}

// Of several runtimes only the one that was loaded last can interrupt a loop by a signal. In the others a collection
// waits for the loop to call something, and meanwhile every other thread waits for the collection. Walking a chunk calls
// Next for each event, which is not inlined for this reason. Here no runtime interrupts anything, and the collection
// must come to its end while the walk goes on.
func TestCollectionDuringWalk(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2, "GODEBUG=asyncpreemptoff=1")
	h.open("faulty")
	h.output("o", "faulty", "workers=2")
	b := chunks.New()
	for i := range 20_000 {
		b.Record("msg", "hello", "n", i)
	}
	h.chunk("c", b.Bytes())
	walk := h.flush("o", "walk", "c")
	collect := h.flush("o", "garbage", "c", "times=5")
	if done := h.wait(collect); done.number("ok") != 5 {
		t.Errorf("%v", done.fields)
	}
	h.do("call", "faulty", "faulty_stop")
	if got := verdict(h.wait(walk)); got != "ok" {
		t.Errorf("the walk answered %s", got)
	}
}

// The same with a loop that calls nothing: now the collection waits. It shows that the test above could fail.
func TestCollectionWaitsForTightLoop(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2, "GODEBUG=asyncpreemptoff=1")
	h.open("faulty")
	h.output("o", "faulty", "workers=2")
	h.chunk("c", small)
	spin := h.flush("o", "spin", "c")
	collect := h.flush("o", "garbage", "c")
	time.Sleep(500 * time.Millisecond)
	h.mu.Lock()
	_, early := h.done[collect]
	h.mu.Unlock()
	if early {
		t.Error("the collection did not wait")
	}
	h.do("call", "faulty", "faulty_stop")
	h.wait(spin)
	h.wait(collect)
}
