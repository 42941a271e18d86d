package devkafka

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg Config) *Broker {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	b, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()), kgo.MetadataMinAge(50*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// produce writes values from to to-1 and waits for their acknowledgement.
func produce(t *testing.T, cl *kgo.Client, topic string, from, to int) {
	t.Helper()
	var recs []*kgo.Record
	for i := from; i < to; i++ {
		recs = append(recs, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i)})
	}
	if err := cl.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume reads n records of the topic and then a little longer, and returns
// how often each value came.
func consume(t *testing.T, b *Broker, topic string, n int) map[string]int {
	t.Helper()
	cl := client(t, b, kgo.ConsumeTopics(topic))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := map[string]int{}
	for len(got) < n {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("%d of %d values: %v", len(got), n, err)
		}
		fs.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++ })
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got[string(r.Value)]++ })
	return got
}

func eachOnce(t *testing.T, got map[string]int, n int) {
	t.Helper()
	for v, times := range got {
		if times != 1 {
			t.Errorf("value %s is there %d times", v, times)
		}
	}
	if len(got) != n {
		t.Errorf("%d values, want %d", len(got), n)
	}
}

func TestDataSurvivesAClose(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir, Topics: []Topic{{"logs", 2}}})
	produce(t, client(t, b), "logs", 0, 500)
	port := b.Addr()
	b.Close()

	// The same port, and topics that the folder does not know yet.
	b = start(t, Config{Listen: port, Dir: dir, Topics: []Topic{{"logs", 3}, {"late", 1}}})
	if b.Addr() != port {
		t.Errorf("address %s, want %s again", b.Addr(), port)
	}
	cl := client(t, b)
	produce(t, cl, "logs", 500, 600)
	produce(t, cl, "late", 0, 1)
	eachOnce(t, consume(t, b, "logs", 600), 600)

	// The partition that the second start added takes records.
	third := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	r := &kgo.Record{Topic: "logs", Partition: 2, Value: []byte("third")}
	if err := third.ProduceSync(t.Context(), r).FirstErr(); err != nil || r.Partition != 2 {
		t.Errorf("third partition: %v", err)
	}
}

func TestMemoryEndsWithTheBroker(t *testing.T) {
	b := start(t, Config{Topics: []Topic{{"logs", 1}}})
	produce(t, client(t, b), "logs", 0, 10)
	eachOnce(t, consume(t, b, "logs", 10), 10)
	port := b.Addr()
	b.Close()
	b = start(t, Config{Listen: port, Topics: []Topic{{"logs", 1}}})
	produce(t, client(t, b), "logs", 100, 101)
	if got := consume(t, b, "logs", 1); len(got) != 1 || got["100"] != 1 {
		t.Errorf("got %v, want only the value of the second broker", got)
	}
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	start(t, Config{Dir: dir})
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  Config
		want []string
	}{
		"port in use":       {Config{Listen: l.Addr().String()}, []string{l.Addr().String(), "in use", "-listen"}},
		"folder in use":     {Config{Listen: "127.0.0.1:0", Dir: dir}, []string{dir, "another devkafka"}},
		"folder is a file":  {Config{Listen: "127.0.0.1:0", Dir: file}, []string{file}},
		"no port":           {Config{Listen: "127.0.0.1"}, []string{"127.0.0.1", "host:port"}},
		"port too high":     {Config{Listen: "127.0.0.1:70000"}, []string{"70000", "65535"}},
		"a name":            {Config{Listen: "kafka.example:9092"}, []string{"kafka.example", "localhost"}},
		"wildcard":          {Config{Listen: ":9092"}, []string{":9092", "-allow-remote"}},
		"remote":            {Config{Listen: "192.0.2.1:9092"}, []string{"192.0.2.1", "-allow-remote"}},
		"wildcard, allowed": {Config{Listen: "0.0.0.0:9092", AllowRemote: true}, []string{"-advertise"}},
		"bad advertise":     {Config{Listen: "127.0.0.1:0", Advertise: "host"}, []string{"advertise", "host:port"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Start(t.Context(), c.cfg)
			if err == nil {
				b.Close()
				t.Fatal("it started")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
}

func TestAdvertisedAddress(t *testing.T) {
	b := start(t, Config{Listen: "localhost:0", Advertise: "127.0.0.1:1", Dir: t.TempDir(), Topics: []Topic{{"logs", 1}}})
	if b.Addr() != "127.0.0.1:1" {
		t.Errorf("clients are told %s", b.Addr())
	}
}

func TestParseTopics(t *testing.T) {
	ok := func(in string, want ...Topic) {
		t.Helper()
		if got, err := ParseTopics(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	ok("")
	ok("logs:3,logs-dead-letters:1", Topic{"logs", 3}, Topic{"logs-dead-letters", 1})
	ok(" a , b:2,", Topic{"a", 1}, Topic{"b", 2})
	bad := func(in string, want ...string) {
		t.Helper()
		_, err := ParseTopics(in)
		if err == nil {
			t.Errorf("%q is accepted", in)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %q does not name %q", in, err, w)
			}
		}
	}
	bad("a:0", `"a:0"`)
	bad("a:x,b c:1,d,d", `"a:x"`, `"b c"`, `"d" is given twice`)
	bad("..:1", `".."`)
	bad(":3", `""`)
}
