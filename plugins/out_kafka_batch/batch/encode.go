package batch

import (
	"bytes"
	"crypto/sha256"
	"os"
	"runtime/debug"
	"sync"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// span is a stretch of scratch.text.
type span struct{ from, to int }

func (s span) of(text []byte) []byte { return text[s.from:s.to:s.to] }

// entry is one encoded record, not yet in a batch.
type entry struct {
	ms                  int64 // the Kafka timestamp
	key, value, headers span  // headers as recordSet.add takes them
	topic               int32 // index into scratch.topics
	partition           int32 // set by assign
	next                int32 // the next entry of the same partition, -1 at its end
}

// scratch holds what a flush encodes, until it is appended to the batches. Pooled; one flush at a time.
type scratch struct {
	text    []byte
	entries []entry
	topics  []string     // of the entries; the first is the default topic, also where no entry has it
	damaged int          // events that are none
	reason  chunk.Reason // of the first of them
	lost    []lost       // records that made the encoder panic, when it runs isolated

	uses       []use     // of topics, by entry.topic; see route
	heads      []int32   // index into touched, by partition; -1: none
	touched    []touched // partitions that get entries
	taken      int       // entries that have a partition
	takenBytes int64     // their size
	rerouted   int       // those that go to the default topic because their own cannot be

	reader chunk.Reader
	fields record.Fields
	body   []byte // a body without its timestamp field
	clock  clock
	ids    identifier
}

// lost is a record that could not be encoded.
type lost struct {
	size     int
	raw      []byte // the event, as much of it as a dead letter has
	sum      [sha256.Size]byte
	panicked any
	stack    []byte
}

// recordIDHeader is a count of one header, its key, and the length of its value, each number a varint.
const recordIDHeader = "\x02" + "\x12record_id" + "\x40"

// maxScratch bounds what goes back to the pool: chunks are about 2 MB, their JSON somewhat more.
const maxScratch = 8 << 20

// encoder turns chunks into keys and values. Safe for concurrent use.
type encoder struct {
	cfg      *config
	member   []byte // `"@timestamp":`
	keyBytes []byte // @timestamp
	host     string
	pool     sync.Pool
}

func newEncoder(cfg *config) *encoder {
	e := &encoder{cfg: cfg, keyBytes: []byte(cfg.timestampKey)}
	e.member = append(record.AppendJSON(nil, msgp.AppendString(nil, cfg.timestampKey)), ':')
	// A host without a name has ids all the same.
	e.host, _ = os.Hostname()
	e.pool.New = func() any {
		return &scratch{ids: identifier{
			host: e.host, pathField: cfg.pathField, offsetField: cfg.offsetField,
		}}
	}
	return e
}

func (e *encoder) get() *scratch { return e.pool.Get().(*scratch) }

// put gives a scratch back. A flush that panics does not: its state is unknown.
func (e *encoder) put(s *scratch) {
	s.reader.Reset(nil) // let go of borrowed memory
	s.fields.Reset(nil)
	s.ids.tag = ""
	if cap(s.text) <= maxScratch {
		e.pool.Put(s)
	}
}

// encode fills s with the chunk's records, in their order. Group markers are not records; damage costs the event that
// has it and is counted. Allocates nothing once s has grown. It panics where the chunk's memory has gone.
func (e *encoder) encode(s *scratch, data []byte, tag string) { e.walk(s, data, tag, e.record) }

// encodeIsolated is encode for a chunk at which encode panicked: a record that panics is left out and noted.
func (e *encoder) encodeIsolated(s *scratch, data []byte, tag string) {
	e.walk(s, data, tag, func(s *scratch) { isolated(s, e.cfg.deadMaxBytes, e.record) })
}

// walk calls record for each record of a chunk.
func (e *encoder) walk(s *scratch, data []byte, tag string, record func(*scratch)) {
	s.text, s.entries, s.damaged, s.lost = s.text[:0], s.entries[:0], 0, s.lost[:0]
	s.topics = append(s.topics[:0], e.cfg.topics[0])
	s.ids.reset(tag)
	s.reader.Reset(data)
	for {
		switch s.reader.Next() {
		case chunk.End:
			return
		case chunk.Record:
			record(s)
		case chunk.Damaged:
			if s.damaged++; s.damaged == 1 {
				s.reason = s.reader.Reason
			}
		}
	}
}

// record encodes the event that the reader stands on.
func (e *encoder) record(s *scratch) {
	body := s.reader.Body
	sec, nsec := s.reader.Sec+int64(s.reader.Nsec/1e9), s.reader.Nsec%1e9
	n := entry{ms: sec*1000 + int64(nsec/1e6), next: -1}
	text := s.text
	if e.cfg.keyed {
		if v, ok := e.cfg.keyField.Find(body); ok {
			n.key.from = len(text)
			text = v.AppendText(text)
			n.key.to = len(text)
		}
	}
	if e.cfg.recordID {
		n.headers.from = len(text)
		text = append(text, recordIDHeader...)
		text = s.ids.append(text, sec, nsec, body)
		n.headers.to = len(text)
	}
	n.value.from = len(text)
	text = append(text, '{')
	if e.cfg.timestamp != timestampOff {
		text = s.clock.append(append(text, e.member...), e.cfg.timestamp, sec, nsec)
		if bytes.Contains(body, e.keyBytes) {
			body = s.without(body, e.keyBytes)
		}
	}
	text = record.AppendJSONFields(text, body, e.cfg.timestamp == timestampOff)
	text = append(text, '}')
	n.value.to = len(text)
	s.text, s.entries = text, append(s.entries, n)
}

// without returns body without its fields of that name; body itself if it has none. Valid until the next call.
func (s *scratch) without(body, name []byte) []byte {
	count, found := 0, false
	for s.fields.Reset(body); s.fields.Next(); count++ {
		if text, ok := s.fields.Key.Text(); ok && bytes.Equal(text, name) {
			found = true
			count--
		}
	}
	if !found {
		return body
	}
	s.body = chunk.AppendMapHeader(s.body[:0], count)
	for s.fields.Reset(body); s.fields.Next(); {
		if text, ok := s.fields.Key.Text(); !ok || !bytes.Equal(text, name) {
			s.body = append(append(s.body, s.fields.Key...), s.fields.Value...)
		}
	}
	return s.body
}

// size is what the record takes in a batch, a little more than exactly.
func (e *entry) size() int {
	const overhead = 32
	return (e.key.to - e.key.from) + (e.value.to - e.value.from) + (e.headers.to - e.headers.from) + overhead
}

// isolated calls record and notes a panic instead of passing it on. A fault in borrowed memory is no record's fault and
// goes on as the panic that it is.
func isolated(s *scratch, keep int, record func(*scratch)) {
	text, entries := len(s.text), len(s.entries)
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // the runtime's error for a fault
			panic(p)
		default:
			s.text, s.entries = s.text[:text], s.entries[:entries]
			raw := s.reader.Raw
			s.lost = append(s.lost, lost{len(raw), bytes.Clone(raw[:min(len(raw), keep)]), sha256.Sum256(raw), p, debug.Stack()})
		}
	}()
	record(s)
}
