package devkafka

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RefuseTimes makes the broker refuse batches that have a record whose time is further from now than that, with code 32 and
// the records' numbers, as Kafka does with message.timestamp.before.max.ms and message.timestamp.after.max.ms. kfake
// answers a request as a whole: other partitions of such a request are told to come again (code 7).
func (b *Broker) RefuseTimes(window time.Duration) {
	unpack := kgo.DefaultDecompressor()
	b.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		refused := false
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				off, err := outside(unpack, p.Records, window)
				if err != nil {
					return nil, err, true
				}
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode, rp.ErrorRecords = p.Partition, kerr.RequestTimedOut.Code, off
				if len(off) > 0 {
					rp.ErrorCode, refused = kerr.InvalidTimestamp.Code, true
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			res.Topics = append(res.Topics, rt)
		}
		if !refused {
			return nil, nil, false
		}
		return res, nil, true
	})
}

// outside lists the records of a batch whose time is too far from now.
func outside(unpack kgo.Decompressor, raw []byte, window time.Duration) (off []kmsg.ProduceResponseTopicPartitionErrorRecord, err error) {
	var batch kmsg.RecordBatch
	if err := batch.ReadFrom(raw); err != nil {
		return nil, err
	}
	records := batch.Records
	if codec := kgo.CompressionCodecType(batch.Attributes & 7); codec != kgo.CodecNone {
		if records, err = unpack.Decompress(records, codec); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	for i := int32(0); len(records) > 0; i++ {
		size, n := binary.Varint(records)
		if n <= 0 || size < 0 || size > int64(len(records)-n) {
			return nil, errors.New("a record is longer than its batch")
		}
		var r kmsg.Record
		if err := r.ReadFrom(records[:n+int(size)]); err != nil {
			return nil, err
		}
		records = records[n+int(size):]
		if age := now.Sub(time.UnixMilli(batch.FirstTimestamp + r.TimestampDelta64)); age.Abs() > window {
			e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
			e.RelativeOffset = i
			off = append(off, e)
		}
	}
	return off, nil
}
