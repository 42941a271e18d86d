package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flbgo/shared/chunk"
)

// fuzzOptions are the options of each bit, those of later bits over those of earlier ones.
var fuzzOptions = [...][]string{
	{"add_timestamp", "off"},
	{"timestamp_format", "iso8601_ns"},
	{"timestamp_format", "epoch_ms", "timestamp_key", "k"},
	{"format", "msgpack"},
	{"format", "raw", "raw_log_key", "$k"},
	{"tag_key", "tag"},
	{"exclude_fields", "a,k,$['']"},
	{"include_metadata", "on"},
	{"headers", "static=1,empty="},
	{"header_fields", "k=$k,a=$a['b'],@timestamp=@timestamp"},
	{"headers_key", "k"},
	{"headers_key", "$a['b']"},
	{"trace_headers", "on"},
	{"record_id", "off"},
	{"record_id", "$k"},
	{"topic", "x-$k-$TAG[1]"},
	{"topic_key", "$k", "dynamic_topic", "on"},
	{"topic_key", "k", "dynamic_topic", "off"},
	{"message_key", "static"},
	{"message_key_field", "$k"},
	{"record_time", "now"},
	{"record_time_window", "1m"},
}

// plainRecord is a record as another reader sees it. Its headers are the text key=value of each.
type plainRecord struct {
	ms         int64
	key, value string
	null       bool // there is no key
	headers    []string
}

// FuzzEncode: whatever the bytes and options, nothing panics, every event of the chunk is a record, a marker or damage,
// values are what the format says, topics are valid, going record by record gives the same, and two readers that share
// nothing with this package find in the batch what was encoded.
func FuzzEncode(f *testing.F) {
	all := uint32(1<<len(fuzzOptions) - 1)
	f.Add(chunkOf("seed", 3), uint32(0))
	f.Add(benchChunk(2), uint32(1))
	f.Add(append(chunkOf("cut", 2), 0x92, 0xd7, 0x00), uint32(2))
	f.Add(chunk.AppendGroupEnd(chunk.AppendGroupStart(nil, nil, pairs("a", 1))), all)
	rich := chunk.AppendGroupStart(nil, nil, pairs("g", 1))
	rich = append(rich, modern(pairs("@timestamp", 1, "file", "/x", "offset", 7, "k", "v", "event_group", 1, "tag", 2), pairs("m", 1))...)
	rich = append(rich, modern(pairs("k", pairs("h", 1, "i", nil), "a", pairs("b", pairs("x", "y")), "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "span_id", "00f067aa0ba902b7"), nil)...)
	rich = append(rich, modern(pairs("k", "__x", "k", "a/b"), nil)...)
	for i := range fuzzOptions {
		f.Add(rich, uint32(1)<<i)
		f.Add(rich, all&^(1<<i))
	}
	f.Add(oddChunk(), all&^(1<<13))
	f.Fuzz(func(t *testing.T, data []byte, bits uint32) {
		options := []string{}
		for i, o := range fuzzOptions {
			if bits&(1<<i) != 0 {
				options = append(options, o...)
			}
		}
		cfg, _, err := parseConfig(getter(options...))
		if err != nil {
			return // two of them that exclude each other
		}
		e := newEncoder(&cfg)
		now := time.Unix(1700000030, 0)
		e.now = func() time.Time { return now }
		s := e.get()
		e.encode(s, data, "tag.part")
		checkEvents(t, s, data)
		records := make([]plainRecord, len(s.entries))
		set := &recordSet{}
		for i := range s.entries {
			n := &s.entries[i]
			value, key, headers := n.value.of(s.text), n.key.of(s.text), n.headers.of(s.text)
			checkValue(t, cfg.format, value)
			if topic := s.topics[n.topic]; !validTopic(topic) || topic != "logs" && topic[:1] == "_" && topic[1:2] == "_" {
				t.Fatalf("topic %q", topic)
			}
			records[i] = plainRecord{n.ms, string(key), string(value), len(key) == 0, readHeaders(t, headers)}
			before := len(set.bytes)
			set.add(n.ms, key, value, headers)
			if len(set.bytes)-before > n.size() {
				t.Fatalf("a record of %d bytes was reckoned as %d", len(set.bytes)-before, n.size())
			}
		}
		if len(records) > 0 {
			b := set.seal(codecNone)
			stamp(b, producerID{id: 1, epoch: 1, valid: true}, 5)
			comparePlain(t, "kmsg", plainKmsg(t, b[4:]), records)
			comparePlain(t, "kafka-go", plainKafkaGo(t, b), records)
		}
		text, entries := bytes.Clone(s.text), slices.Clone(s.entries)
		e.encodeIsolated(s, data, "tag.part")
		if !bytes.Equal(text, s.text) || !slices.Equal(entries, s.entries) || len(s.lost) != 0 {
			t.Fatalf("isolated it differs: %d lost", len(s.lost))
		}
	})
}

// checkEvents holds the encoder to the chunk's events.
func checkEvents(t *testing.T, s *scratch, data []byte) {
	t.Helper()
	records, damaged := 0, 0
	var r chunk.Reader
	r.Reset(data)
	for k := r.Next(); k != chunk.End; k = r.Next() {
		switch k {
		case chunk.Record:
			records++
		case chunk.Damaged:
			damaged++
		}
	}
	if len(s.entries) != records || s.damaged != damaged {
		t.Fatalf("%d records and %d damaged, the chunk has %d and %d", len(s.entries), s.damaged, records, damaged)
	}
}

func checkValue(t *testing.T, f format, value []byte) {
	t.Helper()
	switch f {
	case formatJSON:
		if !json.Valid(value) || value[0] != '{' {
			t.Fatalf("no JSON object: %q", value)
		}
	case formatMsgpack:
		if n, ok := chunk.Skip(value); !ok || n != len(value) || value[0]&0xf0 != 0x80 && value[0] != 0xde && value[0] != 0xdf {
			t.Fatalf("no msgpack map: %x", value)
		}
	}
}

func plainKmsg(t *testing.T, b []byte) (records []plainRecord) {
	t.Helper()
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	raw := k.Records
	for range k.NumRecords {
		var r kmsg.Record
		size, n := binary.Varint(raw)
		if err := r.ReadFrom(raw[:n+int(size)]); err != nil {
			t.Fatal(err)
		}
		raw = raw[n+int(size):]
		p := plainRecord{k.FirstTimestamp + r.TimestampDelta64, string(r.Key), string(r.Value), r.Key == nil, nil}
		for _, h := range r.Headers {
			p.headers = append(p.headers, h.Key+"="+string(h.Value))
		}
		records = append(records, p)
	}
	if len(raw) != 0 {
		t.Fatalf("%d bytes behind the last record", len(raw))
	}
	return records
}

func plainKafkaGo(t *testing.T, b []byte) (records []plainRecord) {
	t.Helper()
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	for range binary.BigEndian.Uint32(b[atCount:]) {
		r, err := set.Records.ReadRecord()
		if err != nil {
			t.Fatal(err)
		}
		key, _ := protocol.ReadAll(r.Key)
		value, _ := protocol.ReadAll(r.Value)
		p := plainRecord{r.Time.UnixMilli(), string(key), string(value), r.Key == nil, nil}
		for _, h := range r.Headers {
			p.headers = append(p.headers, h.Key+"="+string(h.Value))
		}
		records = append(records, p)
	}
	return records
}

func comparePlain(t *testing.T, reader string, got, want []plainRecord) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s reads %d records of %d", reader, len(got), len(want))
	}
	for i := range want {
		if g, w := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); g != w {
			t.Fatalf("%s reads record %d as %.500q\nwant %.500q", reader, i, g, w)
		}
	}
}
