package batch

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// byTopic makes an encoder that gives each record the topic that name says for its number.
func byTopic(o *Output, name func(i int) string) func(*scratch, []byte, string) {
	return func(s *scratch, data []byte, tag string) {
		o.encoder.encode(s, data, tag)
		index := map[string]int32{s.topics[0]: 0}
		for i := range s.entries {
			n := name(i)
			if _, ok := index[n]; !ok {
				index[n] = int32(len(s.topics))
				s.topics = append(s.topics, n)
			}
			s.entries[i].topic = index[n]
		}
	}
}

// One chunk has records for a topic that there is, one that is created late, and one that is created later still. The
// records of the first arrive at once. Each attempt answers RETRY until the last topic is there, and in the end each
// record is in its topic once.
func TestTopicsThatComeLater(t *testing.T) {
	c := broker(t, 2)
	o, book := output(t, c.ListenAddrs())
	topics := []string{"logs", "late", "later"}
	encode := byTopic(o, func(i int) string { return topics[i%3] })
	data := chunkOf("a", 30)
	try := func() error { return o.flush(data, "app", false, encode) }
	count := func(topic string) int { return len(consumeTopic(t, c.ListenAddrs(), topic).records) }

	if err := try(); !errors.Is(err, errTopic) {
		t.Fatalf("error %v", err)
	}
	if n := count("logs"); n != 10 {
		t.Fatalf("%d records are in the topic that there is, want 10", n)
	}
	if r := o.stats.records(); r.taken != 10 || r.acknowledged != 10 {
		t.Errorf("%+v", r)
	}
	createTopic(t, c, "late", 3)
	eventually(t, "the second topic has its records", func() bool { _ = try(); return count("late") == 10 })
	if err := try(); !errors.Is(err, errTopic) {
		t.Fatalf("error %v", err)
	}
	createTopic(t, c, "later", 1)
	eventually(t, "the chunk is done", func() bool { return try() == nil })
	for _, topic := range topics {
		if n := count(topic); n != 10 {
			t.Errorf("%d records in %s, want 10", n, topic)
		}
	}
	if r := o.stats.records(); r.taken != 30 || r.acknowledged != 30 || o.pending.len() != 0 {
		t.Errorf("%+v, %d chunks pending", r, o.pending.len())
	}
	if book.count("cannot be written to") != 1 {
		t.Error("it was not said once")
	}
	if err := try(); err != nil { // as a chunk of equal bytes would be
		t.Error(err)
	}
	if r := o.stats.records(); r.taken != 60 {
		t.Errorf("a chunk with equal bytes was not sent: %+v", r)
	}
}

// A broker says that no topic can have a name which a record gave: its records go to the default topic, beside and
// before those that belong there, in their order.
func TestImpossibleTopic(t *testing.T) {
	c := broker(t, 1)
	c.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.MetadataRequest)
		for i := range req.Topics {
			if *req.Topics[i].Topic == "odd" {
				res := req.ResponseKind().(*kmsg.MetadataResponse)
				rt := kmsg.NewMetadataResponseTopic()
				rt.Topic, rt.ErrorCode = req.Topics[i].Topic, kerr.InvalidTopicException.Code
				res.Topics = append(res.Topics, rt)
				return res, nil, true
			}
		}
		return nil, nil, false
	})
	o, _ := output(t, c.ListenAddrs())
	encode := byTopic(o, func(i int) string { return []string{"odd", "logs"}[i%2] })
	for _, name := range []string{"a", "b"} {
		if err := o.flush(chunkOf(name, 10), "app", false, encode); err != nil {
			t.Fatal(err)
		}
	}
	consume(t, c.ListenAddrs()).expect(t, 10, "a", "b")
	if n := o.stats.toDefault[topicImpossible].Load(); n != 10 {
		t.Errorf("%d records were counted as rerouted, want 10", n)
	}
}

// Records name topics without end. What is beyond the bound goes to the default topic, and the memory of topics stays
// as it is.
func TestTopicsAreBounded(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	for i := range 2 * maxKnownTopics {
		o.topics.get(fmt.Sprint("t", i))
	}
	if n := len(o.topics.all()); n != maxKnownTopics+1 {
		t.Errorf("%d topics", n)
	}
	if err := o.flush(chunkOf("a", 10), "app", false, byTopic(o, func(int) string { return "one-too-many" })); err != nil {
		t.Fatal(err)
	}
	consume(t, c.ListenAddrs()).expect(t, 10, "a")
	if n := o.stats.toDefault[topicImpossible].Load(); n != 10 {
		t.Errorf("%d rerouted", n)
	}
	// Names that were never topics make room after a while.
	for _, n := range o.topics.all() {
		n.asked = time.Now().Add(-2 * forgetAge)
	}
	createTopic(t, c, "one-too-many", 1)
	if err := o.flush(chunkOf("b", 10), "app", false, byTopic(o, func(int) string { return "one-too-many" })); err != nil {
		t.Fatal(err)
	}
	consumeTopic(t, c.ListenAddrs(), "one-too-many").expect(t, 10, "b")
}

// A chunk is brought again while its first records are still on their way and others wait for their topic. When the
// first are acknowledged during that attempt the host's memory may be gone (hosts before 2.2 unmap it), so that the
// others are left for the attempt after it.
func TestRestIsNotEncodedAfterAWait(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "300ms")
	encode := byTopic(o, func(i int) string { return []string{"logs", "late"}[i%2] })
	data := chunkOf("a", 10)
	release := n.holdAll()
	if err := o.flush(data, "app", false, encode); !errors.Is(err, errTimeout) {
		t.Fatalf("error %v", err)
	}
	createTopic(t, c, "late", 1)
	// As if another partition's request had been answered just now: no flush waits for brokers that answer nothing.
	o.cluster.leaders.mu.Lock()
	o.cluster.leaders.silence = time.Now()
	o.cluster.leaders.mu.Unlock()
	time.AfterFunc(50*time.Millisecond, release)
	never := func(*scratch, []byte, string) { t.Error("it was encoded after a wait") }
	if err := o.flush(data, "app", false, never); !errors.Is(err, errRest) {
		t.Fatalf("error %v", err)
	}
	eventually(t, "the rest is delivered", func() bool { return o.flush(data, "app", false, encode) == nil })
	for _, topic := range []string{"logs", "late"} {
		if got := len(consumeTopic(t, c.ListenAddrs(), topic).records); got != 5 {
			t.Errorf("%d records in %s", got, topic)
		}
	}
}

// Metadata that has got old is brought in the background: a flush does not wait for a broker that does not answer it.
func TestOldMetadataHoldsUpNothing(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 3), "app")
	var asked atomic.Int32
	release := make(chan struct{})
	c.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if len(r.(*kmsg.MetadataRequest).Topics) > 0 {
			asked.Add(1)
			c.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})
	defer close(release)
	o.topics.get("logs").outdate()
	began := time.Now()
	flush(t, o, chunkOf("b", 3), "app")
	if d := time.Since(began); d > time.Second {
		t.Errorf("a flush took %v", d)
	}
	eventually(t, "metadata is asked for", func() bool { return asked.Load() > 0 })
	if r := o.stats.records(); r.acknowledged != 6 {
		t.Errorf("%+v", r)
	}
}

// A chunk has been taken but for the records of a topic that is missing. Its next attempt panics, as it would in an
// encoder with a bug or in memory that is gone, and the one after it takes the rest, not all records once more.
func TestPanicForgetsNoDelivery(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	encode := byTopic(o, func(i int) string { return []string{"logs", "late"}[i%2] })
	data := chunkOf("a", 10)
	if err := o.flush(data, "app", false, encode); !errors.Is(err, errTopic) {
		t.Fatalf("error %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = o.flush(data, "app", false, func(*scratch, []byte, string) { panic("made up") })
		t.Error("the panic did not arrive")
	}()
	createTopic(t, c, "late", 1)
	eventually(t, "the chunk is done", func() bool { return o.flush(data, "app", false, encode) == nil })
	for _, topic := range []string{"logs", "late"} {
		if n := len(consumeTopic(t, c.ListenAddrs(), topic).records); n != 5 {
			t.Errorf("%d records in %s, want 5", n, topic)
		}
	}
	if n := o.pending.len(); n != 0 {
		t.Errorf("%d chunks pending", n)
	}
}

// Brokers create topics on demand. Records named a topic once, and somebody deleted it: looking after the topics that are
// still in use does not bring it back, and a record that names it does.
func TestDeletedTopicStaysDeleted(t *testing.T) {
	c := broker(t, 1, kfake.AllowAutoTopicCreation())
	o, _ := output(t, c.ListenAddrs(), "metadata_max_age", "100ms")
	to := func(topic, chunk string) {
		t.Helper()
		encode := byTopic(o, func(int) string { return topic })
		eventually(t, "the chunk is done", func() bool { return o.flush(chunkOf(chunk, 1), "app", false, encode) == nil })
	}
	to("once", "a")
	once := o.topics.get("once")
	deleteTopic(t, c, "once")
	eventually(t, "it is seen that the topic is gone", func() bool {
		to("logs", "b")
		once.mu.Lock()
		defer once.mu.Unlock()
		return once.code == kerr.UnknownTopicOrPartition.Code
	})
	if err := o.Health(); err != nil {
		t.Errorf("no record is for the topic, and yet: %v", err)
	}
	createTopic(t, c, "once", 1) // fails where it is back
	deleteTopic(t, c, "once")
	to("once", "c")
	if n := len(consumeTopic(t, c.ListenAddrs(), "once").records); n != 1 {
		t.Errorf("%d records in the topic that is back, want 1", n)
	}
}

// A key's records stay in their order when their topic has a partition more, and new partitions get their part.
func TestPartitionsAreAdded(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 3), "app")
	req := kmsg.NewPtrCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = "logs", 4
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 5000
	if code := admin(t, c, req).(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode; code != 0 {
		t.Fatalf("code %d", code)
	}
	o.topics.get("logs").outdate()
	eventually(t, "records reach the new partitions", func() bool {
		flush(t, o, largeEvent("b", stickyBytes), "app")
		seen := map[int32]bool{}
		for _, r := range consume(t, c.ListenAddrs()).records {
			seen[r.Partition] = true
		}
		return len(seen) == 4
	})
}

// A damaged chunk whose topic is missing is counted when it is taken, not at each attempt.
func TestLossesAreCountedOnce(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	o, _ := output(t, c.ListenAddrs())
	data := append(bytes.Clone(chunkOf("a", 3)), 0xc1)
	for range 3 {
		if err := o.Flush(data, "app", false); !errors.Is(err, errTopic) {
			t.Fatalf("error %v", err)
		}
	}
	if n := o.stats.damaged.Load(); n != 0 {
		t.Errorf("%d damaged events before anything was taken", n)
	}
	createTopic(t, c, "logs", 1)
	flush(t, o, data, "app")
	if n := o.stats.damaged.Load(); n != 1 {
		t.Errorf("%d damaged events, want 1", n)
	}
	consume(t, c.ListenAddrs()).expect(t, 3, "a")
}
