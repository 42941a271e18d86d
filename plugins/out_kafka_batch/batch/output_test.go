package batch

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"flbgo/shared/chunk"
)

// Many chunks from many goroutines: each arrives once, in its order, with time and id.
func TestDelivers(t *testing.T) {
	c := broker(t, 3)
	o, _ := output(t, c.ListenAddrs())
	var names []string
	var wg sync.WaitGroup
	for w := range 8 {
		for i := range 10 {
			names = append(names, fmt.Sprintf("%d-%d", w, i))
		}
		wg.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("%d-%d", w, i)
				flush(t, o, chunkOf(name, 50), "app."+name)
			}
		})
	}
	wg.Wait()
	got := consume(t, c.ListenAddrs())
	got.expect(t, 50, names...)
	ids := map[string]bool{}
	for _, r := range got.records {
		if r.Timestamp.UnixMilli() < 1700000000500 || r.Timestamp.UnixMilli()%1000 != 500 {
			t.Fatalf("timestamp %v", r.Timestamp)
		}
		if len(r.Headers) != 1 || r.Headers[0].Key != "record_id" || len(r.Headers[0].Value) != 32 {
			t.Fatalf("headers %v", r.Headers)
		}
		ids[string(r.Headers[0].Value)] = true
	}
	if len(ids) != len(got.records) {
		t.Errorf("%d ids for %d records", len(ids), len(got.records))
	}
	if v := string(got.records[0].Value); !strings.HasPrefix(v, `{"@timestamp":17000000`) || !strings.Contains(v, `.5,"n":`) {
		t.Errorf("value %s", v)
	}
}

// What is no record costs nothing: a chunk of damage and group markers only is done with, counted, and said once.
func TestNothingToDeliver(t *testing.T) {
	o, book := output(t, []string{hostPort(1)}) // nobody is asked
	markers := chunk.AppendGroupEnd(chunk.AppendGroupStart(nil, nil, pairs("a", 1)))
	for _, data := range [][]byte{nil, {}, markers, {0xc1}, {0x92, 0xd7}, append(markers, 0x01)} {
		if err := o.Flush(data, "app", false); err != nil {
			t.Errorf("%x: %v", data, err)
		}
	}
	if n := o.stats.damaged.Load(); n != 3 || book.count("damaged events") != 1 {
		t.Errorf("%d damaged, %d lines", n, book.count("damaged events"))
	}
	if r := o.stats.records(); r.taken != 0 {
		t.Errorf("%d records were taken", r.taken)
	}
}

// A record that made the encoder panic is dropped by the flush that goes record by record, and its neighbours arrive.
func TestFlushIsolated(t *testing.T) {
	c := broker(t, 1)
	o, book := output(t, c.ListenAddrs())
	data := append(append(chunkOf("a", 3), event(nil, "poison", 0)...), chunkOf("b", 3)...)
	poisoned := func(s *scratch, data []byte, tag string) {
		o.encoder.walk(s, data, tag, func(s *scratch) {
			isolated(s, 100, func(s *scratch) {
				o.encoder.record(s)
				if bytes.Contains(s.reader.Body, []byte("poison")) {
					panic("made up")
				}
			})
		})
	}
	if err := o.flush(data, "app", false, poisoned); err != nil {
		t.Fatal(err)
	}
	if r := o.stats.records(); r.taken != 7 || r.acknowledged != 6 || r.dropped[reasonEncode] != 1 {
		t.Errorf("%+v", r)
	}
	if book.count("cannot be encoded") != 1 || book.count("made up") != 1 {
		t.Error("not one line")
	}
	if err := o.FlushIsolated(chunkOf("c", 3), "app", false); err != nil {
		t.Fatal(err)
	}
	consume(t, c.ListenAddrs()).expect(t, 3, "a", "b", "c")
}

// lend puts a chunk into memory that can be taken away.
func lend(t *testing.T, data []byte) (lent []byte, takeAway func()) {
	t.Helper()
	m, err := syscall.Mmap(-1, 0, len(data), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	copy(m, data)
	return m[:len(data):len(data)], sync.OnceFunc(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
}

// The host takes a chunk's memory away while its flush waits for the acknowledgement: what is sent is our own copy, and
// nothing looks at the chunk again.
func TestMemoryGoesWhileWaiting(t *testing.T) {
	var n faultNet
	c := broker(t, 1, n.option())
	o, _ := output(t, c.ListenAddrs())
	release := n.holdAll()
	defer release()
	data, takeAway := lend(t, chunkOf("a", 100))
	answer := make(chan error)
	go func() { answer <- o.Flush(data, "app", false) }()
	eventually(t, "a request at the broker", func() bool { held, _ := n.counts(); return held == 1 })
	takeAway()
	release()
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	consume(t, c.ListenAddrs()).expect(t, 100, "a")
}

// The host has taken it away before, or does so while it is encoded: the flush panics, which the host's guard turns into
// RETRY. Nothing of the chunk is taken, nothing is left behind, and the next chunk is delivered.
func TestMemoryIsGone(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs())
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	f := func(name string, flush func(data []byte, takeAway func())) {
		data, takeAway := lend(t, chunkOf("a", 100))
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no fault", name)
				}
			}()
			flush(data, takeAway)
		}()
		takeAway()
		if r := o.stats.records(); r.taken != 0 || o.memory.used.Load() != 0 || o.pending.len() != 0 {
			t.Errorf("%s: %+v, %d bytes, %d entries", name, r, o.memory.used.Load(), o.pending.len())
		}
	}
	f("before", func(data []byte, takeAway func()) {
		takeAway()
		_ = o.Flush(data, "app", false)
	})
	f("while it is encoded", func(data []byte, takeAway func()) {
		_ = o.flush(data, "app", false, func(s *scratch, data []byte, tag string) {
			o.encoder.walk(s, data, tag, func(s *scratch) {
				o.encoder.record(s)
				if len(s.entries) == 50 {
					takeAway()
				}
			})
		})
	})
	f("while it goes record by record", func(data []byte, takeAway func()) {
		takeAway()
		_ = o.FlushIsolated(data, "app", false)
	})
	flush(t, o, chunkOf("b", 10), "app")
	consume(t, c.ListenAddrs()).expect(t, 10, "b")
}

// quiet is a partition whose batches nobody sends.
func quiet(o *Output) *partition { return &partition{t: o.topics.get("logs"), o: o, running: true} }

// appendTo takes a chunk for one partition, as a flush does.
func appendTo(p *partition, data []byte) *delivery {
	s := p.o.encoder.get()
	p.o.encoder.encode(s, data, "app")
	at := touched{p: p}
	for i := range s.entries {
		if i > 0 {
			s.entries[i-1].next = int32(i)
		}
		p.o.memory.used.Add(int64(s.entries[i].size()))
		at.bytes += s.entries[i].size()
	}
	p.o.stats.take(int64(len(s.entries)))
	d := newDelivery(len(s.entries), "app")
	p.append(s, &at, d)
	return d
}

// Batches close at batch_max_bytes and batch_max_records; a record that is larger has one of its own; chunks share them.
func TestBatchBounds(t *testing.T) {
	f := func(name, want string, chunks [][]byte, options ...string) {
		t.Helper()
		o, _ := output(t, []string{hostPort(1)}, options...)
		p := quiet(o)
		for _, data := range chunks {
			appendTo(p, data)
		}
		var got []string
		for _, b := range p.queue {
			got = append(got, fmt.Sprintf("%d records of %d chunks", b.set.count, len(b.parts)))
			if b.set.count > 1 && b.set.size() > o.cfg.batchMaxBytes || int(b.set.count) > int(o.cfg.batchMaxRecords) {
				t.Errorf("%s: a batch of %d records and %d bytes", name, b.set.count, b.set.size())
			}
		}
		if g := strings.Join(got, ", "); g != want {
			t.Errorf("%s: %s, want %s", name, g, want)
		}
	}
	f("shared", "7 records of 2 chunks", [][]byte{chunkOf("a", 3), chunkOf("b", 4)})
	f("records", "5 records of 2 chunks, 2 records of 1 chunks", [][]byte{chunkOf("a", 3), chunkOf("b", 4)}, "batch_max_records", "5")
	large := append(append(chunkOf("a", 1), largeEvent("b", 5000)...), chunkOf("c", 1)...)
	f("bytes", "1 records of 1 chunks, 1 records of 1 chunks, 1 records of 1 chunks", [][]byte{large}, "batch_max_bytes", "2K")
}

// A panic in the goroutine of a partition is an attempt whose outcome is not known: the batch stays and goes again.
func TestPanicWhileSending(t *testing.T) {
	c := broker(t, 1)
	o, book := output(t, c.ListenAddrs())
	p := quiet(o)
	d := appendTo(p, chunkOf("a", 3))
	b := p.next()
	producers := o.producers
	o.producers = nil
	if p.try(b) {
		t.Fatal("settled without an attempt")
	}
	o.producers = producers
	if !p.try(b) || !d.complete() {
		t.Fatal("the next attempt did not settle it")
	}
	if o.stats.panics.Load() != 1 || book.count("panic in send") != 1 || book.count("attempt.go") == 0 {
		t.Error("the panic and its stack were not logged")
	}
	consume(t, c.ListenAddrs()).expect(t, 3, "a")
}

// BenchmarkFlush is a chunk's whole way, with a broker in the same process that throws batches away: the broker's part
// is in the figures, Fluent Bit's is not.
func BenchmarkFlush(b *testing.B) {
	f := func(name string, chunks, records int) {
		b.Run(name, func(b *testing.B) {
			c := broker(b, 4, kfake.BlackholeProduce())
			o, _ := output(b, c.ListenAddrs())
			data := benchChunk(records)
			b.SetBytes(int64(len(data) * chunks))
			b.ReportAllocs()
			for b.Loop() {
				var wg sync.WaitGroup
				for range chunks {
					wg.Go(func() {
						if err := o.Flush(data, "app", false); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*chunks*records), "ns/record")
		})
	}
	f("1 chunk of 5000 records", 1, 5000)
	f("8 chunks of 1000 records", 8, 1000)
	f("8 chunks of 1 record", 8, 1)
}
