package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

// messages reads the topic until it has n records or the time is up, and returns them by their message.
func (r *rig) messages(n int, limit time.Duration) map[string]map[string]any {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...), kgo.ConsumeTopics(r.Topic))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	got := map[string]map[string]any{}
	for len(got) < n && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			var m map[string]any
			if err := json.Unmarshal(rec.Value, &m); err != nil {
				r.t.Errorf("a record is no JSON object: %v: %s", err, rec.Value)
				return
			}
			message, _ := m["message"].(string)
			got[message] = m
		})
	}
	return got
}

// What is no JSON arrives as the message that it is; what is too long costs itself and not the lines behind it.
func TestBadLinesCostThemselves(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		lines := []string{
			`{"time":"2026-11-20T20:31:00.5Z","level":"info","msg":"first"}`,
			`this line is no JSON`,
			`{"level":"info","msg":"cut off`,
			`["an","array"]`,
			"{\"time\":\"2026-11-20T20:31:01.25Z\",\"level\":\"warning\",\"msg\":\"bad \xff\xfe bytes\"}",
			`{"level":"info","msg":"` + strings.Repeat("x", 3<<20) + `"}`,
			`{"time":"2026-11-20T20:31:02.75Z","level":"warn","msg":"behind the long one","traceparent":"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}`,
			`{"time":"no time","level":"error","msg":"last"}`,
		}
		text := strings.Join(lines, "\n") + "\n"
		if err := os.WriteFile(filepath.Join(r.Logs, "zap.log"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want := []string{"first", lines[1], lines[2], lines[3], "bad \ufffd\ufffd bytes", "behind the long one", "last"}
		got := r.messages(len(want), 20*time.Second)
		for _, message := range want {
			if got[message] == nil {
				t.Errorf("no record with the message %q", message)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d records, want %d", len(got), len(want))
		}
		if m := got["first"]; m["timestamp"] != "2026-11-20T20:31:00.500000000Z" || m["level"] != "INFO" || m["service.name"] != "checkout" {
			t.Errorf("the good line came as %v", m)
		}
		if m := got["last"]; m["level"] != "ERROR" || h.AtLeast(2, 2) && m["time"] != "no time" {
			// 1.8 drops the field, and keeps the rest.
			t.Errorf("a line whose time is none came as %v", m)
		}
		if m := got["behind the long one"]; m["level"] != "WARN" || m["trace_id"] != nil || m["traceparent"] == nil {
			t.Errorf("an invalid traceparent must stay as it is: %v", m)
		}
	})
}

// A Java event that is written in two goes, further apart than two reads of its file, arrives as two records: nothing
// waits in memory, where a crash would lose it.
func TestEventInTwoGoesLosesNothing(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		r.startHost()
		f, err := os.OpenFile(filepath.Join(r.Logs, "java.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		write := func(s string) {
			t.Helper()
			if _, err := f.WriteString(s); err != nil {
				t.Fatal(err)
			}
		}
		const first = "2026-11-20 20:31:00.123 ERROR [main] com.acme.Shop - payment failed\njava.lang.IllegalStateException: closed\n"
		write(first)
		time.Sleep(3 * time.Second)
		write("\tat com.acme.Shop.pay(Shop.java:7)\n2026-11-20 20:31:01.456 INFO [main] com.acme.Shop - next\n")
		want := []string{"payment failed\njava.lang.IllegalStateException: closed", "\tat com.acme.Shop.pay(Shop.java:7)", "next"}
		got := r.messages(len(want), 20*time.Second)
		for _, message := range want {
			if got[message] == nil {
				t.Errorf("no record with the message %q in %v", message, got)
			}
		}
		if m := got[want[0]]; m["level"] != "ERROR" || m["timestamp"] != "2026-11-20T20:31:00.123000000Z" {
			t.Errorf("the event came as %v", m)
		}
	})
}

// A broker that is not there at the start is no error: the host starts, says so, and delivers when the broker comes.
func TestBrokerNotThereAtStart(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		if !r.OwnBroker() {
			t.Skip("KAFKA_BROKERS is the user's: it is not ours to stop")
		}
		r.StopBroker()
		r.startHost()
		r.write(loggen.Config{Count: 700, Rate: 700, Seed: 12})
		if err := r.Host().WaitFor("no Kafka broker can be reached", 20*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := r.StartBroker(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.mustBeWhole(r.await(40*time.Second), 700)
		said := 0
		for _, l := range r.Host().Lines() {
			if strings.Contains(l, "no Kafka broker can be reached") {
				said++
			}
		}
		if said != 1 {
			t.Errorf("said %d times that no broker can be reached, want once a minute at most", said)
		}
	})
}
