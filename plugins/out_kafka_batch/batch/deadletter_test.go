package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func headersOf(r *kgo.Record) map[string]string {
	h := map[string]string{}
	for _, v := range r.Headers {
		h[v.Key] = string(v.Value)
	}
	return h
}

// small is a broker with topic "logs" that takes no batch of more than 4,000 bytes.
func small(t *testing.T) *kfake.Cluster {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	createTopic(t, c, "logs", 1, "max.message.bytes", "4000")
	return c
}

// A record that is too large becomes a dead letter: the beginning of its value, its key, and headers that say what it
// was. Its neighbours arrive, and the chunk is OK once all of that is acknowledged.
func TestDeadLetter(t *testing.T) {
	c := small(t)
	createTopic(t, c, "dead", 1)
	o, book := output(t, c.ListenAddrs(), "dead_letter_topic", "dead", "dead_letter_max_bytes", "1K", "compression", "none", "message_key_field", "chunk")
	data := append(append(chunkOf("a", 5), largeEvent("poison", 9000)...), chunkOf("b", 5)...)
	flush(t, o, data, "app.web")
	got := consume(t, c.ListenAddrs())
	got.expect(t, 5, "a", "b")

	dead := consumeTopic(t, c.ListenAddrs(), "dead").records
	if len(dead) != 1 {
		t.Fatalf("%d dead letters", len(dead))
	}
	_, value := encodeOne(t, &o.cfg, largeEvent("poison", 9000))
	sum := sha256.Sum256([]byte(value))
	h := headersOf(dead[0])
	id := h["record_id"]
	delete(h, "record_id")
	want := map[string]string{"reason": "too_large", "topic": "logs", "tag": "app.web", "time": "2023-11-14T22:13:20.000Z",
		"original_size": fmt.Sprint(len(value)), "sha256": hex.EncodeToString(sum[:])}
	if fmt.Sprint(h) != fmt.Sprint(want) || len(id) != idTextLen {
		t.Errorf("headers %v and record_id %s\nwant    %v", h, id, want)
	}
	if string(dead[0].Value) != value[:1024] || string(dead[0].Key) != "poison" || dead[0].Timestamp.UnixMilli() != 1700000000000 {
		t.Errorf("key %s, %d bytes, %v", dead[0].Key, len(dead[0].Value), dead[0].Timestamp)
	}
	if r := o.stats.records(); r.taken != 11 || r.acknowledged != 10 || r.dead[reasonTooLarge] != 1 || len(r.dropped) != 0 {
		t.Errorf("%+v", r)
	}
	if book.count("becomes a dead letter") != 1 {
		t.Error("it was not said")
	}
	if o.memory.used.Load() != 0 {
		t.Errorf("%d bytes are still accounted for", o.memory.used.Load())
	}
}

// The topic of dead letters is missing, which somebody can mend: the chunk that has one is RETRY, others are not held
// up, and when the topic is there the letter arrives, once.
func TestDeadLetterTopicComesLater(t *testing.T) {
	c := small(t)
	o, book := output(t, c.ListenAddrs(), "dead_letter_topic", "dead", "flush_timeout", "300ms", "compression", "none")
	data := append(chunkOf("a", 5), largeEvent("poison", 9000)...)
	for range 2 {
		if err := o.Flush(data, "app", false); !errors.Is(err, errTimeout) {
			t.Fatalf("error %v", err)
		}
	}
	flush(t, o, chunkOf("b", 5), "app")
	if err := o.Health(); err == nil || !strings.Contains(err.Error(), "topic dead cannot be written to") {
		t.Errorf("health: %v", err)
	}
	createTopic(t, c, "dead", 1)
	flush(t, o, data, "app")
	consume(t, c.ListenAddrs()).expect(t, 5, "a", "b")
	if n := len(consumeTopic(t, c.ListenAddrs(), "dead").records); n != 1 || book.count("dead letters cannot be written") != 1 {
		t.Errorf("%d dead letters", n)
	}
	eventually(t, "it is healthy", func() bool { return o.Health() == nil })
}

// A dead letter that is refused itself is dropped, counted under why it was one.
func TestRefusedDeadLetter(t *testing.T) {
	c := small(t)
	createTopic(t, c, "dead", 1, "max.message.bytes", "500")
	o, book := output(t, c.ListenAddrs(), "dead_letter_topic", "dead", "compression", "none")
	flush(t, o, append(chunkOf("a", 5), largeEvent("poison", 9000)...), "app")
	consume(t, c.ListenAddrs()).expect(t, 5, "a")
	if r := o.stats.records(); r.dropped[reasonTooLarge] != 1 || sum(r.dead) != 0 || r.acknowledged != 5 {
		t.Errorf("%+v", r)
	}
	if book.count("becomes a dead letter") != 1 || book.count("is dropped") != 1 {
		t.Error("both were not said")
	}
}

// A broker says that no topic can have the name that records gave, when they arrive: they are dead letters.
func TestImpossibleTopicAtProduce(t *testing.T) {
	c := broker(t, 1)
	createTopic(t, c, "odd", 1)
	createTopic(t, c, "dead", 1)
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if len(req.Topics) != 1 || req.Topics[0].Topic != "odd" {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = "odd"
		rp := kmsg.NewProduceResponseTopicPartition()
		rp.ErrorCode = kerr.InvalidTopicException.Code
		rt.Partitions = append(rt.Partitions, rp)
		res.Topics = append(res.Topics, rt)
		return res, nil, true
	})
	o, _ := output(t, c.ListenAddrs(), "dead_letter_topic", "dead")
	flush(t, o, chunkOf("b", 3), "app")
	if err := o.flush(chunkOf("a", 3), "app", false, byTopic(o, func(int) string { return "odd" })); err != nil {
		t.Fatal(err)
	}
	dead := consumeTopic(t, c.ListenAddrs(), "dead").records
	if len(dead) != 3 || headersOf(dead[0])["reason"] != reasonTopic || headersOf(dead[0])["topic"] != "odd" {
		t.Errorf("%d dead letters", len(dead))
	}
	if r := o.stats.records(); r.dead[reasonTopic] != 3 || r.acknowledged != 3 {
		t.Errorf("%+v", r)
	}
}

// A record at which the encoder panicked becomes a dead letter too, with its raw msgpack.
func TestPanicBecomesDeadLetter(t *testing.T) {
	c := broker(t, 1)
	createTopic(t, c, "dead", 1)
	o, _ := output(t, c.ListenAddrs(), "dead_letter_topic", "dead", "dead_letter_max_bytes", "10")
	poison := event(nil, "poison", 0)
	encode := func(s *scratch, data []byte, tag string) {
		o.encoder.walk(s, data, tag, func(s *scratch) {
			isolated(s, o.cfg.deadMaxBytes, func(s *scratch) {
				if bytes.Contains(s.reader.Body, []byte("poison")) {
					panic("made up")
				}
				o.encoder.record(s)
			})
		})
	}
	for _, data := range [][]byte{append(chunkOf("a", 3), poison...), poison} {
		if err := o.flush(data, "app", false, encode); err != nil {
			t.Fatal(err)
		}
	}
	consume(t, c.ListenAddrs()).expect(t, 3, "a")
	dead := consumeTopic(t, c.ListenAddrs(), "dead").records
	sum := sha256.Sum256(poison)
	if len(dead) != 2 || !bytes.Equal(dead[0].Value, poison[:10]) {
		t.Fatalf("%d dead letters", len(dead))
	}
	if h := headersOf(dead[1]); h["reason"] != reasonEncode || h["sha256"] != hex.EncodeToString(sum[:]) || h["original_size"] != fmt.Sprint(len(poison)) || h["time"] != "2023-11-14T22:13:20.500Z" {
		t.Errorf("headers %v", h)
	}
	if r := o.stats.records(); r.taken != 5 || r.acknowledged != 3 || r.dead[reasonEncode] != 2 {
		t.Errorf("%+v", r)
	}
}

// dead_letter_topic is the topic that the record was for: the letter goes there, behind records that are on their way, and
// one that is refused there too is dropped instead of becoming a letter of a letter.
func TestDeadLetterInItsOwnTopic(t *testing.T) {
	for size, want := range map[string]string{"1K": "map[too_large:1] map[]", "8K": "map[] map[too_large:1]"} {
		c := small(t)
		o, _ := output(t, c.ListenAddrs(), "dead_letter_topic", "logs", "dead_letter_max_bytes", size, "compression", "none")
		flush(t, o, append(append(chunkOf("a", 5), largeEvent("poison", 9000)...), chunkOf("b", 5)...), "app")
		r := o.stats.records()
		if got := fmt.Sprint(r.dead, r.dropped); got != want || r.acknowledged != 10 {
			t.Errorf("dead_letter_max_bytes %s: %s, want %s; %d acknowledged", size, got, want, r.acknowledged)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
		if err != nil {
			t.Fatal(err)
		}
		if n := endOffsets(t, ctx, cl, "logs"); n != r.acknowledged+sum(r.dead) {
			t.Errorf("%d records in the topic", n)
		}
		cl.Close()
		cancel()
	}
}

// A tail comes apart into what it was made of, and takes a header more, once.
func TestRecordTail(t *testing.T) {
	f := func(key, value string, headers ...string) {
		t.Helper()
		var h []byte
		if len(headers) > 0 {
			h = append(h, byte(len(headers))) // a varint of half of them
			for i := 0; i < len(headers); i += 2 {
				h = appendHeader(h, headers[i], []byte(headers[i+1]))
			}
		}
		set := &recordSet{}
		set.add(1000, []byte(key), []byte(value), h)
		in := recordReader{rest: set.bytes, firstTime: set.firstTime}
		if !in.next() {
			t.Fatal("no record")
		}
		tail := parseTail(in.tail)
		if string(tail.key) != key || string(tail.value) != value || int(tail.count) != len(headers)/2 {
			t.Errorf("%q %q %d", tail.key, tail.value, tail.count)
		}
		for i := 0; i < len(headers); i += 2 {
			if string(tail.header(headers[i])) != headers[i+1] {
				t.Errorf("header %s", headers[i])
			}
		}
		once, _ := withEventTime(in.tail, 1700000000123)
		got := parseTail(once)
		if string(got.header(eventTimeName)) != "2023-11-14T22:13:20.123000000Z" || string(got.key) != key || string(got.value) != value {
			t.Errorf("with its time: %q", once)
		}
		for i := 0; i < len(headers); i += 2 {
			if string(got.header(headers[i])) != headers[i+1] {
				t.Errorf("header %s is lost", headers[i])
			}
		}
	}
	f("", "")
	f("k", "v", "record_id", "x")
	f(strings.Repeat("k", 300), strings.Repeat("v", 70000), "a", "", "b", strings.Repeat("h", 500))
}

func TestDeadLetterOptions(t *testing.T) {
	for _, options := range [][]string{
		{"dead_letter_topic", "no topic"},
		{"dead_letter_topic", "dead", "dead_letter_max_bytes", "2M"},
	} {
		if _, _, err := parseConfig(getter(options...)); err == nil || !strings.Contains(err.Error(), "for example: dead_letter") {
			t.Errorf("%v: %v", options, err)
		}
	}
}
