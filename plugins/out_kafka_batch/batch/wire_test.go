package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wireRecord is a record as a test wants it in a batch.
type wireRecord struct {
	ms             int64
	key, value, id []byte
}

// hexID is an id like the identifier's.
func hexID(n int) []byte { return fmt.Appendf(nil, "%032x", n) }

// randomRecords are records of all shapes; the same for the same seed.
func randomRecords(seed uint64, n, maxValue int) []wireRecord {
	r := rand.New(rand.NewPCG(seed, 1))
	text := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefgh {}\x00\xff"[r.IntN(13)]
		}
		return b
	}
	records := make([]wireRecord, n)
	for i := range records {
		records[i] = wireRecord{ms: 1700000000000 + r.Int64N(1e7) - 5e6, value: text(r.IntN(maxValue + 1))}
		if r.IntN(3) > 0 {
			records[i].key = text(r.IntN(200))
		}
		if r.IntN(3) > 0 {
			records[i].id = hexID(i)
		}
	}
	return records
}

// idHeader is the headers of a record with that id; nil is none.
func idHeader(id []byte) []byte {
	if id == nil {
		return nil
	}
	return append([]byte(recordIDHeader), id...)
}

func setOf(records []wireRecord) *recordSet {
	s := &recordSet{}
	for _, r := range records {
		s.add(r.ms, r.key, r.value, idHeader(r.id))
	}
	return s
}

// growing is setOf for records that come one by one, so that blocks are compressed on the way.
func growing(c codec, records []wireRecord) *recordSet {
	s := &recordSet{}
	for _, r := range records {
		headers := idHeader(r.id)
		s.room(c, len(r.key)+len(r.value)+len(headers)+32)
		s.add(r.ms, r.key, r.value, headers)
	}
	return s
}

// A set that is compressed on the way is the same set: nothing but blocks of whole records is different. It takes little
// memory, however large it is.
func TestRoom(t *testing.T) {
	f := func(name string, records []wireRecord) {
		for _, c := range allCodecs {
			want, got := setOf(records), growing(c, records)
			if got.size() != len(want.bytes) {
				t.Errorf("%s, %s: %d bytes, want %d", name, c, got.size(), len(want.bytes))
			}
			if c.id == idLZ4 && len(want.bytes) > 2*largeBlock && (got.packed == nil || name == "many" && cap(got.bytes) > largeBlock) {
				t.Errorf("%s, %s: %d bytes are not compressed", name, c, len(got.bytes))
			}
			b := got.seal(c)
			stamp(b, producerID{id: 77, epoch: 3, valid: true}, 1234)
			checkKmsg(t, b[4:], c, records)
			checkKafkaGo(t, b, records)
			back, err := unseal(b)
			if err != nil || !bytes.Equal(back.bytes, want.bytes) || back.count != want.count || back.firstTime != want.firstTime || back.maxTime != want.maxTime {
				t.Errorf("%s, %s: differs: %v", name, c, err)
			}
		}
	}
	f("few", randomRecords(1, 10, 100))
	f("many", randomRecords(2, 5000, 300))
	f("large records", randomRecords(3, 6, 600<<10))
	one := randomRecords(4, 1, 10)
	one[0].value = bytes.Repeat([]byte("large first "), 100000)
	f("a large one, small ones", append(one, randomRecords(5, 3000, 300)...))
}

// Two readers that share no code with the encoder agree on every field of every record.
func TestWireReadBack(t *testing.T) {
	f := func(name string, c codec, records []wireRecord) {
		t.Run(fmt.Sprintf("%s/%s", name, c), func(t *testing.T) {
			b := setOf(records).seal(c)
			stamp(b, producerID{id: 77, epoch: 3, valid: true}, 1234)
			if n := binary.BigEndian.Uint32(b); int(n) != len(b)-4 {
				t.Fatalf("length in front %d, of %d", n, len(b)-4)
			}
			checkKmsg(t, b[4:], c, records)
			checkKafkaGo(t, b, records)
		})
	}
	for _, c := range allCodecs {
		f("one", c, randomRecords(1, 1, 10))
		f("empty value", c, []wireRecord{{ms: 0}})
		f("time from 0 to the end", c, []wireRecord{{ms: math.MaxUint32 * 1000}, {ms: 0}, {ms: math.MaxUint32*1000 + 999}})
		f("many small", c, randomRecords(2, 5000, 40))
		f("over one block", c, randomRecords(3, 300, 2000))
		f("one of 3 MB", c, []wireRecord{{ms: 1, value: bytes.Repeat([]byte("log "), 750_000), id: hexID(1)}})
		f("incompressible", c, []wireRecord{{ms: 1, value: noise(smallBlock - 100)}, {ms: 2, value: noise(largeBlock)}})
		f("exactly a small block", c, []wireRecord{{ms: 1, value: bytes.Repeat([]byte{'x'}, smallBlock-9)}})
	}
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(9, 9))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func checkKmsg(t *testing.T, b []byte, c codec, want []wireRecord) {
	t.Helper()
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if int(k.Length) != len(b)-12 || k.Magic != 2 || k.PartitionLeaderEpoch != -1 || k.FirstOffset != 0 || k.Attributes != int16(c.id) {
		t.Fatalf("header %+v", k)
	}
	if k.CRC != int32(crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli))) {
		t.Fatal("checksum")
	}
	if k.ProducerID != 77 || k.ProducerEpoch != 3 || k.FirstSequence != 1234 || int(k.NumRecords) != len(want) || k.LastOffsetDelta != k.NumRecords-1 {
		t.Fatalf("header %+v", k)
	}
	maxTime := want[0].ms
	for _, w := range want {
		maxTime = max(maxTime, w.ms)
	}
	if k.FirstTimestamp != want[0].ms || k.MaxTimestamp != maxTime {
		t.Fatalf("times %d %d, want %d %d", k.FirstTimestamp, k.MaxTimestamp, want[0].ms, maxTime)
	}
	raw := inflate(t, c, k.Records)
	for i, w := range want {
		var r kmsg.Record
		size, n := binary.Varint(raw)
		if err := r.ReadFrom(raw[:n+int(size)]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		raw = raw[n+int(size):]
		if int(r.OffsetDelta) != i || k.FirstTimestamp+r.TimestampDelta64 != w.ms || r.Attributes != 0 {
			t.Fatalf("record %d: %+v", i, r)
		}
		if (r.Key == nil) != (len(w.key) == 0) || !bytes.Equal(r.Key, w.key) || !bytes.Equal(r.Value, w.value) {
			t.Fatalf("record %d: key %q value %.40q", i, r.Key, r.Value)
		}
		switch {
		case w.id == nil && len(r.Headers) != 0,
			w.id != nil && (len(r.Headers) != 1 || r.Headers[0].Key != "record_id" || !bytes.Equal(r.Headers[0].Value, w.id)):
			t.Fatalf("record %d: headers %v", i, r.Headers)
		}
	}
	if len(raw) != 0 {
		t.Fatalf("%d bytes behind the last record", len(raw))
	}
}

func checkKafkaGo(t *testing.T, b []byte, want []wireRecord) {
	t.Helper()
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		r, err := set.Records.ReadRecord()
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		key, _ := protocol.ReadAll(r.Key)
		value, _ := protocol.ReadAll(r.Value)
		if r.Offset != int64(i) || r.Time.UnixMilli() != w.ms || !bytes.Equal(key, w.key) || !bytes.Equal(value, w.value) {
			t.Fatalf("record %d: %+v", i, r)
		}
		if (w.id != nil) != (len(r.Headers) == 1) || w.id != nil && !bytes.Equal(r.Headers[0].Value, w.id) {
			t.Fatalf("record %d: headers %v", i, r.Headers)
		}
	}
	if _, err := set.Records.ReadRecord(); err != io.EOF {
		t.Fatalf("behind the last record: %v", err)
	}
}

// A batch without a producer says so with -1 in all three fields.
func TestStampWithoutProducer(t *testing.T) {
	b := setOf(randomRecords(1, 3, 10)).seal(codecLZ4)
	stamp(b, producerID{id: 5, epoch: 5}, 9)
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b[4:]); err != nil || k.ProducerID != -1 || k.ProducerEpoch != -1 || k.FirstSequence != -1 {
		t.Fatalf("%v %+v", err, k)
	}
}

// What was sealed comes back to be written anew, byte for byte.
func TestUnseal(t *testing.T) {
	for _, c := range allCodecs {
		want := setOf(randomRecords(4, 2000, 300))
		got, err := unseal(want.seal(c))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.bytes, want.bytes) || got.count != want.count || got.firstTime != want.firstTime || got.maxTime != want.maxTime {
			t.Fatalf("%s: differs", c)
		}
		again, r := &recordSet{}, recordReader{rest: got.bytes, firstTime: got.firstTime}
		for r.next() {
			again.addTail(r.ms, r.tail)
		}
		if !bytes.Equal(again.bytes, want.bytes) || again.maxTime != want.maxTime {
			t.Fatalf("%s: written anew it differs", c)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, c := range allCodecs {
		b.Run(c.String(), func(b *testing.B) {
			e := newEncoder(testConfig(b))
			s := e.get()
			e.encode(s, benchChunk(3000), "app")
			set := &recordSet{}
			for i := range s.entries {
				n := &s.entries[i]
				set.add(n.ms, nil, n.value.of(s.text), n.headers.of(s.text))
			}
			b.SetBytes(int64(len(set.bytes)))
			b.ReportAllocs()
			for b.Loop() {
				w := set.seal(c)
				stamp(w, producerID{}, 0)
				b.ReportMetric(float64(len(w))/float64(len(set.bytes)), "ratio")
				putBuffer(w)
			}
		})
	}
}
