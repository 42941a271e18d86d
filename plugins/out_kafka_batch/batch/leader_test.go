package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keyedChunk is a chunk of n records whose field "chunk" is another for each.
func keyedChunk(name string, n int) (b []byte) {
	for i := range n {
		b = event(b, fmt.Sprint(name, i), 0)
	}
	return b
}

// countProduce counts produce requests and how many are under way at a time, each for as long as it sleeps.
func countProduce(c *kfake.Cluster, sleep time.Duration) (requests, most *atomic.Int32) {
	requests, most = &atomic.Int32{}, &atomic.Int32{}
	var now atomic.Int32
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		requests.Add(1)
		n := now.Add(1)
		if m := most.Load(); n > m {
			most.Store(n)
		}
		c.SleepControl(func() { time.Sleep(sleep) })
		now.Add(-1)
		return nil, nil, false
	})
	return requests, most
}

// The records of one chunk go to 50 partitions of two topics on three brokers: in a few requests, not in 50.
func TestPartitionsShareRequests(t *testing.T) {
	c := broker(t, 25, kfake.NumBrokers(3))
	createTopic(t, c, "more", 25)
	o, _ := output(t, c.ListenAddrs(), "message_key_field", "chunk", "max_in_flight", "6")
	encode := byTopic(o, func(i int) string { return []string{"logs", "more"}[i%2] })
	if err := o.flush(keyedChunk("warm", 2), "app", false, encode); err != nil {
		t.Fatal(err)
	}
	requests, _ := countProduce(c, 20*time.Millisecond)
	if err := o.flush(keyedChunk("a", 1000), "app", false, encode); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, topic := range []string{"logs", "more"} {
		n += len(consumeTopic(t, c.ListenAddrs(), topic).records)
	}
	if n != 1002 {
		t.Errorf("%d records arrived", n)
	}
	if got := requests.Load(); got < 3 || got > 20 {
		t.Errorf("%d requests for 50 partitions on 3 brokers", got)
	}
}

// max_in_flight holds over all brokers, whatever is flushed.
func TestMaxInFlight(t *testing.T) {
	for _, limit := range []int{1, 3} {
		c := broker(t, 30, kfake.NumBrokers(3))
		o, _ := output(t, c.ListenAddrs(), "message_key_field", "chunk", "max_in_flight", fmt.Sprint(limit))
		_, most := countProduce(c, 5*time.Millisecond)
		var highest atomic.Int32
		stop := make(chan struct{})
		var watch sync.WaitGroup
		watch.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					highest.Store(max(highest.Load(), int32(o.cluster.leaders.underWay())))
				}
			}
		})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { flush(t, o, keyedChunk(fmt.Sprint("c", i, "-"), 100), "app") })
		}
		wg.Wait()
		close(stop)
		watch.Wait()
		if n := len(consume(t, c.ListenAddrs()).records); n != 800 {
			t.Errorf("%d records arrived", n)
		}
		if int(most.Load()) > limit || int(highest.Load()) > limit || highest.Load() == 0 {
			t.Errorf("%d requests at a broker and %d here at a time, the limit is %d", most.Load(), highest.Load(), limit)
		}
	}
}

// A leader that hangs takes no slot that another one needs.
func TestSlots(t *testing.T) {
	l := &leaders{max: 4, all: map[int32]*leader{1: {id: 1}, 2: {id: 2}, 3: {id: 3}}}
	take := func(id int32) bool {
		q := l.all[id]
		if !l.slot(q) {
			return false
		}
		q.inFlight++
		l.inFlight++
		return true
	}
	for i, want := range []bool{true, true, false} {
		if take(1) != want {
			t.Fatalf("request %d of the first leader: want %v", i+1, want)
		}
	}
	if !take(2) || take(2) || !take(3) || take(1) || take(2) || take(3) {
		t.Fatal("the others do not get one each, and all together four")
	}
}

// The request is what another implementation reads, for every version that is spoken and sizes on both sides of what is
// copied.
func TestProduceRequest(t *testing.T) {
	for version := int16(3); version <= 8; version++ {
		r := &produceRequest{acks: -1, timeout: 1234, clientID: "edge", version: version}
		want := map[string]string{}
		for i, size := range []int{1, gathered, gathered + 1, 100, 3 * gathered, 5, 70, 80} {
			topic := []string{"a", "bb", "ccc"}[i/3]
			body := bytes.Repeat([]byte{byte('a' + i)}, size)
			wire := append([]byte{0, byte(size >> 16), byte(size >> 8), byte(size)}, body...)
			r.batches = append(r.batches, &sending{topic: topic, partition: int32(i), wire: wire})
			want[fmt.Sprint(topic, i)] = string(body)
		}
		var out bytes.Buffer
		if err := r.write(&out); err != nil {
			t.Fatal(err)
		}
		b := out.Bytes()
		if n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3]); n != len(b)-4 {
			t.Fatalf("v%d: it says %d bytes and has %d", version, n, len(b)-4)
		}
		const header = 4 + 2 + 2 + 4 + 2 + len("edge")
		req := kmsg.NewPtrProduceRequest()
		req.Version = version
		if err := req.ReadFrom(b[header:]); err != nil {
			t.Fatalf("v%d: %v", version, err)
		}
		if req.Acks != -1 || req.TimeoutMillis != 1234 || req.TransactionID != nil {
			t.Errorf("v%d: acks %d, timeout %d", version, req.Acks, req.TimeoutMillis)
		}
		got := 0
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				if got++; want[fmt.Sprint(topic.Topic, p.Partition)] != string(p.Records) {
					t.Errorf("v%d: %s %d has %d bytes", version, topic.Topic, p.Partition, len(p.Records))
				}
			}
		}
		if got != len(want) {
			t.Errorf("v%d: %d batches", version, got)
		}
	}
}

// requestSize is what brokers hold against their limit.
func TestRequestSize(t *testing.T) {
	r := &produceRequest{clientID: "edge", version: 8, batches: []*sending{{topic: "logs", wire: make([]byte, 104)}}}
	var out bytes.Buffer
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	if n := requestSize("edge", "logs", 104); n != out.Len()-4 {
		t.Errorf("%d, want %d", n, out.Len()-4)
	}
}

// Whoever gives a request up learns whether a broker may have got it, and whether its batches are still being read.
func TestRevoke(t *testing.T) {
	if sent, reading := (&produceRequest{}).revoke(); sent || reading {
		t.Error("a request that was never written was sent")
	}
	r := &produceRequest{}
	r.revoke()
	r.Required(map[protocol.ApiKey]int16{protocol.Produce: 8})
	if _, err := r.RawExchange(nil); !errors.Is(err, errRevoked) {
		t.Errorf("it was written after all: %v", err)
	}
	r = &produceRequest{version: 8}
	w := &slowWriter{in: make(chan struct{}), out: make(chan struct{})}
	done := make(chan struct{})
	go func() { _, _ = r.RawExchange(w); close(done) }()
	<-w.in
	if sent, reading := r.revoke(); !sent || !reading {
		t.Error("while it is written")
	}
	close(w.out)
	<-done
	if sent, reading := r.revoke(); !sent || reading {
		t.Error("after it was written")
	}
	r = &produceRequest{version: 2}
	if _, err := r.RawExchange(nil); classifyError(err) != failOperator {
		t.Errorf("a broker that is too old: %v", err)
	}
}

// slowWriter tells that it is written to, and waits.
type slowWriter struct{ in, out chan struct{} }

func (w *slowWriter) Write(p []byte) (int, error) {
	close(w.in)
	<-w.out
	return 0, io.ErrClosedPipe
}

func (w *slowWriter) Read([]byte) (int, error) { return 0, io.EOF }

// acks 1 and 0 are what goes over the wire, batches are then without a producer, and what nobody acknowledges is OK when
// it is written.
func TestAcks(t *testing.T) {
	for text, want := range map[string]int16{"all": -1, "1": 1, "0": 0} {
		c := broker(t, 1)
		var acks, producers atomic.Int32
		c.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			producers.Add(1)
			return nil, nil, false
		})
		c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			acks.Store(int32(r.(*kmsg.ProduceRequest).Acks))
			return nil, nil, false
		})
		o, _ := output(t, c.ListenAddrs(), "required_acks", text, "idempotence", "off")
		for _, name := range []string{"a", "b"} {
			flush(t, o, chunkOf(name, 10), "app")
		}
		eventually(t, "the records are in the log", func() bool {
			return len(consume(t, c.ListenAddrs()).records) == 20
		})
		if int16(acks.Load()) != want || producers.Load() != 0 {
			t.Errorf("acks %s: %d in the request, %d producer ids", text, acks.Load(), producers.Load())
		}
	}
}

// A linger lets chunks that come one after the other share a batch, ends when the batch is full, and never outlasts
// the instance.
func TestLinger(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs(), "linger", "300ms", "batch_max_records", "40")
	flush(t, o, chunkOf("warm", 40), "app")
	requests, _ := countProduce(c, 0)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { flush(t, o, chunkOf(fmt.Sprint("c", i), 10), "app") })
		time.Sleep(30 * time.Millisecond)
	}
	wg.Wait()
	if d := time.Since(began); requests.Load() != 1 || d < 300*time.Millisecond {
		t.Errorf("%d requests after %v, want one after the linger", requests.Load(), d)
	}
	began = time.Now()
	flush(t, o, chunkOf("full", 40), "app")
	if d := time.Since(began); d > 250*time.Millisecond {
		t.Errorf("a batch that is full waited for %v", d)
	}
	began = time.Now()
	for i := range 2 { // the second one fills the batch that the first one waits in
		wg.Go(func() { flush(t, o, chunkOf(fmt.Sprint("half", i), 20), "app") })
		time.Sleep(30 * time.Millisecond)
	}
	wg.Wait()
	if d := time.Since(began); d > 250*time.Millisecond {
		t.Errorf("a batch that became full waited for %v", d)
	}
	got := consume(t, c.ListenAddrs())
	if n := len(got.records); n != 150 {
		t.Errorf("%d records arrived", n)
	}
}

func TestCloseEndsLinger(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs(), "linger", "3s")
	done := make(chan error, 1)
	go func() { done <- o.Flush(chunkOf("a", 10), "app", false) }()
	eventually(t, "the chunk is taken", func() bool { return o.stats.records().open == 10 })
	began := time.Now()
	o.Close()
	if err := <-done; err != nil || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	consume(t, c.ListenAddrs()).expect(t, 10, "a")
}
