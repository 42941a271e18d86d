package enrich

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// The option sets that the tests below and the fuzz target run every chunk through.
var optionSets = [][]string{
	{},
	{"attributes service.name=checkout,log_type=$TAG[0],z=$TAG[1]", "rename msg=message,severity=level,traceId=trace_id",
		"remove stream,c", "level_from_status status", "durations latency=duration_ms,request_time=duration_ms"},
	{"attributes service.name=checkout,level=info,message=$TAG", "rename msg=message,text=message,a=status",
		"on_conflict overwrite", "keep_original on", "durations latency=duration_ms,request_time=duration_ms"},
	{"trace otel,w3c=http.tp,b3,datadog", "rename a=b,c=b", "attributes b=1,d=2", "level severity", "level_from_status status", "generate from_field $request_id"},
	{"remove http", "rename msg=duration_ms", "durations latency=duration_ms,a=ms", "on_conflict overwrite", "naming ecs", "layout nested",
		"attributes service.name=checkout,service.version=$TAG[0],labels.app=$c,host.name=n", "from_message message", "otlp_metadata on"},
	{"naming datadog", "under dd_service", "layout nested", "service_from record,$a,$TAG[0]", "service_name other", "environment prod",
		"from_message on", "keep_original on", "otlp_metadata on", "attributes k=$kubernetes['pod_name']-$TAG[0],n=$b"},
	{"trace off", "level off"},
}

// What is no record passes through byte for byte, in its place between records that change.
func TestPassThrough(t *testing.T) {
	f := newFilter(t, "attributes a=b", "remove stream")
	record := func(modern bool, json string) []byte { return chunkOf(modern, msgpackOf(t, json)) }
	group := chunk.AppendGroupStart(nil, msgpackOf(t, `{"schema":1}`), msgpackOf(t, `{"resource":{"stream":1},"stream":2}`))
	for name, stretch := range map[string][]byte{
		"group start":   group,
		"group end":     chunk.AppendGroupEnd(nil),
		"no map":        {0x92, 0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 0, 0x93, 1, 2, 3},
		"no event":      msgp.AppendString(nil, "just text"),
		"bad time":      append([]byte{0x92, 0xa1, 'x'}, msgpackOf(t, `{"stream":1}`)...),
		"never a value": {0xc1, 0xc1},
	} {
		for _, modern := range []bool{true, false} {
			before, after := record(modern, `{"stream":1,"x":1}`), record(modern, `{"x":2}`)
			in := bytes.Join([][]byte{before, stretch, after}, nil)
			want := bytes.Join([][]byte{apply(f, before, "t"), stretch, apply(f, after, "t")}, nil)
			if got := apply(f, in, "t"); !bytes.Equal(got, want) {
				t.Errorf("%s:\n% x\ngives\n% x\nexpected\n% x", name, in, got, want)
			}
		}
		dst := []byte("as it was")
		if out, modified := f.Apply(dst, stretch, nil); modified || string(out) != "as it was" {
			t.Errorf("%s alone: modified %v, % x", name, modified, out)
		}
	}
	// A chunk that is cut short keeps its end.
	whole := append(record(true, `{"x":1}`), record(true, `{"stream":1,"x":2}`)...)
	first := len(record(true, `{"x":1}`))
	for cut := first + 1; cut < len(whole); cut++ {
		want := append(apply(f, whole[:first:first], "t"), whole[first:cut]...)
		if got := apply(f, whole[:cut], "t"); !bytes.Equal(got, want) {
			t.Fatalf("cut at %d:\n% x\nexpected\n% x", cut, got, want)
		}
	}
}

// A record says that a text of 90 bytes follows where the chunk has less left: damage, behind which the next record is
// found. Enriched, that record is long enough to be the text, and the next reader would find a single record with it
// inside. So behind such bytes the chunk stays as it is; before them, and behind bytes that cannot do this, it does not.
func TestDamageDoesNotSwallow(t *testing.T) {
	f := newFilter(t, "attributes service.name=checkout,service.version=1.4.2,deployment.environment.name=production")
	record := chunkOf(true, msgpackOf(t, `{"msg":"kept"}`))
	hungry := []byte{0x92, 0x92, 0xd7, 0, 0x65, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x81, 0xa1, 'm', 0xd9, 90}
	enriched := apply(f, record, "t")
	if len(record) > 90 || len(enriched) < 90 {
		t.Fatalf("the record has %d and %d bytes: no case at all", len(record), len(enriched))
	}
	in := bytes.Join([][]byte{record, hungry, record}, nil)
	want := bytes.Join([][]byte{enriched, hungry, record}, nil)
	got := apply(f, in, "t")
	if !bytes.Equal(got, want) {
		t.Errorf("% x\nexpected\n% x", got, want)
	}
	if again := apply(f, got, "t"); !bytes.Equal(again, got) {
		t.Errorf("a second pass gives % x", again)
	}
	if n := f.stats.count[countRecords].Load(); n != 1+2+2 {
		t.Errorf("counted %d records, expected 5", n)
	}
	hungry[len(hungry)-1] = 255
	want = bytes.Join([][]byte{enriched, hungry, enriched}, nil)
	if got := apply(f, bytes.Join([][]byte{record, hungry, record}, nil), "t"); !bytes.Equal(got, want) {
		t.Errorf("% x\nexpected\n% x", got, want)
	}
}

// Time and metadata of an event are copied in the form that they have, whatever that is.
func TestHeads(t *testing.T) {
	f := newFilter(t, "attributes a=b")
	heads := map[string][]byte{
		"old":             {0x92, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8},
		"old, integer":    {0x92, 0xce, 0x65, 0, 0, 1},
		"old, float":      {0x92, 0xcb, 0x41, 0xd9, 0, 0, 0, 0, 0, 0},
		"old, ext 8":      {0x92, 0xc7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8},
		"old, long array": {0xdc, 0, 2, 0xce, 0x65, 0, 0, 1},
		"modern":          {0x92, 0x92, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x80},
		"with metadata":   {0x92, 0x92, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x81, 0xa1, 'k', 0xa1, 'v'},
		"with long heads": {0x92, 0xdc, 0, 2, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xde, 0, 0},
	}
	for name, head := range heads {
		in := append(head[:len(head):len(head)], 0x81, 0xa1, 'x', 1)
		want := append(head[:len(head):len(head)], 0x82, 0xa1, 'x', 1, 0xa1, 'a', 0xa1, 'b')
		if got := apply(f, in, ""); !bytes.Equal(got, want) {
			t.Errorf("%s: % x, expected % x", name, got, want)
		}
	}
}

// The head of the map takes one byte up to 15 fields, three up to 65,535, then five. It grows, and shrinks, by what is
// added and removed, and a head that was longer than needed is read as well.
func TestMapHeads(t *testing.T) {
	body := func(head func([]byte, uint32) []byte, fields int) []byte {
		b := head(nil, uint32(fields))
		for i := range fields {
			b = msgp.AppendInt(msgp.AppendString(b, fmt.Sprintf("k%05d", i)), i)
		}
		return b
	}
	shortest := func(b []byte, n uint32) []byte { return msgp.AppendMapHeader(b, n) }
	long := func(b []byte, n uint32) []byte { return append(b, 0xdf, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) }
	add := newFilter(t, "attributes a=b,c=d")
	remove := newFilter(t, "remove k00000,k00001")
	for _, n := range []int{0, 1, 2, 13, 14, 15, 16, 17, 255, 256, 65533, 65534, 65535, 65536, 65537} {
		for _, head := range []func([]byte, uint32) []byte{shortest, long} {
			in := body(head, n)
			want := append(shortest(nil, uint32(n+2)), in[len(head(nil, uint32(n))):]...)
			want = append(want, "\xa1a\xa1b\xa1c\xa1d"...)
			if got := bodiesOf(apply(add, chunkOf(true, in), "")); len(got) != 1 || !bytes.Equal(got[0], want) {
				t.Errorf("%d fields and two more: wrong", n)
			}
			if n < 2 {
				continue
			}
			const twoFields = 2 * (7 + 1)
			want = append(shortest(nil, uint32(n-2)), in[len(head(nil, uint32(n)))+twoFields:]...)
			if got := bodiesOf(apply(remove, chunkOf(true, in), "")); len(got) != 1 || !bytes.Equal(got[0], want) {
				t.Errorf("%d fields and two less: wrong", n)
			}
		}
	}
}

// Field names may be any msgpack: what is text is compared, in whatever form it stands; the rest is stepped over.
func TestKeys(t *testing.T) {
	f := newFilter(t, "rename msg=message", "attributes service.name=checkout", "remove "+strings.Repeat("n", 40))
	check := func(in, want string) {
		t.Helper()
		got := bodiesOf(apply(f, chunkOf(true, []byte(in)), ""))
		if len(got) != 1 || string(got[0]) != want {
			t.Errorf("%q\ngives    %q\nexpected %q", in, got, want)
		}
	}
	const added = "\xacservice.name\xa8checkout"
	check("\x81\xa3msg\x01", "\x82\xa7message\x01"+added)
	check("\x81\xd9\x03msg\x01", "\x82\xa7message\x01"+added)             // str 8
	check("\x81\xda\x00\x03msg\x01", "\x82\xa7message\x01"+added)         // str 16
	check("\x81\xdb\x00\x00\x00\x03msg\x01", "\x82\xa7message\x01"+added) // str 32
	check("\x81\xc4\x03msg\x01", "\x82\xa7message\x01"+added)             // binary
	check("\x81\xc4\x0cservice.name\x01", "\x81\xc4\x0cservice.name\x01")
	check("\x81\x07\x01", "\x82\x07\x01"+added)                         // an integer
	check("\x81\xc0\x01", "\x82\xc0\x01"+added)                         // nil
	check("\x81\xa0\x01", "\x82\xa0\x01"+added)                         // no name at all
	check("\x81\x93\x01\x02\x03\x01", "\x82\x93\x01\x02\x03\x01"+added) // an array
	check("\x81\xd4\x05\x06\x01", "\x82\xd4\x05\x06\x01"+added)         // ext
	check("\x82\x81\xa3msg\x01\x02\xa3msg\xc7\x02\x05ab", "\x83\x81\xa3msg\x01\x02\xa7message\xc7\x02\x05ab"+added)
	check("\x81\xd9\x28"+strings.Repeat("n", 40)+"\x01", "\x81"+added)
	check("\x81\xd9\x29"+strings.Repeat("n", 41)+"\x01", "\x82\xd9\x29"+strings.Repeat("n", 41)+"\x01"+added)
	check("\x82\xa3msg\x01\xa3msg\x02", "\x83\xa7message\x01\xa7message\x02"+added) // both, so that the last still counts

	deep := strings.Repeat("\x81\xa1d", 10_000) + "\x80"
	check("\x81\xa3msg"+deep, "\x82\xa7message"+deep+added)
	deep = strings.Repeat("\x91", 100_000) + "\x90"
	check("\x82"+deep+"\x01\xa1x"+deep, "\x83"+deep+"\x01\xa1x"+deep+added)
}

// A field that stands twice: the last one counts, as everywhere, and no shadowed one comes to light.
func TestDuplicates(t *testing.T) {
	const valid = "\xd9\x3700-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	const ids = "\xa8trace_id\xd9\x204bf92f3577b34da6a3ce929d0e0e4736\xa7span_id\xb000f067aa0ba902b7\xabtrace_flags\xa201"
	f := newFilter(t, "durations t=ms", "severity_number off")
	check := func(in, want string) {
		t.Helper()
		got := bodiesOf(apply(f, chunkOf(false, []byte(in)), ""))
		if len(got) != 1 || string(got[0]) != want {
			t.Errorf("%q\ngives    %q\nexpected %q", in, got, want)
		}
	}
	check("\x82\xabtraceparent\xa3bad\xabtraceparent"+valid, "\x83"+ids)
	check("\x82\xabtraceparent"+valid+"\xabtraceparent\xa3bad", "\x82\xabtraceparent"+valid+"\xabtraceparent\xa3bad")
	check("\x82\xa5level\xa4info\xa5level\xa4warn", "\x82\xa5level\xa4info\xa5level\xa4WARN")
	check("\x82\xa1t\xa21s\xa1t\xa11", "\x81\xa2ms\xcb\x40\x8f\x40\x00\x00\x00\x00\x00")
	check("\x82\xa1t\xa21s\xa1t\xa1x", "\x82\xa1t\xa21s\xa1t\xa1x")
	check("\x83\xa8trace_id\xa3abc\xa8trace_id\xa0\xabtraceparent"+valid,
		"\x84\xa8trace_id\xa3abc\xa8trace_id\xd9\x204bf92f3577b34da6a3ce929d0e0e4736\xa7span_id\xb000f067aa0ba902b7\xabtrace_flags\xa201")
	check("\x83\xa8trace_id\xa0\xa8trace_id\xa3abc\xabtraceparent"+valid, "\x83\xa8trace_id\xa0\xa8trace_id\xa3abc\xabtraceparent"+valid)
}

// Of a member that a map has twice the last one counts as well, and the other stays.
func TestNestedDuplicates(t *testing.T) {
	f := newFilter(t, "layout nested", "on_conflict overwrite", "service_name checkout")
	got := bodiesOf(apply(f, chunkOf(true, []byte("\x81\xa7service\x82\xa4name\xa1a\xa4name\xa1b")), "t"))[0]
	if want := "\x81\xa7service\x82\xa4name\xa1a\xa4name\xa8checkout"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What becomes of a record does not depend on the records before it.
func TestRecordsAreIndependent(t *testing.T) {
	paths, _ := filepath.Glob("testdata/golden/*.json")
	var bodies [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
		for _, r := range g.Records {
			bodies = append(bodies, msgpackOf(t, string(r.In)))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, options := range append(optionSets, benchOptions) {
		f := newFilter(t, options...)
		for range 5 {
			r.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
			together := bodiesOf(apply(f, chunkOf(true, bodies...), "app.x"))
			for i, body := range bodies {
				if alone := bodiesOf(apply(f, chunkOf(true, body), "app.x")); !bytes.Equal(alone[0], together[i]) {
					t.Fatalf("%q: behind others\n%s\nbecomes %s, alone %s", options, record.AppendJSON(nil, body), record.AppendJSON(nil, together[i]), record.AppendJSON(nil, alone[0]))
				}
			}
		}
	}
}

// Many calls at once, with different tags, give what one after the other gives.
func TestConcurrent(t *testing.T) {
	f := newFilter(t, append(benchOptions, "rename msg=message", "level_from_status status")...)
	var chunks, want [][]byte
	for i := range 8 {
		data := chunkOf(i%2 == 0, msgpackOf(t, benchRecord), msgpackOf(t, fmt.Sprintf(`{"n":%d,"status":404}`, i)))
		chunks, want = append(chunks, data), append(want, apply(f, data, fmt.Sprintf("app%d.x", i)))
	}
	var wg sync.WaitGroup
	for i := range chunks {
		wg.Go(func() {
			for n := range 200 {
				if got := apply(f, chunks[i], fmt.Sprintf("app%d.x", i)); !bytes.Equal(got, want[i]) {
					t.Errorf("chunk %d, call %d: % x", i, n, got)
					return
				}
			}
		})
	}
	wg.Wait()
	if got, want := f.stats.count[countRecords].Load(), int64(2*8*201); got != want {
		t.Errorf("counted %d records, expected %d", got, want)
	}
}

// Nothing is allocated, neither for a record nor for a call, once the buffers have grown.
func TestNoAllocations(t *testing.T) {
	for _, options := range append(optionSets, benchOptions) {
		f := newFilter(t, options...)
		data := chunkOf(true, msgpackOf(t, benchRecord), msgpackOf(t, `{"level":"audit","latency":"1m2.5s","a":0.1,"status":"404"}`),
			msgpackOf(t, `{"msg":"a","message":"b","severity":"err","stream":"x","request_time":"0.12345678901234567890"}`),
			msgpackOf(t, `{"level":"audit","latency":"bad","a":1e-9,"http":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}`))
		tag := []byte("app.x")
		dst := make([]byte, 0, 4096)
		// An editor of its own: under the race detector the pool forgets some on purpose.
		e := newEditor(f.plan.Load())
		call := func() {
			e.begin(tag)
			e.rewrite(dst, data, len(data))
		}
		call()
		if n := testing.AllocsPerRun(200, call); n != 0 {
			t.Errorf("%q: %v allocations a call", options, n)
		}
	}
}

// What a destination holds stays in front of what is appended, and one that is too small is no obstacle.
func TestDestination(t *testing.T) {
	f := newFilter(t, benchOptions...)
	data := benchChunk(t, 10)
	want := apply(f, data, "app")
	for _, room := range []int{0, 1, 100, len(want), len(want) + 7} {
		dst := append(make([]byte, 0, 4+room), "head"...)
		out, modified := f.Apply(dst, data, []byte("app"))
		if !modified || string(out[:4]) != "head" || !bytes.Equal(out[4:], want) {
			t.Errorf("room for %d of %d bytes: wrong", room, len(want))
		}
	}
}

// The chunk and the tag are only read.
func TestInputStays(t *testing.T) {
	for _, options := range optionSets {
		f := newFilter(t, options...)
		data := chunkOf(true, msgpackOf(t, benchRecord), msgpackOf(t, `{"level":" audit","msg":"x","severity":"warning","latency":"1s"}`))
		before, tag := bytes.Clone(data), []byte("lower.case")
		f.Apply(nil, data, tag)
		if !bytes.Equal(data, before) || string(tag) != "lower.case" {
			t.Errorf("%q: Apply wrote to its input", options)
		}
	}
}

func TestCounters(t *testing.T) {
	var log strings.Builder
	get := getter("attributes a=b", "durations t=ms", "level_from_status status")
	f, err := New(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), get)
	if err != nil {
		t.Fatal(err)
	}
	const tp = `"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`
	var data []byte
	for _, json := range []string{`{` + tp + `,"level":"info"}`, `{"traceparent":"x"}`, `{"traceparent":""}`, `{"trace_id":"1",` + tp + `}`,
		`{"t":"1s"}`, `{"t":"x"}`, `{"t":"1s","ms":1}`, `{"a":"c"}`, `{"a":"b"}`, `{"status":200}`,
		`{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","trace_flags":"yes"}`, `{"b3":"0"}`, `{"b3":"00"}`} {
		data = append(data, chunkOf(true, msgpackOf(t, json))...)
	}
	data = append(chunk.AppendGroupEnd(data), 0xc1)
	apply(f, data, "t")
	apply(f, data, "t")
	if n := strings.Count(log.String(), "damaged events"); n != 1 {
		t.Errorf("damage was logged %d times in two calls:\n%s", n, &log)
	}
	f.Close()
	for _, want := range []string{"records=26", "enriched=22", "trace_found_w3c=2", "trace_converted_w3c=2", "trace_invalid_w3c=2", "trace_absent=4", "trace_invalid_otel=4", "trace_invalid_b3=2",
		"conflicts_kept=4", "levels_normalised=2", "levels_from_status=2", "durations_converted=2", "durations_invalid=2",
		"group_markers=2", "damaged=2"} {
		if !strings.Contains(log.String(), " "+want) {
			t.Errorf("the last line lacks %s:\n%s", want, &log)
		}
	}
}

// An instance that has nothing to do says so, and does nothing.
func TestNothingToDo(t *testing.T) {
	var log strings.Builder
	f, err := New(slog.New(slog.NewTextHandler(&log, nil)), getter("trace off", "level off", "sources off"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "nothing to do") {
		t.Errorf("log: %q", &log)
	}
	if _, modified := f.Apply(nil, benchChunk(t, 3), nil); modified {
		t.Error("modified")
	}
}

// chunk.Reader lets no incomplete map through. Should one come all the same, it is left alone.
func TestIncompleteBody(t *testing.T) {
	for _, options := range optionSets {
		e := newEditor(newFilter(t, options...).plan.Load())
		e.begin([]byte("app.x"))
		for _, body := range [][]byte{msgpackOf(t, benchRecord), []byte("\x82\xd9\x03msg\xda\x00\x01x\xc4\x01k\x91\x01"), []byte("\x81\xc1\x01"), []byte("\x81\xa1a\xc1")} {
			for n := range body {
				if e.edit(body[:n:n]) {
					t.Fatalf("%q: % x was changed", options, body[:n])
				}
			}
		}
	}
}
