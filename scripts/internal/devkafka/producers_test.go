package devkafka

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rawProducer sends batches of one record with sequences of the test's choice.
type rawProducer struct {
	t     *testing.T
	id    int64
	epoch int16
}

func newRawProducer(t *testing.T, b *Broker) *rawProducer {
	t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	resp, err := req.RequestWith(t.Context(), client(t, b))
	if err != nil || resp.ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	return &rawProducer{t, resp.ProducerID, resp.ProducerEpoch}
}

// send returns the offset and Kafka's error, nil for none.
func (p *rawProducer) send(b *Broker, sequence int32) (int64, error) {
	p.t.Helper()
	rec := kmsg.Record{Value: []byte("v")}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1)
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, NumRecords: 1,
		ProducerID: p.id, ProducerEpoch: p.epoch, FirstSequence: sequence,
		Records: rec.AppendTo(nil),
	}
	raw := batch.AppendTo(nil)
	batch.Length = int32(len(raw) - 12)
	raw = batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))

	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = raw
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.Partitions = "logs", []kmsg.ProduceRequestTopicPartition{part}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 5000, []kmsg.ProduceRequestTopic{topic}
	// Version 12 is the last with topic names rather than ids.
	seed := client(p.t, b).SeedBrokers()[0]
	req.SetVersion(12)
	resp, err := seed.RetriableRequest(p.t.Context(), &pinned{req})
	if err != nil {
		p.t.Fatal(err)
	}
	got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return got.BaseOffset, kerr.ErrorForCode(got.ErrorCode)
}

// pinned keeps the client from raising the version of a request.
type pinned struct{ *kmsg.ProduceRequest }

func (*pinned) MaxVersion() int16 { return 12 }

// kill returns a copy of the folder as it stands: what a broker finds that was
// killed at this moment.
func kill(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A producer's batch is stored, its acknowledgement is lost with the broker,
// and it comes again. kfake by itself has forgotten the producer and stores
// the batch twice.
func TestKilledBrokerKnowsItsProducers(t *testing.T) {
	dir := t.TempDir()
	topics := []Topic{{"logs", 1}}
	b := start(t, Config{Dir: dir, Topics: topics})
	p := newRawProducer(t, b)
	for seq := range int32(8) {
		if off, err := p.send(b, seq); off != int64(seq) || err != nil {
			t.Fatalf("sequence %d: offset %d, %v", seq, off, err)
		}
	}
	dir = kill(t, dir)
	b = start(t, Config{Dir: dir, Topics: topics})
	for _, seq := range []int32{7, 3, 7} { // within the last five
		if off, err := p.send(b, seq); off != int64(seq) || err != nil {
			t.Errorf("sequence %d again: offset %d, %v; want the first one's and no error", seq, off, err)
		}
	}
	if _, err := p.send(b, 9); err != kerr.OutOfOrderSequenceNumber {
		t.Errorf("a gap: %v, want OUT_OF_ORDER_SEQUENCE_NUMBER", err)
	}
	if off, err := p.send(b, 8); off != 8 || err != nil {
		t.Errorf("the next sequence: offset %d, %v", off, err)
	}
}

// The broker is closed, which saves what it knows of the producers, started
// again and then killed. What it saved is out of date by then: taken for true
// it makes every producer's next batch a gap.
func TestKillAfterACleanRestart(t *testing.T) {
	dir := t.TempDir()
	topics := []Topic{{"logs", 1}}
	b := start(t, Config{Dir: dir, Topics: topics})
	p := newRawProducer(t, b)
	send := func(seq int32) {
		t.Helper()
		if off, err := p.send(b, seq); off != int64(seq) || err != nil {
			t.Fatalf("sequence %d: offset %d, %v", seq, off, err)
		}
	}
	send(0)
	b.Close()
	b = start(t, Config{Dir: dir, Topics: topics})
	send(0) // known from before the Close
	send(1)
	dir = kill(t, dir)
	b = start(t, Config{Dir: dir, Topics: topics})
	send(1)
	send(2)
}

// A kill can cut the last batch of a segment. It was not acknowledged: it goes,
// and its producer sends it again.
func TestCutSegment(t *testing.T) {
	dir := t.TempDir()
	topics := []Topic{{"logs", 1}}
	b := start(t, Config{Dir: dir, Topics: topics})
	p := newRawProducer(t, b)
	for seq := range int32(3) {
		if _, err := p.send(b, seq); err != nil {
			t.Fatal(err)
		}
	}
	for _, cut := range []int64{1, 20} {
		image := kill(t, dir)
		segment := image + "/partitions/logs-0/0.dat"
		info, err := os.Stat(segment)
		if err != nil {
			t.Fatal(err)
		}
		batch := info.Size() / 3
		if err := os.Truncate(segment, info.Size()-batch+cut); err != nil {
			t.Fatal(err)
		}
		b := start(t, Config{Dir: image, Topics: topics})
		for _, seq := range []int32{1, 2, 2} {
			if off, err := p.send(b, seq); off != int64(seq) || err != nil {
				t.Errorf("cut at byte %d, sequence %d: offset %d, %v", cut, seq, off, err)
			}
		}
	}
}

// A long log has several segments, named by their first offset: 10 comes after
// 2.
func TestSegmentsAreReadInOrder(t *testing.T) {
	dir := t.TempDir()
	topics := []Topic{{"logs", 1}}
	b := start(t, Config{Dir: dir, Topics: topics})
	p := newRawProducer(t, b)
	const n = 12
	for seq := range int32(n) {
		if _, err := p.send(b, seq); err != nil {
			t.Fatal(err)
		}
	}
	dir = kill(t, dir)
	part := dir + "/partitions/logs-0/"
	log, err := os.ReadFile(part + "0.dat")
	if err != nil {
		t.Fatal(err)
	}
	size := len(log) / n
	for name, cut := range map[string][]byte{"0": log[:2*size], "2": log[2*size : 10*size], "10": log[10*size:]} {
		if err := os.WriteFile(part+name+".dat", cut, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b = start(t, Config{Dir: dir, Topics: topics})
	for _, seq := range []int32{7, 11, 12} { // the oldest and the youngest of five, and a new one
		if off, err := p.send(b, seq); off != int64(seq) || err != nil {
			t.Errorf("sequence %d: offset %d, %v", seq, off, err)
		}
	}
}
