package enrich

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// propertyFields are what random records are made of: every name of trace context, values of every format, and what else
// options are about.
var propertyFields, propertyTexts = func() (fields, texts []string) {
	for _, n := range traceNames {
		fields = append(fields, n.name)
	}
	for _, c := range containers {
		fields = append(fields, c.name)
	}
	fields = append(fields, usualNames...)
	fields = append(fields, "level", "severity_number", "status", "log", "message", "msg", "kubernetes", "service", "service.name", "resource",
		"request_id", "a", "b", "c", "d", "e", "host", "labels", "stream", "dd_service", "", "id", "trace_id")
	texts = []string{"", "0", "-", "x", "4bf92f3577b34da6a3ce929d0e0e4736", "4BF92F3577B34DA6A3CE929D0E0E4736", "00f067aa0ba902b7", "463ac35c9f6413ad",
		"14573057136609150318", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
		"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "projects/p/traces/06796866738c859f2f19b7cfb3214824",
		"06796866738c859f2f19b7cfb3214824/74;o=1", "51729f13a64c2ef3:258169797d519815:0:1", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
		"S/kvNXezTaajzpKdDg5HNg==", "APBnqgupArc=", "true", "01", "info", "warning", "7f3a1c5e-9b2d-4e8f-a1b2-c3d4e5f60718",
		`{"level":"warn","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","dd":{"span_id":5}}`, "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
		"\xff\xfe"}
	return fields, texts
}()

func propertyName(r *rand.Rand) string {
	name := propertyFields[r.IntN(len(propertyFields))]
	switch r.IntN(8) {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return strings.ReplaceAll(name, "-", "_")
	}
	return name
}

func propertyMap(r *rand.Rand, b []byte, depth int) []byte {
	n := r.IntN(6)
	if r.IntN(12) == 0 {
		n += 12
	}
	b = chunk.AppendMapHeader(b, n)
	for range n {
		b = propertyValue(r, msgp.AppendString(b, propertyName(r)), depth)
	}
	return b
}

func propertyValue(r *rand.Rand, b []byte, depth int) []byte {
	switch r.IntN(10) {
	case 0, 1:
		if depth > 0 {
			return propertyMap(r, b, depth-1)
		}
	case 2:
		if depth > 0 {
			b = msgp.AppendArrayHeader(b, 2)
			return propertyMap(r, propertyMap(r, b, depth-1), depth-1)
		}
	case 3:
		return appendRandomValue(b, r, 1)
	case 4:
		return msgp.AppendBytes(b, []byte("0123456789abcdef")[:8<<r.IntN(2)])
	}
	return msgp.AppendString(b, propertyTexts[r.IntN(len(propertyTexts))])
}

// propertyOptions are random options that go together more often than not.
func propertyOptions(r *rand.Rand) (lines []string) {
	pick := func(of ...string) {
		if s := of[r.IntN(len(of))]; s != "" {
			lines = append(lines, s)
		}
	}
	pick("naming otel", "naming ecs", "naming datadog")
	pick("layout flat", "layout nested")
	pick("", "", "under resource", "under a")
	pick("on_conflict keep", "on_conflict overwrite")
	pick("", "", "trace off", "trace otel,b3,w3c", "trace datadog", "trace elastic,xray,gcp,jaeger", "trace w3c=$a['b'],otel")
	pick("keep_original off", "keep_original off", "keep_original on")
	pick("", "from_message on", "from_message c")
	pick("", "generate from_field $request_id")
	pick("", "otlp_metadata on")
	pick("", "level off", "level b")
	pick("", "severity_number off", "level_from_status status")
	pick("", "service_from record", "service_from $d,$TAG[1]")
	pick("", "service_name shop", "service_version $TAG[0]")
	pick("", "attributes host.name=h,k8s.pod.name=$labels['a'],x=$c-$TAG,e=1", "attributes service.name=a,service.version=b,level=info")
	pick("", "rename b=c,msg=message", "rename d=trace_id", "rename a=level")
	pick("", "remove stream,e")
	pick("", "durations d=ms")
	return lines
}

// Whatever the record and the options: fields that no option is about are there in their order byte for byte, no name is
// there more often than before, the event keeps its head, and twice is once. Read with vmihailenco/msgpack.
func TestProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	accepted := 0
	for range 1500 {
		options := propertyOptions(r)
		f, err := newOn(systemOf("/nonexistent", "OTEL_RESOURCE_ATTRIBUTES=team=blue,http.x=1"), discard, getter(options...))
		if err != nil {
			continue // names that do not go together
		}
		accepted++
		p := f.plan.Load()
		for range 20 {
			body := propertyMap(r, nil, 3)
			in := chunkOf(r.IntN(2) == 0, body)
			once := apply(f, in, "kube.app")
			fail := func(format string, args ...any) {
				t.Helper()
				show := func(data []byte) string { return string(record.AppendJSON(nil, bodiesOf(data)[0])) }
				t.Fatalf("%q\nin  %s\nout %s\n%s", options, show(in), show(once), fmt.Sprintf(format, args...))
			}
			var x, y chunk.Reader
			x.Reset(in)
			y.Reset(once)
			x.Next()
			if y.Next() != chunk.Record || len(y.Raw) != len(once) || !sameHead(&x, &y, f.config.Metadata) {
				fail("is no longer one record with its head")
			}
			before, err1 := readModel(x.Body)
			after, err2 := readModel(y.Body)
			if err1 != nil || err2 != nil {
				fail("cannot be decoded: %v, %v", err1, err2)
			}
			untouched := func(fields []modelField) []modelField {
				return slices.DeleteFunc(slices.Clone(fields), func(m modelField) bool { return m.name != "" && p.find([]byte(m.name)) != none })
			}
			a, b := untouched(before), untouched(after)
			if !slices.EqualFunc(a, b, func(a, b modelField) bool { return a.name == b.name && a.raw == b.raw }) {
				fail("other fields changed: %+q became %+q", a, b)
			}
			for _, m := range after {
				count := func(fields []modelField) (n int) {
					for _, f := range fields {
						if f.name == m.name {
							n++
						}
					}
					return n
				}
				sources := 1
				for _, move := range append(slices.Clone(p.renames), p.durations...) {
					if p.slots[move.to].name == m.name {
						for _, f := range before {
							if f.name == p.slots[move.from].name {
								sources++ // a field that stood twice keeps doing so under its new name
							}
						}
					}
				}
				if n := count(after); n > max(count(before), sources) {
					fail("%s is there %d times", m.name, n)
				}
			}
			if twice := apply(f, once, "kube.app"); !bytes.Equal(twice, once) {
				fail("a second pass makes\n    %s", record.AppendJSON(nil, bodiesOf(twice)[0]))
			}
		}
		f.Close()
	}
	if accepted < 400 {
		t.Errorf("only %d configurations were tried", accepted)
	}
}
