package enrich

import "slices"

// format is a way in which logs carry trace context.
type format uint8

const (
	formatOTel format = iota
	formatW3C
	formatB3
	formatDatadog
	formatXRay
	formatGCP
	formatJaeger
	formatElastic
	formatDynatrace
	formatSentry
	formatOpenTracing
	formatAppInsights
	formatSerilog
	formats
)

var formatNames = [formats]string{"otel", "w3c", "b3", "datadog", "xray", "gcp", "jaeger", "elastic", "dynatrace", "sentry",
	"opentracing", "appinsights", "serilog"}

func (f format) String() string { return formatNames[f] }

// part is what of a trace context a field has.
type part uint8

const (
	partWhole part = iota // everything in one text
	partTrace
	partSpan
	partFlags // whether the trace is sampled, in whatever form
	partDebug // B3's flags, of which 1 means sampled
	partHigh  // the upper half of a trace id of 128 bits
	partOther // another span id, that of a transaction
	parts
)

// traceName is a field's name that means something here. Letter case, hyphens and underscores do not count, as headers
// change them on their way through proxies and loggers: X-B3-TraceId, x_b3_traceid, traceId, trace_id. Only those of
// Application Insights must be as they stand: an operationId is something else to many.
type traceName struct {
	name   string
	format format
	part   part
	header bool // also with http_ in front, as servers name headers in logs, and with headers. where a map was flattened
}

// traceNames are looked up by fold; of one part of one format an earlier name beats a later one.
var traceNames = []traceName{
	{"trace_id", formatOTel, partTrace, false},
	{"span_id", formatOTel, partSpan, false},
	{"trace_flags", formatOTel, partFlags, false},
	{"otel_trace_id", formatOTel, partTrace, false},
	{"otel_span_id", formatOTel, partSpan, false},
	{"otel_trace_sampled", formatOTel, partFlags, false},
	{"trace_sampled", formatOTel, partFlags, false},
	{"traceparent", formatW3C, partWhole, true},
	{"b3", formatB3, partWhole, true},
	{"x-b3-trace-id", formatB3, partTrace, true},
	{"x-b3-span-id", formatB3, partSpan, true},
	{"x-b3-sampled", formatB3, partFlags, true},
	{"x-b3-flags", formatB3, partDebug, true},
	{"dd.trace_id", formatDatadog, partTrace, false},
	{"dd.span_id", formatDatadog, partSpan, false},
	{"x-datadog-trace-id", formatDatadog, partTrace, true},
	{"x-datadog-parent-id", formatDatadog, partSpan, true},
	{"dd.trace_flags", formatDatadog, partFlags, false},
	{"_dd.p.tid", formatDatadog, partHigh, false},
	{"x-datadog-tags", formatDatadog, partHigh, true},
	{"X-Amzn-Trace-Id", formatXRay, partWhole, true},
	{"xray_trace_id", formatXRay, partWhole, false},
	{"logging.googleapis.com/trace", formatGCP, partTrace, false},
	{"logging.googleapis.com/span-id", formatGCP, partSpan, false},
	{"logging.googleapis.com/trace_sampled", formatGCP, partFlags, false},
	{"X-Cloud-Trace-Context", formatGCP, partWhole, true},
	{"uber-trace-id", formatJaeger, partWhole, true},
	{"trace.id", formatElastic, partTrace, false},
	{"span.id", formatElastic, partSpan, false},
	{"trace.flags", formatElastic, partFlags, false},
	{"transaction.id", formatElastic, partOther, false},
	{"dt.trace_id", formatDynatrace, partTrace, false},
	{"dt.span_id", formatDynatrace, partSpan, false},
	{"dt.trace_sampled", formatDynatrace, partFlags, false},
	{"sentry-trace", formatSentry, partWhole, true},
	{"ot-tracer-trace-id", formatOpenTracing, partTrace, true},
	{"ot-tracer-span-id", formatOpenTracing, partSpan, true},
	{"ot-tracer-sampled", formatOpenTracing, partFlags, true},
	{"operation_Id", formatAppInsights, partTrace, false},
	{"operation_ParentId", formatAppInsights, partSpan, false},
	{"@tr", formatSerilog, partTrace, false},
	{"@sp", formatSerilog, partSpan, false},
}

// w3cName is the number of traceparent, datadogTagsName that of the header of which a trace id's upper half is a part.
var w3cName, datadogTagsName = numberOf("traceparent"), numberOf("x-datadog-tags")

func numberOf(name string) uint8 {
	return nameOf(slices.IndexFunc(traceNames, func(n traceName) bool { return n.name == name }))
}

// usualNames are spellings that loggers use, beside those in traceNames: they are found without being folded.
var usualNames = []string{"traceId", "spanId", "TraceId", "SpanId", "traceID", "spanID", "X-B3-TraceId", "X-B3-SpanId",
	"X-B3-Sampled", "otelTraceID", "otelSpanID", "otelTraceSampled", "x-amzn-trace-id", "_X_AMZN_TRACE_ID", "dd"}

// likeNames are what many records have that folds.may cannot tell from the names above. They are found without being
// folded, and mean nothing.
var likeNames = []string{"status", "docker_id", "http_user_agent"}

// container is a field that holds trace fields: a map, or an array of maps. prefix is what stands before the names in
// it; where there is none it holds names as they are, and further containers.
type container struct {
	name, prefix string
	array        bool
}

var containers = []container{
	{"dd", "dd.", false},
	{"dt", "dt.", false},
	{"trace", "trace.", false},
	{"span", "span.", false},
	{"transaction", "transaction.", false},
	{"headers", "", false},
	{"http_headers", "", false},
	{"request_headers", "", false},
	{"http", "", false},
	{"req", "", false},
	{"request", "", false},
	{"mdc", "", false},        // logback
	{"contextMap", "", false}, // log4j 2
	{"scopes", "", true},      // .NET
}

// maxContainers bounds how deep containers are followed, maxScopes how many maps of an array.
const (
	maxContainers = 3
	maxScopes     = 16
)

// Numbers of names: 0 is none, then come traceNames, then containers.
const noName = 0

// containerAt is the container with a number.
func containerAt(id uint8) *container { return &containers[int(id)-len(traceNames)-1] }

func nameOf(i int) uint8      { return uint8(i + 1) }
func containerOf(i int) uint8 { return uint8(len(traceNames) + i + 1) }

func isContainer(id uint8) bool { return int(id) > len(traceNames) }

// longestName bounds the length of a name, as it is written and as it is folded.
const longestName = 48

// fold writes a name without letter case, hyphens and underscores to buf. ok is false for one that is too long.
func fold(buf *[longestName]byte, prefix string, name []byte) (folded []byte, ok bool) {
	if len(prefix)+len(name) > longestName {
		return nil, false
	}
	n := copy(buf[:], prefix)
	for _, c := range name {
		if c-'A' < 26 {
			c |= 0x20
		}
		buf[n] = c
		if c != '-' && c != '_' {
			n++
		}
	}
	return buf[:n], true
}

func foldString(s string) string {
	var buf [longestName]byte
	folded, _ := fold(&buf, "", []byte(s))
	return string(folded)
}

// folds finds names by their folded form.
type folds struct {
	// first and last have by first and by last byte a bit for each length that names have as they are written, the last bit
	// for all lengths from 31 on. Nearly all names that mean nothing end here.
	first, last [256]uint32
	// ends has a bit for each length with each first and last byte, of those that are left.
	ends  [1 << 14 / 64]uint64
	index []folded
	mask  uint32
}

type folded struct {
	text string
	id   uint8
}

// newFolds has every name and container of the formats that are in use.
func newFolds(used func(format) bool) *folds {
	f := &folds{mask: 255}
	f.index = make([]folded, f.mask+1)
	for i, n := range traceNames {
		if used(n.format) {
			f.add(n.name, nameOf(i))
			if n.header {
				f.add("http_"+n.name, nameOf(i))
				f.add("headers."+n.name, nameOf(i))
			}
		}
	}
	for _, name := range usualNames {
		if id := f.find([]byte(foldString(name))); id != noName {
			f.add(name, id)
		}
	}
	for i, c := range containers {
		if c.prefix == "" || slices.ContainsFunc(traceNames, func(n traceName) bool {
			return used(n.format) && len(n.name) > len(c.prefix) && n.name[:len(c.prefix)] == c.prefix
		}) {
			f.add(c.name, containerOf(i))
		}
	}
	return f
}

func (f *folds) add(name string, id uint8) {
	text := foldString(name)
	// As it is written a name is longer by as many hyphens and underscores as it has at the most.
	for n := len(text); n <= len(name); n++ {
		bit := uint32(1) << min(n, 31)
		end := text[len(text)-1]
		for _, c := range []byte{name[0], text[0], upperOf(name[0]), upperOf(text[0])} {
			for _, z := range []byte{end, upperOf(end)} {
				f.first[c] |= bit
				f.last[z] |= bit
				i := endsHash(c, z, n)
				f.ends[i>>6] |= 1 << (i & 63)
			}
		}
	}
	for at := foldHash([]byte(text)) & f.mask; ; at = (at + 1) & f.mask {
		if e := &f.index[at]; e.id == noName {
			*e = folded{text, id}
			return
		} else if e.text == text {
			return
		}
	}
}

func upperOf(c byte) byte {
	if c-'a' < 26 {
		return c - 0x20
	}
	return c
}

// may says that a name can be one of the names. It is not empty.
func (f *folds) may(name []byte) bool {
	i := endsHash(name[0], name[len(name)-1], len(name))
	return f.ends[i>>6]>>(i&63)&1 != 0
}

func endsHash(first, last byte, n int) uint32 {
	return (uint32(first) | uint32(last)<<8 | uint32(n)<<16) * 0x9e3779b1 >> (32 - 14)
}

// find is the number of a folded name, or noName.
func (f *folds) find(text []byte) uint8 {
	if len(text) == 0 {
		return noName
	}
	for at := foldHash(text) & f.mask; ; at = (at + 1) & f.mask {
		if e := &f.index[at]; e.id == noName || e.text == string(text) {
			return e.id
		}
	}
}

func foldHash(text []byte) uint32 {
	n := len(text)
	h := (uint32(n) ^ uint32(text[0])<<8 ^ uint32(text[n-1])<<16 ^ uint32(text[n/2])<<24 ^ uint32(text[n/3])<<12) * 0x9e3779b1
	return h >> 24
}

// lookup is the number of a name as it is written, or noName.
func (f *folds) lookup(prefix string, name []byte) uint8 {
	var buf [longestName]byte
	text, ok := fold(&buf, prefix, name)
	if !ok {
		return noName
	}
	id := f.find(text)
	if id != noName && !isContainer(id) && traceNames[id-1].format == formatAppInsights && traceNames[id-1].name != string(name) {
		return noName
	}
	return id
}
