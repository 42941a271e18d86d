package enrich

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// FuzzApply runs arbitrary bytes through every option set. Nothing panics; what is no record survives byte for byte, in
// its place; every record survives with its time and metadata, and as many fields as it should have; a second pass
// changes nothing.
func FuzzApply(f *testing.F) {
	add := func(data []byte) { f.Add(data, "app.x") }
	for _, json := range []string{`{}`, benchRecord, `{"a":1}`, `{"msg":"m","message":2,"severity":"warning"}`,
		`{"latency":"1m2.5s","request_time":0.12,"status":"404","http":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}`,
		`{"kubernetes":{"pod_name":"a-1","labels":{"app.kubernetes.io/name":"shop"}},"service":{"name":"x"},"dd":{"trace_id":"14573057136609150318"}}`,
		`{"headers":{"X-B3-TraceId":"463ac35c9f6413ad48485a3953bb6124","X-B3-SpanId":"a2fb4a1d1a96d312"},"scopes":[{"TraceId":"x"},[1]],"trace":{"id":1}}`,
		`{"message":"{\"level\":\"warn\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}","request_id":"7f3a1c5e-9b2d-4e8f-a1b2-c3d4e5f60718"}`,
		`{"trace_id":"-","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","level":" audit "}`} {
		body := msgpackOf(f, json)
		add(chunk.AppendEvent(nil, 1, 2, msgpackOf(f, `{"otlp":{"span_id":"x"},"otlp":{"a":1},"b":2}`), body, true))
		add(chunkOf(true, body, body))
		add(append(chunk.AppendGroupEnd(chunkOf(false, body)), chunkOf(true, body)...))
		add(chunkOf(true, body, body)[:len(body)+20])
	}
	hungry := []byte{0x92, 0x92, 0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x81, 0xa1, 'm', 0xd9, 90}
	add(append(hungry, chunkOf(true, msgpackOf(f, `{"a":1}`))...))
	add([]byte{0xc1, 0xdf, 0xff, 0xff, 0xff, 0xff})
	var filters []*Filter
	for _, options := range append(optionSets, benchOptions) {
		filters = append(filters, newFilter(f, options...))
	}
	f.Fuzz(func(t *testing.T, data []byte, tag string) {
		if len(data) > 1<<12 {
			return // the reader's patience with damage depends on the size from there on
		}
		before := bytes.Clone(data)
		for i, filter := range filters {
			once := apply(filter, data, tag)
			if !bytes.Equal(data, before) {
				t.Fatalf("filter %d wrote to its input", i)
			}
			var in, out chunk.Reader
			in.Reset(data)
			out.Reset(once)
			for {
				kind := in.Next()
				if got := out.Next(); got != kind {
					t.Fatalf("filter %d: a %v became a %v\nin  % x\nout % x", i, kind, got, data, once)
				}
				if kind == chunk.End {
					break
				}
				if kind != chunk.Record && !bytes.Equal(in.Raw, out.Raw) || !sameHead(&in, &out, filter.config.Metadata) {
					t.Fatalf("filter %d: a %v changed\nin  % x\nout % x", i, kind, in.Raw, out.Raw)
				}
			}
			if twice := apply(filter, once, tag); !bytes.Equal(twice, once) {
				t.Fatalf("filter %d: a second pass changes\n% x\nto\n% x", i, once, twice)
			}
		}
	})
}

// sameHead says that two events have the same head, where metadata may have been added but for the member otlp.
func sameHead(in, out *chunk.Reader, metadata bool) bool {
	if !metadata {
		return bytes.Equal(in.Head, out.Head)
	}
	without := func(m []byte) (members []byte) {
		var f record.Fields
		for f.Reset(m); f.Next(); {
			if key, ok := f.Key.Text(); !ok || string(key) != otlpMap {
				members = append(append(members, f.Key...), f.Value...)
			}
		}
		return members
	}
	n := len(in.Head) - len(in.Metadata)
	return len(out.Head)-len(out.Metadata) == n && bytes.Equal(in.Head[:n], out.Head[:n]) && bytes.Equal(without(in.Metadata), without(out.Metadata))
}

// FuzzMessage reads arbitrary text as a message: nothing panics, the message stays, and a second pass changes nothing.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{``, `{`, `{}`, `{"a":1}`, `{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","level":30}`, `{"a":{"b":[1,{"c":null}]},"level":"warn"`,
		`{"dd":{"trace_id":123,"span_id":"456"}}`, `{"a":"\"","headers":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}`,
		`trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7`, `[!dt dt.trace_id=4BF92F3577B34DA6A3CE929D0E0E4736,dt.span_id=00f067aa0ba902b7]`,
		`TID:4bf92f3577b34da6a3ce929d0e0e4736`, `{"a":-1.5e3,"b":tru}`, strings.Repeat(`{"a":`, 100), strings.Repeat(`[`, 100)} {
		f.Add(s)
	}
	filter := newFilter(f, "from_message on", "otlp_metadata on")
	f.Fuzz(func(t *testing.T, text string) {
		body := msgp.AppendString([]byte("\x81\xa3log"), text)
		in := chunkOf(true, body)
		once := apply(filter, in, "t")
		out := bodiesOf(once)
		if len(out) != 1 || !bytes.Contains(out[0], body[1:]) {
			t.Fatalf("%q became % x", text, once)
		}
		if twice := apply(filter, once, "t"); !bytes.Equal(twice, once) {
			t.Fatalf("%q: a second pass changes % x to % x", text, once, twice)
		}
	})
}
