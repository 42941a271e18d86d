package batch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The broker appends a batch and the connection breaks before the answer arrives, several times. The same bytes with
// the same sequence go out again and the broker recognises them: each record is in the log once, and the flush that
// waited is answered OK.
func TestLostAnswersCauseNoDuplicate(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs())
	var names []string
	for i := range 5 {
		n.cutNext(i % 3)
		names = append(names, fmt.Sprint("c", i))
		flush(t, o, chunkOf(names[i], 20), "app")
	}
	if _, lost := n.counts(); lost != 4 {
		t.Errorf("%d answers were lost, want 4", lost)
	}
	consume(t, c.ListenAddrs()).expect(t, 20, names...)
	if o.stats.newProducer.Load() != 0 {
		t.Error("a new producer id was needed")
	}
}

// The answers hang past flush_timeout. The first chunk's flush answers RETRY, its batch stays; other chunks for the same
// partition arrive and wait behind it, RETRY too. When the answers come, everything has been written once and in the
// order of arrival, and the chunks' next attempts are answered OK without sending anything again.
func TestHangingBrokerKeepsOrder(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "100ms")
	release := n.holdAll()
	defer release()
	var names []string
	for i := range 4 {
		names = append(names, fmt.Sprint("c", i))
		if err := o.Flush(chunkOf(names[i], 10), "app", false); !errors.Is(err, errTimeout) {
			t.Fatalf("flush %d: %v, want %v", i, err, errTimeout)
		}
	}
	if o.pending.len() != 4 {
		t.Errorf("%d entries, want 4", o.pending.len())
	}
	release()
	for _, name := range names {
		flush(t, o, chunkOf(name, 10), "app")
	}
	got := consume(t, c.ListenAddrs())
	got.expect(t, 10, names...)
	for i, r := range got.records {
		if want := fmt.Sprintf(`"chunk":"c%d"}`, i/10); string(r.Value[len(r.Value)-len(want):]) != want {
			t.Fatalf("record %d is %s", i, r.Value)
		}
	}
	if b := o.stats.batches.Load(); b != 2 {
		t.Errorf("%d batches: the three chunks that waited should have shared one", b)
	}
	if o.pending.len() != 0 {
		t.Errorf("%d entries are left", o.pending.len())
	}
}

// A flush answers RETRY and the host never brings the chunk back: Retry_Limit is 1 by default. The batch is delivered
// all the same.
func TestChunkThatNeverComesBack(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "50ms")
	release := n.holdAll()
	defer release()
	for _, name := range []string{"first", "lost"} {
		if err := o.Flush(chunkOf(name, 10), "app", false); !errors.Is(err, errTimeout) {
			t.Fatal(err)
		}
	}
	release()
	eventually(t, "everything acknowledged", func() bool { return o.stats.records().open == 0 })
	consume(t, c.ListenAddrs()).expect(t, 10, "first", "lost")
}

// A request hangs before the broker has done anything, longer than request_timeout. The batch goes out again on another
// connection; later the broker wakes up and works off the first one too, which it recognises.
func TestRequestTimeout(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs(), "request_timeout", "200ms")
	wake := make(chan struct{})
	var hung atomic.Bool
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		if hung.CompareAndSwap(false, true) {
			c.SleepControl(func() { <-wake })
		}
		return nil, nil, false
	})
	go func() {
		eventually(t, "another attempt", func() bool { return o.stats.resends.Load() > 0 })
		time.Sleep(50 * time.Millisecond)
		close(wake)
	}()
	flush(t, o, chunkOf("a", 10), "app")
	<-wake
	flush(t, o, chunkOf("b", 10), "app")
	consume(t, c.ListenAddrs()).expect(t, 10, "a", "b")
}

// Two chunks with equal bytes and tag arrive at once, and neither is acknowledged in time. Each leaves an entry, each
// attempt takes one: in the end the records are in the log twice, as they were in the host.
func TestEqualChunksAreBothDelivered(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "50ms")
	release := n.holdAll()
	defer release()
	same := chunkOf("same", 5)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := o.Flush(same, "app", false); !errors.Is(err, errTimeout) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	release()
	for range 2 {
		wg.Go(func() { flush(t, o, same, "app") })
	}
	wg.Wait()
	// The entries are gone: a third chunk of that kind is one more.
	flush(t, o, same, "app")
	if got := consume(t, c.ListenAddrs()).chunks["same"]; len(got) != 15 {
		t.Errorf("%d records, want 15", len(got))
	}
}

// No broker at start: flushes answer RETRY at once and take nothing in. Then it comes, and chunks are delivered without
// a restart; one line says that it is away, one that it is back.
func TestBrokerComesLater(t *testing.T) {
	port := freePort(t)
	o, book := output(t, []string{hostPort(port)})
	for i := range 20 {
		start := time.Now()
		if err := o.Flush(chunkOf("early", 10), "app", false); err == nil {
			t.Fatal("OK without a broker")
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Fatalf("flush %d took %v", i, d)
		}
	}
	if r := o.stats.records(); r.taken != 0 {
		t.Errorf("%d records were taken", r.taken)
	}
	eventually(t, "a line that it is away", func() bool { return book.count("no Kafka broker can be reached") == 1 })
	c := broker(t, 1, kfake.Ports(port))
	flush(t, o, chunkOf("early", 10), "app")
	consume(t, c.ListenAddrs()).expect(t, 10, "early")
	if book.count("no Kafka broker can be reached") != 1 || book.count("Kafka is reachable again") != 1 {
		t.Error("not one line each")
	}
}

// The broker goes down with chunks under way and comes back with its data. Nothing is lost, and what was appended
// before is not appended again: its producer state is part of the data.
func TestBrokerRestart(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	start := func() *kfake.Cluster { return broker(t, 2, kfake.Ports(port), kfake.DataDir(dir)) }
	c := start()
	o, book := output(t, []string{hostPort(port)}, "flush_timeout", "200ms")
	var names []string
	var wg sync.WaitGroup
	for i := range 4 {
		for j := range 30 {
			names = append(names, fmt.Sprintf("%d-%d", i, j))
		}
		wg.Go(func() {
			for j := range 30 {
				flush(t, o, chunkOf(fmt.Sprintf("%d-%d", i, j), 10), "app")
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	c.Close()
	eventually(t, "a line that it is away", func() bool { return book.count("no Kafka broker can be reached") > 0 })
	c = start()
	wg.Wait()
	consume(t, c.ListenAddrs()).expect(t, 10, names...)
}

// The partition's leader moves between two brokers while chunks come in. Each move costs one refused request; the next
// one goes to the new leader, long before the metadata would have expired.
func TestLeaderMoves(t *testing.T) {
	c := broker(t, 1, kfake.NumBrokers(3))
	o, _ := output(t, c.ListenAddrs())
	var names []string
	var longest time.Duration
	for i := range 6 {
		if err := c.MoveTopicPartition("logs", 0, int32(i%3)); err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprint("c", i))
		start := time.Now()
		flush(t, o, chunkOf(names[i], 10), "app")
		d := time.Since(start)
		if longest = max(longest, d); d > 2*time.Second {
			t.Errorf("move %d: %v until the next success", i, d)
		}
	}
	t.Logf("%v until the next success, at most", longest)
	consume(t, c.ListenAddrs()).expect(t, 10, names...)
}

// One of three brokers is dead. The cluster is still reachable: chunks go to the partitions that have a leader, and no
// flush is turned away.
func TestOneDeadBroker(t *testing.T) {
	c := broker(t, 3, kfake.NumBrokers(3))
	for p := range int32(3) {
		if err := c.MoveTopicPartition("logs", p, p); err != nil {
			t.Fatal(err)
		}
	}
	dead := freePort(t)
	o, book := output(t, append([]string{hostPort(dead)}, c.ListenAddrs()...))
	for i := range 10 {
		flush(t, o, chunkOf(fmt.Sprint("c", i), 10), "app")
	}
	if book.count("no Kafka broker") != 0 {
		t.Error("the cluster was taken for unreachable")
	}
	if n := consume(t, c.ListenAddrs()); len(n.records) != 100 {
		t.Errorf("%d records", len(n.records))
	}
}

// The instance is closed in an outage, with chunks under way and flushes waiting. Everything returns within the host's
// grace time, the flushes with RETRY.
func TestCloseInOutage(t *testing.T) {
	f := func(name string, outage func(t *testing.T, c *kfake.Cluster, n *faultNet)) {
		t.Run(name, func(t *testing.T) {
			var n faultNet
			c := broker(t, 1, n.option())
			o, _ := output(t, c.ListenAddrs(), "flush_timeout", "30s", "request_timeout", "30s")
			flush(t, o, chunkOf("before", 1), "app")
			outage(t, c, &n)
			answers := make(chan error, 3)
			for i := range cap(answers) {
				go func() { answers <- o.Flush(chunkOf(fmt.Sprint("c", i), 10), "app", false) }()
			}
			time.Sleep(100 * time.Millisecond)
			start := time.Now()
			o.Close()
			for range cap(answers) {
				if err := <-answers; err == nil {
					t.Error("OK for a chunk that nobody acknowledged")
				}
			}
			if d := time.Since(start); d > closeTimeout+time.Second {
				t.Errorf("it took %v", d)
			}
			if err := o.Flush(chunkOf("after", 1), "app", false); !errors.Is(err, errClosed) {
				t.Errorf("a flush after Close: %v", err)
			}
			o.Close() // once more changes nothing
		})
	}
	f("gone", func(t *testing.T, c *kfake.Cluster, n *faultNet) { c.Close() })
	f("hanging", func(t *testing.T, c *kfake.Cluster, n *faultNet) { t.Cleanup(n.holdAll()) })
}

// Close waits for what is in flight when the broker answers: the flush is answered OK.
func TestCloseWaits(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs())
	release := n.holdAll()
	defer release()
	answer := make(chan error)
	go func() { answer <- o.Flush(chunkOf("a", 10), "app", false) }()
	eventually(t, "a request at the broker", func() bool { held, _ := n.counts(); return held == 1 })
	time.AfterFunc(100*time.Millisecond, release)
	o.Close()
	if err := <-answer; err != nil {
		t.Errorf("the flush that was waited for: %v", err)
	}
	consume(t, c.ListenAddrs()).expect(t, 10, "a")
}

// What waits for Kafka is bounded: at buffer_max_bytes flushes are turned away before they take anything, while chunks
// that are on their way already still get their answer.
func TestBufferIsBounded(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, book := output(t, c.ListenAddrs(), "flush_timeout", "30ms", "buffer_max_bytes", "1M", "compression", "none")
	release := n.holdAll()
	defer release()
	refused := 0
	for i := range 100 {
		err := o.Flush(chunkOf(fmt.Sprint("c", i), 500), "app", false)
		if errors.Is(err, errFull) {
			refused++
		} else if !errors.Is(err, errTimeout) {
			t.Fatal(err)
		}
		if used := o.memory.used.Load(); used > 5<<18 {
			t.Fatalf("%d bytes are held", used)
		}
		if refused == 3 {
			break
		}
	}
	if refused != 3 || book.count("buffer_max_bytes of records wait") != 1 {
		t.Errorf("%d flushes were refused, %d lines", refused, book.count("buffer_max_bytes of records wait"))
	}
	release()
	flush(t, o, chunkOf("c0", 500), "app")
	flush(t, o, chunkOf("last", 500), "app")
	eventually(t, "everything acknowledged", func() bool { return o.stats.records().open == 0 })
	if used := o.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes are still accounted", used)
	}
	if got := consume(t, c.ListenAddrs()).chunks; len(got["c0"]) != 500 || len(got["last"]) != 500 {
		t.Errorf("c0 %d, last %d records", len(got["c0"]), len(got["last"]))
	}
}

// On the engine's thread a flush waits a second at most, whatever flush_timeout says.
func TestEngineThread(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "20s")
	defer n.holdAll()()
	start := time.Now()
	if err := o.Flush(chunkOf("a", 1), "app", true); !errors.Is(err, errTimeout) {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

// A topic that does not exist is somebody's to create: RETRY, one line, and delivery once it is there.
func TestTopicIsMissing(t *testing.T) {
	c := broker(t, 1)
	o, book := output(t, c.ListenAddrs(), "topics", "later")
	for range 3 {
		if err := o.Flush(chunkOf("a", 5), "app", false); !errors.Is(err, errTopic) {
			t.Fatal(err)
		}
	}
	if book.count("the topic cannot be written to") != 1 {
		t.Error("not one line")
	}
	createTopic(t, c, "later", 2)
	flush(t, o, chunkOf("a", 5), "app")
}

// Where brokers create topics on demand they are asked to, as by any other producer.
func TestTopicIsCreatedOnDemand(t *testing.T) {
	c := broker(t, 1, kfake.AllowAutoTopicCreation())
	o, _ := output(t, c.ListenAddrs(), "topics", "on-demand")
	flush(t, o, chunkOf("a", 5), "app")
	if n := o.stats.records().acknowledged; n != 5 {
		t.Errorf("%d records acknowledged", n)
	}
}

// The topic is deleted and made anew with fewer partitions while a batch for one of the old ones waits. Its records
// move to a partition that there is.
func TestPartitionIsGone(t *testing.T) {
	c := broker(t, 8)
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "100ms", "message_key_field", "n", "request_timeout", "300ms", "backoff_max", "200ms")
	flush(t, o, chunkOf("before", 20), "app")
	deleteTopic(t, c, "logs")
	// The route is a second old at most, so this chunk is appended for partitions that are gone by now.
	_ = o.Flush(chunkOf("during", 50), "app", false)
	if r := o.stats.records(); r.open != 50 {
		t.Fatalf("%d records are open, want 50", r.open)
	}
	createTopic(t, c, "logs", 1)
	eventually(t, "everything acknowledged", func() bool { return o.stats.records().open == 0 })
	if n := o.stats.moved.Load(); n == 0 || n > 50 {
		t.Errorf("%d records were moved, want those of seven partitions", n)
	}
	if r := o.stats.records(); r.acknowledged != 70 || len(r.dropped) != 0 {
		t.Errorf("%+v, want 70 records acknowledged", r)
	}
	if n := len(consume(t, c.ListenAddrs()).chunks["during"]); n != 50 {
		t.Errorf("%d records in the log, want 50", n)
	}
}

// A topic got more partitions, and the answer to a batch for a new one is lost. The broker that is asked then has not yet
// heard of that partition, for two seconds: the batch waits, since moved to another one it would be there twice.
func TestMetadataIsBehind(t *testing.T) {
	var n faultNet
	c := broker(t, 2, n.option())
	o, _ := output(t, c.ListenAddrs(), "message_key_field", "n", "flush_timeout", "100ms")
	flush(t, o, chunkOf("before", 20), "app")
	until := time.Now().Add(2 * time.Second)
	host, port, _ := strings.Cut(c.ListenAddrs()[0], ":")
	c.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.MetadataRequest)
		if len(req.Topics) == 0 || time.Now().After(until) {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.MetadataResponse)
		b := kmsg.NewMetadataResponseBroker()
		at, _ := strconv.Atoi(port)
		b.Host, b.Port = host, int32(at)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.Partitions = req.Topics[0].Topic, []kmsg.MetadataResponseTopicPartition{kmsg.NewMetadataResponseTopicPartition()}
		res.Brokers, res.Topics = append(res.Brokers, b), append(res.Topics, topic)
		return res, nil, true
	})
	n.cutNext(1)
	flush(t, o, chunkOf("during", 20), "app")
	if _, lost := n.counts(); lost != 1 {
		t.Fatalf("%d answers were lost, want 1", lost)
	}
	got := consume(t, c.ListenAddrs())
	if len(got.chunks["during"]) != 20 || o.stats.moved.Load() != 0 {
		t.Errorf("%d records in the log, want 20; %d moved", len(got.chunks["during"]), o.stats.moved.Load())
	}
}

// A batch whose answer was lost moves off a partition that is gone. Were the partition to come back with its log, its
// next batch would be taken for that one if it had the same sequence, and lost: so it goes on under a new producer id.
func TestMovedBatchTakesItsSequenceAlong(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	logs := o.topics.get("logs")
	if err := o.topics.resolve(t.Context(), []use{{t: logs}}); err != nil {
		t.Fatal(err)
	}
	s := o.encoder.get()
	o.encoder.encode(s, chunkOf("a", 3), "app")
	o.stats.take(3)
	d := newDelivery(3, "app")
	b := &batch{full: true, unsure: true, gone: goneAfter - 1, parts: []part{{d, 3, ""}}}
	for i := range s.entries {
		e := &s.entries[i]
		b.set.add(e.ms, nil, e.value.of(s.text), nil)
	}
	b.wire = b.set.seal(codecLZ4)
	p := &partition{t: logs, id: 3, o: o, asked: true, sequence: 7}
	if !p.failed(b, errNoLeader) {
		t.Fatal("the batch stayed")
	}
	if p.asked || !p.fresh {
		t.Error("the partition keeps its producer id")
	}
	<-d.done
	consume(t, c.ListenAddrs()).expect(t, 3, "a")
	if n := o.stats.moved.Load(); n != 3 {
		t.Errorf("%d records were moved, want 3", n)
	}
}

// Thirty bootstrap brokers must not leave 100 ms for a connection to one on another continent.
func TestDialTimeout(t *testing.T) {
	for share, want := range map[int]time.Duration{0: 3 * time.Second, 1: 3 * time.Second, 2: 1500 * time.Millisecond, 3: time.Second, 30: time.Second} {
		if got := (&dialer{connections: &connections{timeout: 3 * time.Second}, share: share}).perAddress(); got != want {
			t.Errorf("%d addresses: %v, want %v", share, got, want)
		}
	}
}
