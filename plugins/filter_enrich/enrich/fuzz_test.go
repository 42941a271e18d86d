package enrich

import (
	"bytes"
	"testing"

	"flbgo/shared/chunk"
)

// FuzzApply runs arbitrary bytes through every option set. Nothing panics; what is no record survives byte for byte, in
// its place; every record survives with its time and metadata, and as many fields as it should have; a second pass
// changes nothing.
func FuzzApply(f *testing.F) {
	add := func(data []byte) { f.Add(data, "app.x") }
	for _, json := range []string{`{}`, benchRecord, `{"a":1}`, `{"msg":"m","message":2,"severity":"warning"}`,
		`{"latency":"1m2.5s","request_time":0.12,"status":"404","http":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}`,
		`{"trace_id":"-","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","level":" audit "}`} {
		body := msgpackOf(f, json)
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
				if kind != chunk.Record && !bytes.Equal(in.Raw, out.Raw) || !bytes.Equal(in.Head, out.Head) {
					t.Fatalf("filter %d: a %v changed\nin  % x\nout % x", i, kind, in.Raw, out.Raw)
				}
			}
			if twice := apply(filter, once, tag); !bytes.Equal(twice, once) {
				t.Fatalf("filter %d: a second pass changes\n% x\nto\n% x", i, once, twice)
			}
		}
	})
}
