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
