package devkafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// An answer that is lost comes after the append: the client sends the batch again and the broker has it once. While
// answers are held nothing is acknowledged.
func TestFaults(t *testing.T) {
	var f Faults
	b, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Topics: []Topic{{"logs", 1}}, Faults: &f})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("logs"), kgo.ConsumeTopics("logs"),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()

	f.CutNext(1)
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("cut")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	release := f.HoldAll()
	done := make(chan error, 1)
	go func() { done <- cl.ProduceSync(t.Context(), kgo.StringRecord("held")).FirstErr() }()
	select {
	case err := <-done:
		t.Fatalf("acknowledged although its answer is held: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	var got []string
	for len(got) < 2 {
		cl.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	lost, held, open := f.Counts()
	if len(got) != 2 || got[0] != "cut" || got[1] != "held" || lost != 1 || held < 1 || open < 1 {
		t.Errorf("the topic has %q; %d answers lost, %d held, %d connections open", got, lost, held, open)
	}
}

// A broker that stands still answers nothing, not even to new clients, and goes on where it was; latency delays each
// answer by itself; a link carries no more than its limit; resets end connections. Nothing is lost or there twice.
func TestBadNetwork(t *testing.T) {
	var f Faults
	b, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Topics: []Topic{{"logs", 1}}, Faults: &f})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	client := func() *kgo.Client {
		cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("logs"), kgo.ProducerBatchCompression(kgo.NoCompression()),
			kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	cl := client()
	produce := func(cl *kgo.Client, size int) <-chan error {
		done := make(chan error, 1)
		go func() {
			done <- cl.ProduceSync(t.Context(), kgo.SliceRecord(make([]byte, size))).FirstErr()
		}()
		return done
	}
	took := func(cl *kgo.Client, size int) time.Duration {
		start := time.Now()
		if err := <-produce(cl, size); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	took(cl, 1)

	thaw := f.Freeze()
	old, young := produce(cl, 1), produce(client(), 1)
	select {
	case err := <-old:
		t.Fatalf("answered while it stands still: %v", err)
	case err := <-young:
		t.Fatalf("a new client was answered while it stands still: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	thaw()
	if err := <-old; err != nil {
		t.Fatal(err)
	}
	if err := <-young; err != nil {
		t.Fatal(err)
	}

	f.Delay(150 * time.Millisecond)
	if d := took(cl, 1); d < 150*time.Millisecond || d > 2*time.Second {
		t.Errorf("an answer took %v with a latency of 150ms", d)
	}
	f.Delay(0)

	f.Limit(1 << 20)
	if d := took(cl, 400<<10); d < 350*time.Millisecond || d > 3*time.Second {
		t.Errorf("400 KiB took %v at 1 MiB/s", d)
	}
	f.Limit(0)

	if n := f.Reset(func() bool { return true }); n == 0 {
		t.Error("no connection was open to reset")
	}
	took(cl, 1)

	_, _, open := f.Counts()
	reader, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("logs"), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	n := 0
	for n < 6 {
		reader.PollFetches(t.Context()).EachRecord(func(*kgo.Record) { n++ })
	}
	if n != 6 || open == 0 {
		t.Errorf("%d records of 6, %d connections open", n, open)
	}
}
