package fieldmetrics

import (
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"flbgo/shared/record"
)

// An exemplar leads from a series to one of the records behind it: the record's trace_id and span_id, its value and its
// time. A series takes at most one in exemplar_interval and keeps the newest of each bucket.

// The labels of an exemplar.
const (
	traceLabel = "trace_id"
	spanLabel  = "span_id"
)

// OpenMetrics allows 128 characters for the names and values of an exemplar's labels together.
// https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md#exemplars
const (
	maxExemplarRunes = 128
	maxTraceRunes    = maxExemplarRunes - len(traceLabel)
)

// maxExemplars bounds what one series keeps, however many buckets it has.
const maxExemplars = 10

// exemplars are those of one series.
type exemplars struct {
	next int64 // when another one may be taken, by this machine's clock, in ns
	list []exemplar
}

type exemplar struct {
	bucket int
	value  float64
	time   int64 // of the event, in ns
	ids    []byte
	trace  int // ids[:trace] is the trace's, the rest the span's
}

// appendIDs appends the trace and the span of a record and returns the length of the trace's; dst is as it was where the
// record has none that an exemplar can have. An id is never cut: half of one leads nowhere.
func appendIDs(dst []byte, fields *record.Finder, trace, span int) (out []byte, traceLen int) {
	id, runes := readID(fields, trace)
	if runes == 0 || runes > maxTraceRunes {
		return dst, 0
	}
	dst = append(dst, id...)
	if s, n := readID(fields, span); n > 0 && runes+n+len(spanLabel) <= maxTraceRunes {
		dst = append(dst, s...)
	}
	return dst, len(id)
}

// readID is an id that stands as text, and its length in characters; 0 where it is absent, no UTF-8, or the id of no
// trace: all zeros. https://www.w3.org/TR/trace-context/#trace-id
//
// Neither is one with a control character an id. Prometheus (2.42) refuses the whole page where the label of an exemplar
// has a zero byte, and what is logged as a trace_id may be what some client sent.
func readID(fields *record.Finder, path int) (id []byte, runes int) {
	v, ok := fields.Value(path)
	if !ok {
		return nil, 0
	}
	id, ok = v.Text()
	if !ok || len(id) > maxExemplarRunes*utf8.UTFMax {
		return nil, 0
	}
	ascii, zeros := true, true
	for _, c := range id {
		if c < ' ' || c == 0x7f {
			return nil, 0
		}
		ascii = ascii && c < utf8.RuneSelf
		zeros = zeros && c == '0'
	}
	switch {
	case zeros:
		return nil, 0
	case ascii:
		return id, len(id)
	case !utf8.Valid(id):
		return nil, 0
	}
	return id, utf8.RuneCount(id)
}

// offerExemplar takes the ids of a point where the series is due for an exemplar. One that is not newer than the last one,
// in the milliseconds of Prometheus, is not taken: Prometheus refuses it as out of order.
func (r *rule) offerExemplar(s *series, p *point, keys []byte, bucket int, now int64) {
	e := s.exemplars
	if e == nil {
		e = &exemplars{}
		s.exemplars = e
	}
	if now < e.next || p.time/1e6 <= s.newest/1e6 {
		return
	}
	e.next = now + int64(r.exemplarInterval)
	s.newest = p.time
	at := p.from + int(p.size)
	x := e.slot(bucket, r.Kind == nativeHistogram && len(r.buckets) == 0)
	x.bucket, x.value, x.time, x.trace = bucket, p.value, p.time, int(p.trace)
	x.ids = append(x.ids[:0], keys[at:at+int(p.ids)]...)
}

// slot is the place of a bucket's exemplar: its own, a new one, or the oldest one's. always makes every exemplar a new
// one, for histograms whose buckets have no bounds to sort them by.
func (e *exemplars) slot(bucket int, always bool) *exemplar {
	oldest := 0
	for i := range e.list {
		x := &e.list[i]
		if x.bucket == bucket && !always {
			return x
		}
		if x.time < e.list[oldest].time {
			oldest = i
		}
	}
	if len(e.list) < maxExemplars {
		e.list = append(e.list, exemplar{})
		return &e.list[len(e.list)-1]
	}
	return &e.list[oldest]
}

var traceName, spanName = traceLabel, spanLabel

// show is the form in which an exemplar is scraped.
func (x *exemplar) show() *dto.Exemplar {
	ids := string(x.ids)
	trace, span, value := ids[:x.trace], ids[x.trace:], x.value
	out := &dto.Exemplar{
		Label:     []*dto.LabelPair{{Name: &traceName, Value: &trace}},
		Value:     &value,
		Timestamp: &timestamppb.Timestamp{Seconds: x.time / 1e9, Nanos: int32(x.time % 1e9)},
	}
	if span != "" {
		out.Label = append(out.Label, &dto.LabelPair{Name: &spanName, Value: &span})
	}
	return out
}
