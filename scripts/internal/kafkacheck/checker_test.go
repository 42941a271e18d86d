package kafkacheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type kafka struct {
	t  *testing.T
	b  *devkafka.Broker
	cl *kgo.Client
}

func newKafka(t *testing.T, cfg devkafka.Config) *kafka {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	cfg.Topics = []devkafka.Topic{{Name: "logs", Partitions: 3}, {Name: "empty", Partitions: 1}}
	b, err := devkafka.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("logs"), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &kafka{t, b, cl}
}

// put produces a value with a record_id; "" means none.
func (k *kafka) put(id, format string, args ...any) {
	k.t.Helper()
	r := &kgo.Record{Value: fmt.Appendf(nil, format, args...)}
	if id != "" {
		r.Headers = []kgo.RecordHeader{{Key: "other", Value: []byte("x")}, {Key: "record_id", Value: []byte(id)}}
	}
	if err := k.cl.ProduceSync(k.t.Context(), r).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kafka) zap(id string, seq int) {
	k.t.Helper()
	k.put(id, `{"file":"/logs/zap.log","seq":%d}`, seq)
}

func (k *kafka) checker(cfg Config) *Checker {
	k.t.Helper()
	cfg.Brokers = []string{k.b.Addr()}
	if cfg.Topics == nil {
		cfg.Topics = []string{"logs", "empty"}
	}
	c, err := New(cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(c.Close)
	return c
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func readAll(t *testing.T, c *Checker) Report {
	t.Helper()
	if err := c.ReadAll(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return c.Report()
}

func TestNothingIsWrong(t *testing.T) {
	k := newKafka(t, devkafka.Config{})
	c := k.checker(Config{})
	c.Wrote("zap", 1, 20, 1)
	for i := 1; i <= 20; i++ {
		k.zap(fmt.Sprint("id", i), i)
	}
	k.zap("id7", 7) // a copy that can be told
	r := readAll(t, c)
	if err := r.Err(); err != nil {
		t.Errorf("%v", err)
	}
	if r.Written != 20 || r.InKafka != 20 || r.Records != 21 || r.Copies.N != 1 || r.Topics["logs"] != 21 || len(r.Streams) != 1 {
		t.Errorf("%+v", r)
	}
	if want := "written 20, in Kafka 20, lost 0, duplicates 1 (all with an equal record_id)\n"; r.String() != want {
		t.Errorf("printed %q, want %q", r.String(), want)
	}
	if r.FirstRead.IsZero() || r.LastRead.Before(r.FirstRead) {
		t.Errorf("read from %v to %v", r.FirstRead, r.LastRead)
	}
	if r.Latency.N != 0 {
		t.Errorf("latency %+v of reading back", r.Latency)
	}
}

// A record that the host had on disk as it was between two filters is neither its event nor a copy of it; the event must
// come besides.
func TestHalfFiltered(t *testing.T) {
	k := newKafka(t, devkafka.Config{})
	for _, half := range []bool{true, false} {
		c := k.checker(Config{Constant: map[string]string{"service.name": "checkout"}, HalfFiltered: half})
		c.Wrote("zap", 1, 2, 1)
		if half {
			k.put("a", `{"file":"/l/zap.log","seq":1}`)
			k.put("b", `{"file":"/l/zap.log","seq":1,"service.name":"checkout"}`)
			k.put("c", `{"file":"/l/zap.log","seq":2}`)
		}
		r := readAll(t, c)
		if half && (r.Unfiltered.N != 2 || r.Copies.N != 0 || r.InKafka != 1 || r.Lost.N != 1) {
			t.Errorf("%+v", r)
		}
		if !half && (r.Unfiltered.N != 0 || r.Copies.N != 1 || r.InKafka != 2) {
			t.Errorf("without HalfFiltered: %+v", r)
		}
	}
}

// Every kind of trouble is counted, told by an example, and is an error.
func TestEveryTroubleIsFound(t *testing.T) {
	k := newKafka(t, devkafka.Config{})
	c := k.checker(Config{})
	c.Wrote("zap", 1, 10, 1)
	c.Wrote("zap", 10, 10, 1)
	for _, seq := range []int{1, 2, 3, 4, 5, 6} {
		k.zap(fmt.Sprint("id", seq), seq)
	}
	k.zap("other", 1) // a copy with an id of its own
	k.zap("", 2)      // a copy without one
	k.zap("id3", 7)   // another event with the id of 3
	k.zap("", 8)
	k.zap("id11", 11) // not written
	k.put("x", `no json`)
	k.put("y", `{"no":"event"}`)
	r := readAll(t, c)
	check := func(name string, got Finding, n uint64, example string) {
		t.Helper()
		if got.N != n || len(got.Examples) == 0 || !strings.Contains(strings.Join(got.Examples, "|"), example) {
			t.Errorf("%s: %+v, want %d with %q", name, got, n, example)
		}
		if err := r.Err(); name != "copies" && !strings.Contains(err.Error(), got.Examples[0]) {
			t.Errorf("%s: %q is not in the error %v", name, got.Examples[0], err)
		}
	}
	check("lost", r.Lost, 2, "zap seq 9")
	check("unknown", r.Unknown, 1, "zap seq 11")
	check("copies", r.Copies, 2, "zap seq 1 ")
	check("other id", r.CopiesOtherID, 1, "zap seq 1 ")
	check("unproven", r.CopiesUnproven, 1, "zap seq 2 ")
	check("without id", r.WithoutID, 2, "zap seq 8 ")
	check("bad JSON", r.BadJSON, 1, "no json")
	check("unidentified", r.Unidentified, 1, `{"no":"event"}`)
	check("ledger", r.BadLedger, 1, "zap")
	if r.SharedID.N != 1 || r.SharedID.Examples[0] != "zap seq 3 and zap seq 7" {
		t.Errorf("shared id: %+v", r.SharedID)
	}
	if !strings.Contains(r.String(), "2 of them WITHOUT an equal record_id") {
		t.Errorf("printed %q", r.String())
	}
}

func TestExamplesAreBounded(t *testing.T) {
	k := newKafka(t, devkafka.Config{})
	c := k.checker(Config{MaxExamples: 3})
	c.Wrote("zap", 1, 100, 1)
	c.Wrote("gin", 1, 100, 1)
	for range 10 {
		k.put("", "no json")
	}
	r := readAll(t, c)
	if r.Lost.N != 200 || len(r.Lost.Examples) != 3 || r.BadJSON.N != 10 || len(r.BadJSON.Examples) != 3 {
		t.Errorf("%+v", r)
	}
}

// Live: latency runs from the write to the reading, for events that are
// announced before they arrive and for those that are quicker.
func TestFollow(t *testing.T) {
	k := newKafka(t, devkafka.Config{})
	var mu sync.Mutex
	var hooked []uint64
	c := k.checker(Config{OnRecord: func(stream string, seq uint64, r *kgo.Record) {
		mu.Lock()
		defer mu.Unlock()
		hooked = append(hooked, seq)
		if stream != "zap" || r.Topic != "logs" {
			t.Errorf("%s in %s", stream, r.Topic)
		}
	}})
	ctx, cancel := context.WithCancel(bounded(t))
	done := make(chan error, 1)
	go func() { done <- c.Follow(ctx) }()

	c.Wrote("zap", 1, 2, time.Now().Add(-time.Hour).UnixNano())
	k.zap("1", 1)
	k.zap("2", 2)
	k.zap("3", 3)
	if err := c.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	if p := c.Progress(); p.InKafka != 3 || p.Missing != 0 || p.Written != 2 || p.Records != 3 {
		t.Errorf("%+v", p)
	}
	c.Wrote("zap", 3, 4, time.Now().UnixNano()) // 3 is there already, 4 never comes
	p := c.Progress()
	if p.Missing != 1 || p.Copies != 0 {
		t.Errorf("%+v", p)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Follow: %v", err)
	}
	r := c.Report()
	if r.Latency.N != 3 || r.Latency.Max < time.Hour || r.Latency.Max > 2*time.Hour {
		t.Errorf("latency %+v, want of 3 events, the longest about an hour", r.Latency)
	}
	if r.Lost.N != 1 || r.Lost.Examples[0] != "zap seq 4" || r.Unknown.N != 0 {
		t.Errorf("%+v", r)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(hooked) != 3 {
		t.Errorf("OnRecord for %v", hooked)
	}
}

// The broker goes away and comes back while a Checker follows.
func TestFollowOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	k := newKafka(t, devkafka.Config{Dir: dir})
	c := k.checker(Config{Topics: []string{"logs"}})
	ctx, cancel := context.WithCancel(bounded(t))
	done := make(chan error, 1)
	go func() { done <- c.Follow(ctx) }()
	c.Wrote("zap", 1, 60, 1)
	for i := 1; i <= 30; i++ {
		k.zap(fmt.Sprint(i), i)
	}
	if err := c.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	addr := k.b.Addr()
	k.b.Close()
	time.Sleep(300 * time.Millisecond)
	b, err := devkafka.Start(ctx, devkafka.Config{Listen: addr, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for i := 31; i <= 60; i++ {
		k.zap(fmt.Sprint(i), i)
	}
	if err := c.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Follow: %v", err)
	}
	if r := c.Report(); r.Err() != nil || r.Records != 60 {
		t.Errorf("%d records, %v", r.Records, r.Err())
	}
}

func TestReadingErrors(t *testing.T) {
	if _, err := New(Config{Brokers: []string{"127.0.0.1:1"}}); err == nil {
		t.Error("no topics are accepted")
	}
	c, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Topics: []string{"logs"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.ReadAll(ctx); err == nil || !strings.Contains(err.Error(), "logs") {
		t.Errorf("no broker: %v, want an error that names the topic", err)
	}
	if err := c.Follow(ctx); err != nil {
		t.Errorf("Follow waits for a broker, got %v", err)
	}
	k := newKafka(t, devkafka.Config{})
	if err := k.checker(Config{Topics: []string{"nosuch"}}).ReadAll(bounded(t)); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("no such topic: %v", err)
	}
	// CatchUp without a Follow ends with its context.
	k.zap("1", 1)
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := k.checker(Config{}).CatchUp(ctx); err == nil {
		t.Error("CatchUp says that what nobody reads was read")
	}
}

// The samples of loggen come through a pipeline that changes nothing, and then
// through one that does.
func TestFieldsOfTheSamples(t *testing.T) {
	path := filepath.Join("..", "..", "..", "testdata", "logs", "ledger.jsonl")
	k := newKafka(t, devkafka.Config{})
	good := k.checker(Config{Constant: map[string]string{"service.name": "checkout"}})
	if err := good.ReadLedger(path); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := ledger.ReadFile(path, func(e ledger.Entry) error {
		n++
		var fields map[string]any
		dec := json.NewDecoder(bytes.NewReader(e.Expect))
		dec.UseNumber()
		if err := dec.Decode(&fields); err != nil {
			return err
		}
		fields["file"] = "/logs/" + e.Stream + ".log.1"
		fields["service.name"] = "checkout"
		fields["offset"] = n // fields of the pipeline's own are no difference
		if e.Stream == "java" {
			fields["message"] = fields["message"].(string) + "\n"
		}
		if at, err := time.Parse(time.RFC3339Nano, fields["timestamp"].(string)); err == nil {
			fields["timestamp"] = at.Format("2006-01-02T15:04:05.000000000Z")
		}
		b, err := json.Marshal(fields)
		k.put(fmt.Sprint(n), "%s", b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r := readAll(t, good)
	if err := r.Err(); err != nil || r.Compared != uint64(n) || n != 280 {
		t.Errorf("%d of %d compared, %v", r.Compared, n, err)
	}
	if err := good.ReadLedger(path); err == nil {
		t.Error("a second ledger is accepted")
	}
}

func TestFieldDifferences(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.jsonl")
	expect := `{"timestamp":"2026-11-20T20:31:00.123456789Z","level":"INFO","message":"a\nb","status":200,"duration_ms":0.1,"order":{"id":9007199254740993,"items":["x",true,null]}}`
	line := `{"stream":"zap","seq":%d,"t_written_ns":1,"expect":` + expect + "}\n"
	with := func(changes ...string) string {
		s := expect
		for i := 0; i < len(changes); i += 2 {
			if !strings.Contains(s, changes[i]) {
				t.Fatalf("%s is not in %s", changes[i], s)
			}
			s = strings.Replace(s, changes[i], changes[i+1], 1)
		}
		return s
	}
	cases := []struct{ record, want string }{
		{expect, ""},
		{with("123456789Z", "123457Z"), ""}, // within a microsecond
		{with("a\\nb", "a\\nb\\n"), ""},
		{with(`"status":200`, `"status":200.0`, `ms":0.1`, `ms":0.10000000000000002`), ""},
		{with("123456789Z", "12346Z"), "timestamp"},
		{with("20:31:00.123456789Z", "22:31:00.123456789+02:00"), "timestamp"}, // the same moment, not in UTC
		{with(`"2026-11-20T20:31:00.123456789Z"`, "1795206660.123"), "timestamp"},
		{with("INFO", "info"), "level"},
		{with("a\\nb", "a b"), "message"},
		{with(`"status":200`, `"status":"200"`), "status"},
		{with(`"status":200`, `"status":201`), "status"},
		{with(`ms":0.1`, `ms":0.1001`), "duration_ms"},
		{with(`"status":200,`, ""), "status"},
		{with("9007199254740993", "9007199254740992"), "order"},
		{with("9007199254740993", "9007199254740993.0"), "order"}, // has been a float
		{with("true", "false"), "order"},
		{with(`["x"`, `["y"`), "order"},
		{with(`"items"`, `"item"`), "order"},
		{with(`"status"`, `"trace_id":"1","status"`), "trace_id"}, // made up
		{with(`"status"`, `"trace_id":null,"status"`), ""},
		{with(`"status"`, `"level":"INFO","status"`), "level (twice)"},
	}
	var led strings.Builder
	k := newKafka(t, devkafka.Config{})
	for i, c := range cases {
		fmt.Fprintf(&led, line, i+1)
		k.put(fmt.Sprint(i), `{"file":"zap.log","seq":%d,"service.name":"s",%s`, i+1, c.record[1:])
	}
	fmt.Fprintf(&led, line, len(cases)+1)
	k.put("last", `{"file":"zap.log","seq":%d,%s`, len(cases)+1, expect[1:]) // without the constant
	if err := os.WriteFile(path, []byte(led.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	c := k.checker(Config{Constant: map[string]string{"service.name": "s"}, MaxExamples: 100})
	if err := c.ReadLedger(path); err != nil {
		t.Fatal(err)
	}
	r := readAll(t, c)
	if r.Compared != uint64(len(cases))+1 || r.Lost.N != 0 {
		t.Errorf("%d compared, %d lost", r.Compared, r.Lost.N)
	}
	found := map[string]bool{}
	var total uint64
	for field, d := range r.Diffs {
		total += d.N
		for _, ex := range d.Examples {
			var seq int
			if _, err := fmt.Sscanf(ex, "zap seq %d:", &seq); err != nil {
				t.Errorf("example %q", ex)
			}
			found[fmt.Sprint(seq, " ", field)] = true
		}
	}
	var want uint64 = 1
	for i, cs := range cases {
		if cs.want != "" {
			want++
			if !found[fmt.Sprint(i+1, " ", cs.want)] {
				t.Errorf("no difference in %s is found in %s", cs.want, cs.record)
			}
		}
	}
	if !found[fmt.Sprint(len(cases)+1, " service.name")] {
		t.Error("the missing constant is not found")
	}
	if total != want {
		t.Errorf("%d differences, want %d: %v", total, want, r.Err())
	}
}

func BenchmarkRecord(b *testing.B) {
	c, err := New(Config{Brokers: []string{"127.0.0.1:1"}, Topics: []string{"logs"}, Constant: map[string]string{"service.name": "checkout"}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	value := []byte(`{"timestamp":"2026-11-20T20:31:00.792123455Z","level":"WARN","logger":"zap","message":"stock below threshold","user_id":"u-92319","duration_ms":10.706,"traceparent":"00-793e818b79f48fe6ff6fdae33545ddeb-0c01d0a3926faedb-01","trace_id":"793e818b79f48fe6ff6fdae33545ddeb","span_id":"0c01d0a3926faedb","trace_flags":"01","service.name":"checkout","service.version":"1.4.2","file":"/var/log/app/zap.log","seq":1000000000}`)
	r := &kgo.Record{Topic: "logs", Value: value, Headers: []kgo.RecordHeader{{Key: "record_id", Value: []byte("0123456789abcdef0123456789abcdef")}}}
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for i := range b.N {
		for j, n := len(value)-2, i; n > 0; j, n = j-1, n/10 {
			value[j] = '0' + byte(n%10)
		}
		c.record(r, 1, true)
	}
}

// A broker that is away or dies is waited for; what somebody has to mend is not.
func TestTransient(t *testing.T) {
	for err, want := range map[error]bool{
		context.DeadlineExceeded:           true,
		kerr.NotLeaderForPartition:         true,
		&kgo.ErrFirstReadEOF{}:             true,
		kerr.TopicAuthorizationFailed:      false,
		errors.New("something unheard of"): false,
	} {
		if transient(fmt.Errorf("fetch: %w", err)) != want {
			t.Errorf("%v: want %v", err, want)
		}
	}
}
