package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answerProduce makes the broker answer the next produce request as f says, for each of its partitions, instead of
// handling it. f sees the batch and returns whether it answers.
func answerProduce(c *kfake.Cluster, f func(p kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.ProduceRequest)
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				var b kmsg.RecordBatch
				if err := b.ReadFrom(p.Records); err != nil {
					return nil, err, true
				}
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition = p.Partition
				if !f(p, b, &rp) {
					return nil, nil, false
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			res.Topics = append(res.Topics, rt)
		}
		c.KeepControl()
		return res, nil, true
	})
}

// Every error code that a broker can answer with, and some that none knows yet, has a class, and for each of them a
// batch of several records is delivered once when the broker answers it once and then works.
func TestEveryErrorCode(t *testing.T) {
	want := map[verdict][]int16{
		acked:       {0, 46},
		resend:      {7, 19, 20, 89},
		resendStale: {3, 5, 6, 8, 9, 13, 56, 74, 75, 100, 103},
		corrupt:     {2},
		newProducer: {45, 47, 49, 59, 90},
		split:       {10, 18},
		isolate:     {87},
		newTime:     {32},
		operatorCase: {17, 21, 29, 30, 31, 33, 34, 35, 40, 42, 43, 44, 53, 54, 55, 58, 61, 62, 63, 64, 65, 66, 76,
			97},
	}
	classOf := map[int16]verdict{}
	for v, codes := range want {
		for _, code := range codes {
			classOf[code] = v
		}
	}
	codes := []int16{-1, 9999}
	for code := int16(0); code <= 140; code++ {
		codes = append(codes, code)
	}
	for _, code := range codes {
		if _, ok := classOf[code]; !ok {
			classOf[code] = unknownCode
		}
		if got := classify(code); got != classOf[code] {
			t.Errorf("code %d: %s, want %s", code, got, classOf[code])
		}
	}

	c := broker(t, 1)
	var next atomic.Int32 // the code to answer with, 0: handle the request
	var unknown atomic.Int32
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		res.ErrorCode = int16(next.Swap(0))
		return res.ErrorCode != 0
	})
	o, _ := output(t, c.ListenAddrs())
	var names []string
	for _, code := range codes {
		if classOf[code] == acked {
			continue // the broker says that it has them
		}
		if classOf[code] == unknownCode {
			unknown.Add(1)
		}
		next.Store(int32(code))
		names = append(names, fmt.Sprint("c", code))
		flush(t, o, chunkOf(names[len(names)-1], 3), "app")
	}
	consume(t, c.ListenAddrs()).expect(t, 3, names...)
	if n := o.stats.unknown.Load(); n != int64(unknown.Load()) {
		t.Errorf("%d answers were counted as unknown, want %d", n, unknown.Load())
	}
	if n := o.stats.newProducer.Load(); n != int64(len(want[newProducer])) {
		t.Errorf("%d new producer ids, want %d", n, len(want[newProducer]))
	}
	if r := o.stats.records(); sum(r.dropped) != 0 {
		t.Errorf("dropped %v", r.dropped)
	}
}

// Too few replicas are in sync, for longer than a restart takes: nothing of it reaches the log of a flush, which only
// times out, so the partition says what the broker says, once, and delivers when it passes.
func TestLastingRefusalIsSaid(t *testing.T) {
	for _, code := range []int16{kerr.NotEnoughReplicas.Code, kerr.KafkaStorageError.Code} {
		c := broker(t, 1)
		var asked atomic.Int32
		answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
			res.ErrorCode = code
			return asked.Add(1) <= quietFailures+3
		})
		o, book := output(t, c.ListenAddrs())
		flush(t, o, chunkOf("a", 3), "app")
		consume(t, c.ListenAddrs()).expect(t, 3, "a")
		if n := book.count("does not take a batch for now"); n != 1 || book.count(explain(code)) != 1 {
			t.Errorf("code %d: said %d times", code, n)
		}
	}
}

// 46 is the answer to a batch that an earlier attempt appended: done.
func TestDuplicateIsSuccess(t *testing.T) {
	c := broker(t, 1)
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		res.ErrorCode = kerr.DuplicateSequenceNumber.Code
		return true
	})
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 3), "app")
	if o.stats.resends.Load() != 0 {
		t.Error("it was sent again")
	}
}

// What comes instead of a response.
func TestClassifyError(t *testing.T) {
	f := func(err error, want failure) {
		t.Helper()
		if got := classifyError(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	f(errNoLeader, failStale)
	f(fmt.Errorf("produce: %w", errNoLeader), failStale)
	f(kafka.BrokerNotAvailable, failStale)
	f(kafka.SASLAuthenticationFailed, failOperator)
	f(fmt.Errorf("negotiating: %w", kafka.UnsupportedVersion), failOperator)
	f(io.ErrUnexpectedEOF, failNetwork)
	f(context.DeadlineExceeded, failNetwork)
	f(errors.New("anything else"), failNetwork)
}

// A topic accepts less than a batch has. The batch goes in halves until they fit; the record that is too large alone is
// dropped, counted and logged, and its chunk is done with.
func TestTooLargeIsSplit(t *testing.T) {
	c := broker(t, 1)
	createTopic(t, c, "small", 1, "max.message.bytes", "2000")
	o, book := output(t, c.ListenAddrs(), "topics", "small", "compression", "none")
	data := chunkOf("a", 40)
	data = append(data, largeEvent("huge", 5000)...)
	data = append(data, chunkOf("b", 40)...)
	flush(t, o, data, "app")
	r := o.stats.records()
	if r.acknowledged != 80 || r.dropped[reasonTooLarge] != 1 || r.open != 0 {
		t.Errorf("%+v", r)
	}
	if book.count("cannot be delivered and is dropped") != 1 || book.count("reason=too_large") != 1 || book.count("set batch_max_bytes below") != 1 {
		t.Error("not one line each")
	}
	if used := o.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes are still accounted", used)
	}
}

// A broker closes the connection on a request that is larger than it reads (socket.request.max.bytes), as often as it
// comes: a record that needs one would be sent for ever, and hold up its partition. It is not sent at all. Its neighbours
// are, in halves of their batch.
func TestRequestIsTooLarge(t *testing.T) {
	c := broker(t, 1)
	var largest atomic.Int64
	answerProduce(c, func(p kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, _ *kmsg.ProduceResponseTopicPartition) bool {
		largest.Store(max(largest.Load(), int64(requestSize("fluent-bit", "logs", 4+len(p.Records)))))
		return false
	})
	const limit = 4000
	o, book := output(t, c.ListenAddrs(), "request_max_bytes", "4000", "batch_max_bytes", "4000", "compression", "none")
	data := append(append(chunkOf("a", 40), largeEvent("huge", limit)...), chunkOf("b", 40)...)
	flush(t, o, data, "app")
	if r := o.stats.records(); r.acknowledged != 80 || r.dropped[reasonTooLarge] != 1 || r.open != 0 {
		t.Errorf("%+v", r)
	}
	if n := largest.Load(); n > limit || n < limit/3 {
		t.Errorf("the largest request has %d bytes", n)
	}
	if book.count("request_max_bytes") < 2 { // the options, and the record
		t.Error("nothing says what to look at")
	}
	consume(t, c.ListenAddrs()).expect(t, 40, "a", "b")
}

// The answer to a batch is lost, and then the broker calls it too large: only then it is taken apart. Nothing of it is
// in the log twice.
func TestNoSplitWithoutAnAnswer(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	var attempt atomic.Int32
	var sizes []int32
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		sizes = append(sizes, b.NumRecords)
		if attempt.Add(1) > 2 {
			return false
		}
		res.ErrorCode = kerr.MessageTooLarge.Code
		return true
	})
	n.cutNext(1)
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 8), "app")
	consume(t, c.ListenAddrs()).expect(t, 8, "a")
	if got := fmt.Sprint(sizes); got != "[8 8 4 4]" {
		t.Errorf("records per request: %s", got)
	}
}

// A broker finds a record invalid and says which; its neighbours arrive. Where it does not say, it is found by halves.
func TestInvalidRecordIsIsolated(t *testing.T) {
	f := func(name string, say bool) {
		t.Run(name, func(t *testing.T) {
			c := broker(t, 1)
			answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
				for i, v := range values(t, b) {
					if v == "poison" {
						res.ErrorCode = kerr.InvalidRecord.Code
						if say {
							e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
							e.RelativeOffset = int32(i)
							res.ErrorRecords = append(res.ErrorRecords, e)
						}
					}
				}
				return res.ErrorCode != 0
			})
			o, book := output(t, c.ListenAddrs())
			data := append(append(chunkOf("a", 5), event(nil, "poison", 0)...), chunkOf("b", 5)...)
			flush(t, o, data, "app")
			consume(t, c.ListenAddrs()).expect(t, 5, "a", "b")
			if r := o.stats.records(); r.dropped[reasonInvalid] != 1 || r.acknowledged != 10 {
				t.Errorf("%+v", r)
			}
			if book.count("reason=invalid_record") != 1 {
				t.Error("not one line")
			}
		})
	}
	f("named", true)
	f("not named", false)
}

// A compacted topic refuses records without a key. Where the configuration names none that is no record's fault: it
// waits for somebody to mend it, and nothing is dropped.
func TestCompactedTopicIsAnOperatorsCase(t *testing.T) {
	c := broker(t, 1)
	var mended atomic.Bool
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		msg := "Compacted topic cannot accept message without key in topic partition logs-0."
		res.ErrorCode, res.ErrorMessage = kerr.InvalidRecord.Code, &msg
		return !mended.Load()
	})
	o, book := output(t, c.ListenAddrs(), "flush_timeout", "300ms")
	if err := o.Flush(chunkOf("a", 5), "app", false); !errors.Is(err, errTimeout) {
		t.Fatal(err)
	}
	if book.count("somebody has to mend") != 1 {
		t.Error("not one line")
	}
	mended.Store(true)
	flush(t, o, chunkOf("a", 5), "app")
	consume(t, c.ListenAddrs()).expect(t, 5, "a")
}

// A broker calls batches corrupt. While it does so for everything, nothing is dropped: the line is bad, not the records.
// When it accepts others, the one that it does not is found and dropped.
func TestCorrupt(t *testing.T) {
	c := broker(t, 1)
	var all atomic.Bool
	all.Store(true)
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		bad := all.Load()
		for _, v := range values(t, b) {
			bad = bad || v == "poison"
		}
		if bad {
			res.ErrorCode = kerr.CorruptMessage.Code
		}
		return bad
	})
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "100ms")
	data := append(append(chunkOf("a", 2), event(nil, "poison", 0)...), chunkOf("b", 2)...)
	if err := o.Flush(data, "app", false); !errors.Is(err, errTimeout) {
		t.Fatal(err)
	}
	if err := o.Flush(event(nil, "poison", 1), "app", false); !errors.Is(err, errTimeout) {
		t.Fatal(err)
	}
	eventually(t, "single records that were refused three times", func() bool { return o.stats.splits.Load() >= 2 && o.stats.resends.Load() > 12 })
	if r := o.stats.records(); sum(r.dropped) != 0 {
		t.Fatalf("dropped %v", r.dropped)
	}
	all.Store(false)
	flush(t, o, data, "app")
	flush(t, o, chunkOf("after", 2), "app") // goes before the second one, which then is found out
	flush(t, o, event(nil, "poison", 1), "app")
	if r := o.stats.records(); r.acknowledged != 6 || r.dropped[reasonCorrupt] != 2 {
		t.Errorf("%+v", r)
	}
	got := consume(t, c.ListenAddrs())
	if len(got.records) != 6 || len(got.chunks["a"]) != 2 || len(got.chunks["b"]) != 2 {
		t.Errorf("%v", got.chunks)
	}
}

// A broker refuses the event's time. The records that it names, or else all of them, go with the present time; the
// payload keeps the event's.
func TestInvalidTimestamp(t *testing.T) {
	f := func(name string, say bool, restamped int64) {
		t.Run(name, func(t *testing.T) {
			c := broker(t, 1)
			answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
				for i, r := range unpack(t, b) {
					if b.FirstTimestamp+r.TimestampDelta64 == 1700000001500 {
						res.ErrorCode = kerr.InvalidTimestamp.Code
						if say {
							e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
							e.RelativeOffset = int32(i)
							res.ErrorRecords = append(res.ErrorRecords, e)
						}
					}
				}
				return res.ErrorCode != 0
			})
			o, _ := output(t, c.ListenAddrs())
			flush(t, o, chunkOf("a", 3), "app")
			consume(t, c.ListenAddrs()).expect(t, 3, "a")
			if n := o.stats.restamped.Load(); n != restamped {
				t.Errorf("%d records have the present time, want %d", n, restamped)
			}
		})
	}
	f("named", true, 1)
	f("not named", false, 3)
}

// The present time is refused too: nothing is dropped and nothing spins, somebody's clock has to be mended.
func TestPresentTimeIsRefused(t *testing.T) {
	c := broker(t, 1)
	var mended atomic.Bool
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, _ kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		res.ErrorCode = kerr.InvalidTimestamp.Code
		return !mended.Load()
	})
	o, book := output(t, c.ListenAddrs(), "flush_timeout", "300ms")
	if err := o.Flush(chunkOf("a", 3), "app", false); !errors.Is(err, errTimeout) {
		t.Fatal(err)
	}
	if book.count("somebody has to mend") != 1 || o.stats.splits.Load() != 1 {
		t.Error("not one line, or written anew more than once")
	}
	mended.Store(true)
	flush(t, o, chunkOf("a", 3), "app")
}

// The broker has forgotten the producer, and the batch before was acknowledged: a new id for this partition only, from
// sequence 0, and the same records.
func TestNewProducerID(t *testing.T) {
	c := broker(t, 2)
	type sent struct {
		partition, sequence int32
		producer            int64
	}
	var log []sent
	var forget atomic.Bool
	answerProduce(c, func(p kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		log = append(log, sent{p.Partition, b.FirstSequence, b.ProducerID})
		if forget.CompareAndSwap(true, false) {
			res.ErrorCode = kerr.UnknownProducerID.Code
			return true
		}
		return false
	})
	o, book := output(t, c.ListenAddrs(), "message_key_field", "chunk")
	a, b := "a", "d" // of two partitions, by CRC-32
	flush(t, o, chunkOf(a, 3), "app")
	flush(t, o, chunkOf(b, 3), "app")
	forget.Store(true)
	flush(t, o, event(nil, a, 3), "app")
	flush(t, o, event(nil, a, 4), "app")
	flush(t, o, event(nil, b, 3), "app")
	got := consume(t, c.ListenAddrs())
	if len(got.chunks[a]) != 5 || len(got.chunks[b]) != 4 {
		t.Fatalf("%v", got.chunks)
	}
	if log[0].partition == log[1].partition || log[0].producer != log[1].producer {
		t.Fatalf("not two partitions with one producer id: %v", log)
	}
	want := []sent{log[0], log[1],
		{log[0].partition, 3, log[0].producer}, // refused
		{log[0].partition, 0, log[3].producer},
		{log[0].partition, 1, log[3].producer},
		{log[1].partition, 3, log[1].producer}}
	if fmt.Sprint(log) != fmt.Sprint(want) || log[3].producer == log[0].producer {
		t.Errorf("sent %v\nwant %v", log, want)
	}
	if book.count("new producer id") != 1 {
		t.Error("not one line")
	}
}

// The cluster gives out no producer ids to this client: it writes without, and says so once.
func TestWithoutIdempotence(t *testing.T) {
	c := broker(t, 3)
	c.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		res.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return res, nil, true
	})
	o, book := output(t, c.ListenAddrs())
	for i := range 3 {
		flush(t, o, chunkOf(fmt.Sprint("c", i), 3), "app")
	}
	got := consume(t, c.ListenAddrs())
	got.expect(t, 3, "c0", "c1", "c2")
	if got.records[0].ProducerID != -1 || book.count("idempotently") != 1 {
		t.Errorf("producer id %d", got.records[0].ProducerID)
	}
}

// The coordinator that gives out producer ids is still starting, or answers with something nobody knows: asked again.
func TestProducerIDIsAskedAgain(t *testing.T) {
	c := broker(t, 1)
	for _, code := range []int16{14, 15, 58, 7777} {
		c.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
			res := r.ResponseKind().(*kmsg.InitProducerIDResponse)
			res.ErrorCode = code
			return res, nil, true
		})
	}
	o, book := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 3), "app")
	consume(t, c.ListenAddrs()).expect(t, 3, "a")
	if o.stats.unknown.Load() != 1 || book.count("somebody has to mend") != 1 {
		t.Errorf("%d unknown answers", o.stats.unknown.Load())
	}
}

// Sequences are 31 bits wide and start over.
func TestSequenceWraps(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 1), "app")
	p := o.topics.get("logs").partitions[0]
	eventually(t, "the partition's goroutine has ended", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return !p.running })
	p.sequence = 1<<31 - 2
	for _, want := range []int32{1, 4} {
		p.acknowledge(&batch{parts: []part{{newDelivery(3, "app"), 3, ""}}})
		if p.sequence != want {
			t.Errorf("sequence %d, want %d", p.sequence, want)
		}
	}
}

// A batch of one record is appended and its answer lost; then the topic's limit shrinks, the same bytes are refused as
// too large and the record counts as dropped. The next batch of one record must not go under the sequence that this one
// had: the broker would take it for the same and throw it away.
func TestDroppedBatchTakesItsSequenceAlong(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	var attempt atomic.Int32
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		res.ErrorCode = kerr.MessageTooLarge.Code
		return attempt.Add(1) == 2
	})
	n.cutNext(1)
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("refused", 1), "app")
	flush(t, o, chunkOf("next", 1), "app")
	consume(t, c.ListenAddrs()).expect(t, 1, "refused", "next")
	if r := o.stats.records(); r.dropped[reasonTooLarge] != 1 || r.acknowledged != 1 {
		t.Errorf("%+v", r)
	}
}

// A batch is appended, its answer lost, and the broker refuses the same bytes for their time. With other times it is
// still the same batch, and recognised.
func TestRestampedBatchKeepsItsSequence(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	var attempt atomic.Int32
	answerProduce(c, func(_ kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		res.ErrorCode = kerr.InvalidTimestamp.Code
		return attempt.Add(1) == 2
	})
	n.cutNext(1)
	o, _ := output(t, c.ListenAddrs())
	flush(t, o, chunkOf("a", 3), "app")
	flush(t, o, chunkOf("b", 3), "app")
	consume(t, c.ListenAddrs()).expect(t, 3, "a", "b")
	if o.stats.restamped.Load() != 3 || o.stats.newProducer.Load() != 0 {
		t.Errorf("%d restamped, %d new producer ids", o.stats.restamped.Load(), o.stats.newProducer.Load())
	}
}
