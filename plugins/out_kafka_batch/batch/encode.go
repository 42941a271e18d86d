package batch

import (
	"bytes"
	"crypto/sha256"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

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
	text       []byte
	entries    []entry
	topicNames              // topics: of the entries; the first is the default topic, also where no entry has it
	damaged    int          // events that are none
	reason     chunk.Reason // of the first of them
	lost       []lost       // records that made the encoder panic, when it runs isolated
	counts     counts

	uses       []use     // of topics, by entry.topic; see route
	heads      []int32   // index into touched, by partition; -1: none
	touched    []touched // partitions that get entries
	taken      int       // entries that have a partition
	takenBytes int64     // their size
	rerouted   int       // those that go to the default topic because their own cannot be

	reader chunk.Reader
	fields *record.Finder // what is read of the record, by the numbers that the encoder gave
	clock  clock
	ids    identifier

	// Of the chunk.
	now, oldest int64    // ms; the present, and the earliest time that record_time_window allows
	key         span     // message_key
	tag         []byte   // as a member's value
	topic       int32    // of records that have none of their own
	topicWhy    unusable // why that is the default topic
	topical     bool     // records have topics of their own, or there is something to count
	group       *byte    // where the group starts whose JSON is groupText
	groupText   span

	walk                        record.Fields
	name, headerKey, headerName []byte // short-lived
	idText                      []byte // the record's id, where the value has it too
}

// counts are what the encoder notices about records that it encodes all the same, in one chunk.
type counts struct {
	topics         [unusables]int // went to the default topic, by reason
	outsideWindow  int            // have the present time instead of the event's
	rawMissing     int            // are JSON, for want of raw_log_key
	idMissing      int            // have a record_id of our own, for want of the field that it should be
	headersLeftOut int            // headers, not records: over the bounds for one record
	headersNoMap   int            // have something in headers_key that is no map
}

// lost is a record that could not be encoded.
type lost struct {
	size     int
	at       time.Time // the event's
	raw      []byte    // the event, as much of it as a dead letter has
	sum      [sha256.Size]byte
	panicked any
	stack    []byte
}

// maxScratch bounds what goes back to the pool: chunks are about 2 MB, their JSON somewhat more.
const maxScratch = 8 << 20

// encoder turns chunks into entries. What an option needs is worked out when it is made, not for every record. Safe for
// concurrent use.
type encoder struct {
	cfg  *config
	host string
	now  func() time.Time
	pool sync.Pool

	paths   []record.Path // what is read of a record; numbers of fields count here
	members members
	headers headerPlan
	window  uint64 // ms from scratch.oldest on

	template      template
	topicPerChunk bool
	listed        map[string]bool // topics that topic_key may name
	// Numbers of fields, -1 for none.
	topicField, keyField, rawField, pathField, offsetField int
	ignoredField                                           int // number of the first field that record_id ignores
}

// maxAhead is how far in the future a Kafka timestamp may be: brokers refuse more since 4.0
// (message.timestamp.after.max.ms).
const maxAhead = time.Hour

func newEncoder(cfg *config) *encoder {
	e := &encoder{cfg: cfg, now: time.Now, members: newMembers(&cfg.payload), listed: map[string]bool{}}
	// A host without a name has ids all the same.
	e.host, _ = os.Hostname()
	e.window = uint64((cfg.timeWindow + min(cfg.timeWindow, maxAhead)) / time.Millisecond)
	e.template, e.topicPerChunk = slices.Clone(cfg.payload.topic), cfg.payload.topic.perChunk()
	for i := range e.template {
		e.template[i].field = e.number(e.template[i].path)
	}
	for _, t := range cfg.topics {
		e.listed[t] = true
	}
	e.topicField, e.keyField = e.number(cfg.topicKey), e.number(cfg.payload.keyField)
	e.rawField, e.pathField, e.offsetField = -1, -1, -1
	if cfg.format == formatRaw {
		e.rawField = e.number(cfg.rawKey)
	}
	if cfg.recordID {
		e.pathField, e.offsetField = e.number(cfg.payload.pathField), e.number(cfg.payload.offsetField)
		e.ignoredField = len(e.paths)
		e.paths = append(e.paths, cfg.idIgnored...)
	}
	e.headers = newHeaderPlan(&cfg.payload, e.number)
	e.pool.New = func() any {
		s := &scratch{fields: record.NewFinder(e.paths...), ids: identifier{host: e.host}}
		for _, p := range cfg.idIgnored {
			name, _ := p.TopLevel()
			s.ids.ignored = append(s.ids.ignored, name)
		}
		for _, name := range cfg.exclude {
			s.fields.Omit(name, true)
		}
		if cfg.timestamp != timestampOff {
			s.fields.Omit(cfg.timestampKey, true)
		}
		if cfg.tagKey != "" {
			s.fields.Omit(cfg.tagKey, true)
		}
		if cfg.idKey != "" {
			s.fields.Omit(cfg.idKey, true)
		}
		return s
	}
	return e
}

// number gives a field its number, -1 where none was named.
func (e *encoder) number(p record.Path) int {
	if p.String() == "" {
		return -1
	}
	e.paths = append(e.paths, p)
	return len(e.paths) - 1
}

func (e *encoder) get() *scratch { return e.pool.Get().(*scratch) }

// put gives a scratch back. A flush that panics does not: its state is unknown.
func (e *encoder) put(s *scratch) {
	s.reader.Reset(nil) // let go of borrowed memory
	s.fields.Reset(nil)
	s.ids.tag = ""
	s.group = nil
	if cap(s.text) <= maxScratch {
		e.pool.Put(s)
	}
}

// encode fills s with the chunk's records, in their order. Group markers are not records; damage costs the event that
// has it and is counted. Allocates nothing once s has grown. It panics where the chunk's memory has gone.
func (e *encoder) encode(s *scratch, data []byte, tag string) {
	e.begin(s, tag)
	// At once what the JSON of most chunks takes, rather than by growing to it: that leaves five times as much behind.
	s.text = slices.Grow(s.text, min(len(data)+len(data)/2, maxScratch))
	s.reader.Reset(data)
	for {
		var kind chunk.Kind
		if e.cfg.format == formatJSON { // writing it finds the record's end
			kind = s.reader.NextOpen()
		} else {
			kind = s.reader.Next()
		}
		if !e.event(s, kind, e.record) {
			return
		}
	}
}

// encodeIsolated is encode for a chunk at which encode panicked: a record that panics is left out and noted.
func (e *encoder) encodeIsolated(s *scratch, data []byte, tag string) {
	e.walk(s, data, tag, func(s *scratch) { isolated(s, e.cfg.deadMaxBytes, e.record) })
}

// walk calls record for each record of a chunk.
func (e *encoder) walk(s *scratch, data []byte, tag string, record func(*scratch)) {
	e.begin(s, tag)
	s.reader.Reset(data)
	for e.event(s, s.reader.Next(), record) {
	}
}

// event acts on what the reader has found; false at the end.
func (e *encoder) event(s *scratch, kind chunk.Kind, record func(*scratch)) bool {
	switch kind {
	case chunk.End:
		return false
	case chunk.Record:
		record(s)
	case chunk.Damaged:
		if s.damaged++; s.damaged == 1 {
			s.reason = s.reader.Reason
		}
	}
	return true
}

// begin makes s ready for a chunk.
func (e *encoder) begin(s *scratch, tag string) {
	s.text, s.entries, s.damaged, s.lost, s.counts = s.text[:0], s.entries[:0], 0, s.lost[:0], counts{}
	s.group, s.groupText = nil, span{}
	s.now = e.now().UnixMilli()
	s.oldest = s.now - int64(e.cfg.timeWindow/time.Millisecond)
	s.ids.reset(tag)
	s.topicNames.reset(e.cfg.topics[0])
	e.chunkTopic(s)
	s.text = append(s.text, e.cfg.messageKey...)
	s.key = span{0, len(s.text)}
	if e.cfg.tagKey != "" {
		s.tag = msgp.AppendString(s.tag[:0], tag)
		if e.cfg.format != formatMsgpack {
			s.name = append(s.name[:0], s.tag...)
			s.tag = record.AppendJSON(s.tag[:0], s.name)
		}
	}
}

// maxSec is the last second of the year 9999, behind which RFC 3339 has no times and milliseconds come to no good.
const maxSec = 253402300799

// record encodes the event that the reader stands on. The value comes first: on the walk that writes it the fields are
// found that key, topic and headers are made of.
func (e *encoder) record(s *scratch) {
	sec, nsec := s.reader.Sec, s.reader.Nsec
	if nsec >= 1e9 {
		sec, nsec = sec+int64(nsec/1e9), nsec%1e9
	}
	sec = min(sec, maxSec)
	n := entry{ms: sec*1000 + int64(nsec/1e6), key: s.key, topic: s.topic, next: -1}
	n.value.from = len(s.text)
	text, ok := e.appendValue(s, s.text, sec, nsec)
	if !ok { // only where the reader does not know the end either
		e.event(s, s.reader.Next(), e.record)
		return
	}
	n.value.to = len(text)
	late := false
	if e.cfg.sendTime {
		n.ms = s.now
	} else if uint64(n.ms-s.oldest) > e.window {
		late = true
		s.counts.outsideWindow++
		n.ms = s.now
	}
	if e.keyField >= 0 {
		if v, ok := s.fields.Value(e.keyField); ok {
			at := len(text)
			if text = v.AppendText(text); len(text) > at {
				n.key = span{at, len(text)}
			}
		}
	}
	if s.topical {
		n.topic = e.topic(s)
	}
	if e.headers.any || late {
		text, n.headers = e.appendHeaders(s, text, sec, nsec, late)
	}
	s.text, s.entries = text, append(s.entries, n)
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
			s.group = nil
			raw := s.reader.Raw
			at := time.Unix(min(s.reader.Sec, maxSec), int64(s.reader.Nsec))
			s.lost = append(s.lost, lost{len(raw), at, bytes.Clone(raw[:min(len(raw), keep)]), sha256.Sum256(raw), p, debug.Stack()})
		}
	}()
	record(s)
}
