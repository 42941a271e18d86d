package batch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Flushes from eight threads while answers are lost, hang and come with errors and leaders move. The host retries as
// Fluent Bit does, with the same bytes, and now and then never comes back. In the end each record is in the log once,
// and at every moment each record that was taken is accounted for.
func TestAccounting(t *testing.T) {
	const threads, perThread, size, rounds = 8, 50, 20, 80
	var n faultNet
	c := broker(t, 4, kfake.NumBrokers(3), n.option())
	o, _ := output(t, c.ListenAddrs(), "flush_timeout", "60ms", "request_timeout", "300ms", "batch_max_records", "64")

	var fault atomic.Int32
	seen := map[string]bool{}
	answerProduce(c, func(p kmsg.ProduceRequestTopicPartition, b kmsg.RecordBatch, res *kmsg.ProduceResponseTopicPartition) bool {
		key := fmt.Sprint(p.Partition, b.ProducerID, b.FirstSequence, b.NumRecords)
		again := seen[key]
		seen[key] = true
		if again && fault.Load() == int32(kerr.MessageTooLarge.Code) {
			return false // it may be in the log: a broker that had room for it then has room now
		}
		res.ErrorCode = int16(fault.Swap(0))
		return res.ErrorCode != 0
	})
	var faults sync.WaitGroup
	faults.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		codes := []*kerr.Error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.UnknownServerError, kerr.CorruptMessage,
			kerr.MessageTooLarge, kerr.TopicAuthorizationFailed, kerr.KafkaStorageError, kerr.RequestTimedOut}
		for range rounds {
			time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
			checkLaw(t, o)
			switch r.IntN(5) {
			case 0:
				n.cutNext(1)
			case 1:
				release := n.holdAll()
				time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
				release()
			case 2:
				if err := c.MoveTopicPartition("logs", r.Int32N(4), r.Int32N(3)); err != nil {
					t.Error(err)
				}
			default:
				fault.Store(int32(codes[r.IntN(len(codes))].Code))
			}
		}
	})

	var names []string
	var wg sync.WaitGroup
	for w := range threads {
		for i := range perThread {
			names = append(names, fmt.Sprintf("%d-%d", w, i))
		}
		wg.Go(func() {
			for i := range perThread {
				data := chunkOf(fmt.Sprintf("%d-%d", w, i), size)
				for {
					err := o.Flush(data, "app", false)
					if err == nil {
						break
					}
					if i%7 == 0 && errors.Is(err, errTimeout) {
						break // the host drops the chunk: its records are on their way
					}
					time.Sleep(time.Millisecond)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	faults.Wait()
	eventually(t, "everything acknowledged", func() bool { return o.stats.records().open == 0 })

	got := consume(t, c.ListenAddrs())
	for _, name := range names {
		if len(got.chunks[name]) != size {
			t.Errorf("chunk %s: %d records in the log, want %d", name, len(got.chunks[name]), size)
		}
	}
	if r := o.stats.records(); r.acknowledged != threads*perThread*size || sum(r.dropped) != 0 {
		t.Errorf("%+v", r)
	}
	if used := o.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes are still accounted", used)
	}
	ids := map[string]bool{}
	for _, r := range got.records {
		ids[string(r.Headers[0].Value)] = true
	}
	if len(ids) != threads*perThread*size {
		t.Errorf("%d record ids for %d records", len(ids), threads*perThread*size)
	}
	held, lost := n.counts()
	t.Logf("%d answers lost, %d held, %d batches sent again, %d written anew, %d new producer ids", lost, held,
		o.stats.resends.Load(), o.stats.splits.Load(), o.stats.newProducer.Load())
}
