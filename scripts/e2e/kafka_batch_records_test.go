package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/pipeline"
)

// One record that is larger than the topic takes, among many: it is a dead letter that says what it was, and its
// neighbours arrive, once.
func TestKafkaBatchDeadLetter(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		r := newRig(t, h, "conf/fluent-bit.conf")
		r.limitMessages(100_000)
		r.startHost()
		a := r.watch()
		const n, at = 2000, 1200
		var text strings.Builder
		letters := rand.New(rand.NewPCG(1, 2))
		long := make([]byte, 700_000)
		for i := range long {
			long[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[letters.IntN(64)] // not to be compressed
		}
		for i := range n {
			message := fmt.Sprintf("neighbour %d", i)
			if i == at {
				message = string(long)
			}
			fmt.Fprintf(&text, `{"time":"2026-11-20T20:31:00.%06dZ","level":"info","msg":"%s"}`+"\n", i, message)
		}
		if err := os.WriteFile(filepath.Join(r.Logs, "zap.log"), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}

		dead := r.topicRecords(1, 20*time.Second, r.Dead)
		if len(dead) != 1 {
			t.Fatalf("%d dead letters", len(dead))
		}
		got := headers(dead[0])
		for name, want := range map[string]string{"reason": "too_large", "topic": r.Topic, "tag": "app.json"} {
			if got[name] != want {
				t.Errorf("its header %s is %q, want %q", name, got[name], want)
			}
		}
		size, err := strconv.Atoi(got["original_size"])
		if err != nil || size < len(long) || len(dead[0].Value) != 512<<10 || !strings.HasPrefix(string(dead[0].Value), `{"timestamp":"`) {
			t.Errorf("it has %d bytes of %q: %.80s", len(dead[0].Value), got["original_size"], dead[0].Value)
		}
		if sum, err := hex.DecodeString(got["sha256"]); err != nil || len(sum) != sha256.Size || got["record_id"] == "" {
			t.Errorf("its headers are %v", got)
		}
		if at, err := time.Parse(time.RFC3339, got["time"]); err != nil || at.Format("2006-01-02T15:04") != "2026-11-20T20:31" {
			t.Errorf("its time is %q", got["time"])
		}

		times := map[string]int{}
		for _, rec := range r.topicRecords(n-1, 10*time.Second, r.Topic) {
			var m struct{ Message string }
			if err := json.Unmarshal(rec.Value, &m); err != nil {
				t.Fatal(err)
			}
			times[m.Message]++
		}
		for i := range n {
			if want := map[bool]int{true: 0, false: 1}[i == at]; times[fmt.Sprintf("neighbour %d", i)] != want {
				t.Errorf("neighbour %d is there %d times", i, times[fmt.Sprintf("neighbour %d", i)])
			}
		}
		last := r.settled(5 * time.Second)
		a.end(t, 3)
		if last["records_dead_lettered_total"] != 1 || last["records_dropped_total"] != 0 || last["records_acknowledged_total"] != n-1 {
			t.Errorf("%v dead letters, %v dropped, %v acknowledged", last["records_dead_lettered_total"], last["records_dropped_total"], last["records_acknowledged_total"])
		}
	})
}

// limitMessages makes the topic refuse batches that are larger.
func (r *rig) limitMessages(bytes int) {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	limit := strconv.Itoa(bytes)
	if _, err := kadm.NewClient(cl).AlterTopicConfigs(r.t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, r.Topic); err != nil {
		r.t.Fatal(err)
	}
}

// manyOutputs has a section per thing that is to be seen. The last was written for Fluent Bit's own kafka output.
const manyOutputs = `
[SERVICE]
    Flush          0.2
    Grace          5
    Parsers_File   ${ROOT}/conf/parsers.conf
    Plugins_File   ${ROOT}/conf/plugins.conf
    scheduler.base 1
    scheduler.cap  2
[INPUT]
    Name           tail
    Tag            app.shop
    Path           ${LOG_DIR}/*.log
    Parser         app_json
    Read_from_Head On
    Refresh_Interval 1
[OUTPUT]
    Name           kafka_batch
    Match          *
    Alias          byfield
    Workers        2
    Retry_Limit    no_limits
    Brokers        ${KAFKA_BROKERS}
    Topics         ${KAFKA_TOPIC}
    Topic          ${KAFKA_TOPIC}-$TAG[1]-$kind
    Tag_Key        tag
    Headers        env=test
    Header_Fields  level=$level,pod=$kubernetes['pod_name']
    Trace_Headers  on
    Message_Key_Field $user
    Exclude_Fields kubernetes
    Timestamp_Format epoch_ms
[OUTPUT]
    Name           kafka_batch
    Match          *
    Alias          raw
    Workers        2
    Retry_Limit    no_limits
    Brokers        ${KAFKA_BROKERS}
    Topics         ${KAFKA_TOPIC}-raw
    Format         raw
    Raw_Log_Key    msg
    Compression    zstd
[OUTPUT]
    Name           kafka_batch
    Match          *
    Alias          msgpack
    Workers        2
    Retry_Limit    no_limits
    Brokers        ${KAFKA_BROKERS}
    Topics         ${KAFKA_TOPIC}-msgpack
    Format         msgpack
    Compression    snappy
[OUTPUT]
    Name           kafka_batch
    Match          *
    Alias          kafka
    Workers        2
    Retry_Limit    no_limits
    Brokers        ${KAFKA_BROKERS}
    Topics         ${KAFKA_TOPIC},${KAFKA_TOPIC}-builtin
    Topic_Key      to
    Dynamic_Topic  Off
    Message_Key_Field user
    Timestamp_Key  @timestamp
    Timestamp_Format iso8601
    queue_full_retries 10
    client_id      shop
    rdkafka.request.required.acks -1
    rdkafka.enable.idempotence true
    rdkafka.compression.codec gzip
    rdkafka.queue.buffering.max.ms 5
    rdkafka.message.max.bytes 900000
    rdkafka.log.connection.close false
    rdkafka.socket.keepalive.enable true
    rdkafka.partitioner consistent_random
`

// Topics by tag and field, headers from fields, traceparent, the tag, the formats, and a section that was written for
// Fluent Bit's own kafka output.
func TestKafkaBatchTopicsHeadersFormats(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		conf := filepath.Join(t.TempDir(), "fluent-bit.conf")
		if err := os.WriteFile(conf, []byte(manyOutputs), 0o644); err != nil {
			t.Fatal(err)
		}
		var topics []devkafka.Topic
		for _, end := range []string{"-shop-order", "-shop-view", "-raw", "-msgpack", "-builtin"} {
			topics = append(topics, devkafka.Topic{Name: end, Partitions: pipeline.Partitions})
		}
		r := newRigWith(t, h, conf, topics, "ROOT="+root)
		const lines = `{"time":"2026-11-20T20:31:00.5Z","level":"info","msg":"ordered","kind":"order","user":"u1","kubernetes":{"pod_name":"p-1"},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","to":"TOPIC-builtin"}
{"time":"2026-11-20T20:31:01Z","level":"warn","msg":"viewed","kind":"view","user":"u2","to":"elsewhere"}
{"time":"2026-11-20T20:31:02Z","level":"warn","msg":"neither","user":"u2"}
`
		if err := os.WriteFile(filepath.Join(r.Logs, "a.log"), []byte(strings.ReplaceAll(lines, "TOPIC", r.Topic)), 0o644); err != nil {
			t.Fatal(err)
		}
		r.startHost()

		at := time.Date(2026, 11, 20, 20, 31, 0, 5e8, time.UTC)
		order := r.one("-shop-order", 1)[0]
		got, value := headers(order), object(t, order)
		if got["env"] != "test" || got["level"] != "info" || got["pod"] != "p-1" || got["traceparent"] != "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" && got["traceparent"] != "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" {
			t.Errorf("headers %v", got)
		}
		if string(order.Key) != "u1" || value["tag"] != "app.shop" || value["kubernetes"] != nil || value["@timestamp"] != float64(at.UnixMilli()) {
			t.Errorf("key %q, value %v", order.Key, value)
		}
		if view := r.one("-shop-view", 1)[0]; headers(view)["pod"] != "" || headers(view)["traceparent"] != "" || object(t, view)["msg"] != "viewed" {
			t.Errorf("headers %v, value %s", headers(view), view.Value)
		}

		for i, rec := range r.one("-raw", 3) {
			if s := string(rec.Value); s != "ordered" && s != "viewed" && s != "neither" {
				t.Errorf("raw %d: %q", i, s)
			}
		}
		for i, rec := range r.one("-msgpack", 3) {
			// A map of its fields and the timestamp, which is first.
			if b := string(rec.Value); b[0]&0xf0 != 0x80 || !strings.HasPrefix(b[1:], "\xaa@timestamp\xcb") || !strings.Contains(b, "\xa3msg") {
				t.Errorf("msgpack %d: %q", i, b)
			}
		}

		builtin := r.one("-builtin", 1)[0]
		if value := object(t, builtin); string(builtin.Key) != "u1" || value["@timestamp"] != "2026-11-20T20:31:00.500000Z" || value["msg"] != "ordered" {
			t.Errorf("key %q, value %v", builtin.Key, value)
		}
		// What has no topic of its own goes to the first: one record of the template's section, two of the last one's.
		if rest := r.one("", 3); len(rest) == 3 {
			for _, rec := range rest {
				if m := object(t, rec)["msg"]; m != "neither" && m != "viewed" {
					t.Errorf("the first topic has %s", rec.Value)
				}
			}
		}
		for _, l := range r.Host().Lines() {
			if strings.Contains(l, "kafka_batch") && (strings.Contains(l, "[error]") || strings.Contains(l, "[ warn]")) {
				t.Errorf("the host says %s", l)
			}
		}
	})
}

// one reads n records of the topic with this ending, which must be all that are there.
func (r *rig) one(ending string, n int) []*kgo.Record {
	r.t.Helper()
	got := r.topicRecords(n, 15*time.Second, r.Topic+ending)
	if len(got) != n {
		r.t.Fatalf("topic %s%s has %d records, want %d", r.Topic, ending, len(got), n)
	}
	return got
}

func object(t *testing.T, r *kgo.Record) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.Value, &m); err != nil {
		t.Fatalf("%v: %s", err, r.Value)
	}
	return m
}
