package batch

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"github.com/pierrec/lz4/v4"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"flbgo/shared/chunk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBook is a slog target that tests read.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBook) count(s string) int { return strings.Count(b.String(), s) }

// broker is a kfake cluster with one topic, "logs".
func broker(t testing.TB, partitions int32, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "logs")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// freePort returns a port that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// output starts an instance on the brokers; options are name, value, name, value …
func output(t testing.TB, brokers []string, options ...string) (*Output, *logBook) {
	t.Helper()
	set := map[string]string{"brokers": strings.Join(brokers, ","), "topics": "logs", "record_time_window": "87600h"} // chunkOf is of 2023
	for i := 0; i < len(options); i += 2 {
		set[options[i]] = options[i+1]
	}
	book := &logBook{}
	o, err := New(slog.New(slog.NewTextHandler(book, nil)), func(name string) string { return set[name] })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.Close()
		checkLaw(t, o)
		if t.Failed() {
			t.Log(book.String())
		}
	})
	return o, book
}

// checkLaw holds the counts to records taken = acknowledged + dropped + open.
func checkLaw(t testing.TB, o *Output) {
	t.Helper()
	if r := o.stats.records(); r.taken != r.acknowledged+sum(r.dead)+sum(r.dropped)+r.open {
		t.Errorf("taken %d ≠ acknowledged %d + dead letters %v + dropped %v + open %d", r.taken, r.acknowledged, r.dead, r.dropped, r.open)
	} else if used := o.memory.used.Load(); r.open == 0 && used != 0 {
		t.Errorf("no record is open, and %d bytes of memory are accounted to records", used)
	}
}

// event is one record {"n": n, "chunk": name}, in the modern form.
func event(dst []byte, name string, n int) []byte {
	body := msgp.AppendMapHeader(nil, 2)
	body = msgp.AppendInt(msgp.AppendString(body, "n"), n)
	body = msgp.AppendString(msgp.AppendString(body, "chunk"), name)
	return chunk.AppendEvent(dst, 1700000000+int64(n), 500_000_000, nil, body, true)
}

// chunkOf is a chunk of n such records.
func chunkOf(name string, n int) []byte {
	var b []byte
	for i := range n {
		b = event(b, name, i)
	}
	return b
}

// flush flushes until the answer is OK, as the host would.
func flush(t testing.TB, o *Output, data []byte, tag string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := o.Flush(data, tag, false)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not delivered: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// consumed is what a topic holds, as another client reads it.
type consumed struct {
	records []*kgo.Record
	chunks  map[string][]int // n by chunk, in the order of the log
}

// consume reads topic "logs" from its beginning to the present end.
func consume(t testing.TB, brokers []string, opts ...kgo.Opt) consumed {
	t.Helper()
	return consumeTopic(t, brokers, "logs", opts...)
}

func consumeTopic(t testing.TB, brokers []string, topic string, opts ...kgo.Opt) consumed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100 * time.Millisecond), kgo.WithLogger(nil)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	end := endOffsets(t, ctx, cl, topic)
	c := consumed{chunks: map[string][]int{}}
	for int64(len(c.records)) < end {
		f := cl.PollFetches(ctx)
		if err := f.Err0(); err != nil {
			t.Fatalf("read %d of %d records: %v", len(c.records), end, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			c.records = append(c.records, r)
			var v struct {
				N     int
				Chunk string
			}
			if err := json.Unmarshal(r.Value, &v); err != nil && topic == "logs" {
				t.Errorf("%q: %v", r.Value, err)
			}
			c.chunks[v.Chunk] = append(c.chunks[v.Chunk], v.N)
		})
	}
	return c
}

// expect holds the log to exactly these chunks, each of which has n records, in order, once.
func (c consumed) expect(t testing.TB, n int, names ...string) {
	t.Helper()
	for _, name := range names {
		got := c.chunks[name]
		if len(got) != n {
			t.Errorf("chunk %s: %d records in the log, want %d", name, len(got), n)
			continue
		}
		for i, v := range got {
			if v != i {
				t.Errorf("chunk %s: record %d stands in place %d", name, v, i)
				break
			}
		}
	}
	if len(c.chunks) != len(names) {
		t.Errorf("%d chunks in the log, want %d", len(c.chunks), len(names))
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func hostPort(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// endOffsets is how many records a topic holds.
func endOffsets(t testing.TB, ctx context.Context, cl *kgo.Client, topic string) (n int64) {
	t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	m, err := meta.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for _, p := range m.Topics[0].Partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p.Partition, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		for _, p := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			n += p.Offset
		}
	}
	return n
}

// admin sends one request to a cluster.
func admin(t testing.TB, c *kfake.Cluster, req kmsg.Request) kmsg.Response {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	res, err := cl.Request(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func createTopic(t testing.TB, c *kfake.Cluster, name string, partitions int32, configs ...string) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		cfg := kmsg.NewCreateTopicsRequestTopicConfig()
		cfg.Name, cfg.Value = configs[i], &configs[i+1]
		rt.Configs = append(rt.Configs, cfg)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 5000
	if code := admin(t, c, req).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code != 0 {
		t.Fatalf("create %s: code %d", name, code)
	}
}

func deleteTopic(t testing.TB, c *kfake.Cluster, name string) {
	t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &name
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, rt), []string{name}, 5000
	if code := admin(t, c, req).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode; code != 0 {
		t.Fatalf("delete %s: code %d", name, code)
	}
}

// unpack is the records of a batch that a test broker got.
func unpack(t testing.TB, b kmsg.RecordBatch) (records []kmsg.Record) {
	t.Helper()
	raw := b.Records
	if codecOf(uint16(b.Attributes)) == codecLZ4 {
		var err error
		if raw, err = io.ReadAll(lz4.NewReader(bytes.NewReader(raw))); err != nil {
			t.Error(err)
		}
	}
	for len(raw) > 0 {
		size, n := binary.Varint(raw)
		var r kmsg.Record
		if err := r.ReadFrom(raw[:n+int(size)]); err != nil {
			t.Error(err)
			return records
		}
		records, raw = append(records, r), raw[n+int(size):]
	}
	return records
}

// values is the member "chunk" of each record.
func values(t testing.TB, b kmsg.RecordBatch) (names []string) {
	t.Helper()
	for _, r := range unpack(t, b) {
		var v struct{ Chunk string }
		if err := json.Unmarshal(r.Value, &v); err != nil {
			t.Error(err)
		}
		names = append(names, v.Chunk)
	}
	return names
}

// largeEvent is one record of about that size.
func largeEvent(name string, size int) []byte { return largeText(name, strings.Repeat("x", size)) }

func largeText(name, text string) []byte {
	return chunk.AppendEvent(nil, 1700000000, 0, nil, pairs("chunk", name, "n", 0, "text", text), true)
}

// checkReadme holds a table of the README to what the code says; UPDATE_README=1 go test writes it.
func checkReadme(t *testing.T, name, want string) {
	t.Helper()
	const file = "../README.md"
	from, to := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), from)
	table, after, ok2 := strings.Cut(rest, to)
	switch {
	case !ok || !ok2:
		t.Fatalf("the README has no place for the table of %s", name)
	case table == want:
	case os.Getenv("UPDATE_README") == "":
		t.Fatalf("the README's table of %s is not current: run UPDATE_README=1 go test ./plugins/out_kafka_batch/batch -run Readme", name)
	default:
		if err := os.WriteFile(file, []byte(before+from+want+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
