package batch

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

// encoded is a chunk of one record, encoded.
type encoded struct {
	key, value, headers []byte
	topic               string
	ms                  int64
	counts              counts
}

func encodeRecord(t testing.TB, data []byte, tag string, options ...string) encoded {
	t.Helper()
	e := newEncoder(testConfig(t, options...))
	s := e.get()
	e.encode(s, data, tag)
	if len(s.entries) != 1 {
		t.Fatalf("%d records", len(s.entries))
	}
	n := &s.entries[0]
	return encoded{n.key.of(s.text), n.value.of(s.text), n.headers.of(s.text), s.topics[n.topic], n.ms, s.counts}
}

func modern(body, metadata []byte) []byte {
	return chunk.AppendEvent(nil, 1700000000, 500_000_000, metadata, body, true)
}

func TestPayloadJSON(t *testing.T) {
	f := func(name string, data []byte, want string, options ...string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			if got := string(encodeRecord(t, data, "kube.app", options...).value); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
	f("tag", modern(pairs("a", 1), nil), `{"@timestamp":1700000000.5,"tag":"kube.app","a":1}`, "tag_key", "tag")
	f("tag replaces a field", modern(pairs("a", 1, "tag", "old"), nil), `{"@timestamp":1700000000.5,"tag":"kube.app","a":1}`, "tag_key", "tag")
	f("tag, no time", modern(pairs("a", 1, "@timestamp", 7), nil), `{"tag":"kube.app","a":1,"@timestamp":7}`, "tag_key", "tag", "add_timestamp", "off")
	f("tag with an odd name", modern(pairs(), nil), `{"@timestamp":1700000000.5,"a\"b":"kube.app"}`, "tag_key", `a"b`)

	body := pairs("a", 1, "kubernetes", pairs("pod", "p"), "b.c", 2, "x", 3, "a", 4)
	f("excluded", modern(body, nil), `{"@timestamp":1700000000.5,"x":3}`, "exclude_fields", "a,$kubernetes,b.c")
	f("excluded in quotes", modern(body, nil), `{"@timestamp":1700000000.5,"kubernetes":{"pod":"p"},"x":3,"a":4}`, "exclude_fields", "$['b.c']")
	f("all excluded", modern(pairs("a", 1), nil), `{}`, "exclude_fields", "a", "add_timestamp", "off")
	f("excluded is not nested", modern(pairs("k", pairs("a", 1)), nil), `{"@timestamp":1700000000.5,"k":{"a":1}}`, "exclude_fields", "a")
	// A member that is left out has no length, and its hash is that of the empty name.
	f("excluded, then an empty name", modern(pairs("a", 1, "", 2, "", 3), nil), `{"@timestamp":1700000000.5,"":3}`, "exclude_fields", "a")
	f("excluded between empty names", modern(pairs("", 2, "a", 1, "", 3), nil), `{"@timestamp":1700000000.5,"":3}`, "exclude_fields", "a")

	meta := pairs("severity", 9)
	f("metadata", modern(pairs("a", 1), meta), `{"@timestamp":1700000000.5,"a":1,"event_metadata":{"severity":9}}`, "include_metadata", "on")
	f("no metadata", modern(pairs("event_metadata", 1), nil), `{"@timestamp":1700000000.5,"event_metadata":1}`, "include_metadata", "on")
	f("excluded all the same", modern(pairs("event_metadata", 1, "event_group", 2), nil), `{"@timestamp":1700000000.5}`, "include_metadata", "on", "exclude_fields", "event_metadata,event_group")
	f("metadata replaces a field", modern(pairs("event_metadata", 1, "a", 2), meta), `{"@timestamp":1700000000.5,"a":2,"event_metadata":{"severity":9}}`, "include_metadata", "on")
	f("metadata off", modern(pairs("a", 1), meta), `{"@timestamp":1700000000.5,"a":1}`)
	old := chunk.AppendEvent(nil, 1700000000, 500_000_000, nil, pairs("a", 1), false)
	f("old form", old, `{"@timestamp":1700000000.5,"a":1}`, "include_metadata", "on")
	group := chunk.AppendGroupStart(nil, pairs("schema", "otlp"), pairs("resource", pairs("service.name", "shop")))
	grouped := append(bytes.Clone(group), modern(pairs("a", 1), meta)...)
	f("group", chunk.AppendGroupEnd(grouped), `{"@timestamp":1700000000.5,"a":1,"event_metadata":{"severity":9},"event_group":{"resource":{"service.name":"shop"}}}`, "include_metadata", "on")
	f("no group", modern(pairs("event_group", 1), meta), `{"@timestamp":1700000000.5,"event_group":1,"event_metadata":{"severity":9}}`, "include_metadata", "on")
	f("behind the group", append(chunk.AppendGroupEnd(bytes.Clone(group)), modern(pairs("a", 1), nil)...), `{"@timestamp":1700000000.5,"a":1}`, "include_metadata", "on")

	// Times that RFC 3339 cannot say are the last one that it can.
	late := chunk.AppendEvent(nil, 1<<62, 0, nil, pairs(), true)
	f("after the year 9999", late, `{"@timestamp":"9999-12-31T23:59:59.000000Z"}`, "timestamp_format", "iso8601")
	f("after the year 9999, ms", late, `{"@timestamp":253402300799000}`, "timestamp_format", "epoch_ms")
}

// All records of a group have its attributes, those of the next group others, whatever the address they stand at.
func TestPayloadGroups(t *testing.T) {
	var data []byte
	for _, g := range []string{"one", "two"} {
		data = chunk.AppendGroupStart(data, nil, pairs("g", g))
		for i := range 3 {
			data = append(data, modern(pairs("i", i), nil)...)
		}
		data = chunk.AppendGroupEnd(data)
	}
	e := newEncoder(testConfig(t, "include_metadata", "on"))
	s := e.get()
	for range 2 {
		e.encode(s, data, "app")
		for i := range s.entries {
			want := []string{"one", "two"}[i/3]
			if v := string(s.entries[i].value.of(s.text)); !strings.HasSuffix(v, `"event_group":{"g":"`+want+`"}}`) {
				t.Errorf("record %d: %s", i, v)
			}
		}
	}
}

// A record that panics takes back what it wrote, the group's text too, which the next record of the group needs.
func TestPayloadGroupsIsolated(t *testing.T) {
	data := chunk.AppendGroupStart(nil, nil, pairs("g", "one"))
	for _, v := range []string{"poison", "a", "b"} {
		data = append(data, modern(pairs("v", v), nil)...)
	}
	e := newEncoder(testConfig(t, "include_metadata", "on"))
	s := e.get()
	e.walk(s, data, "app", func(s *scratch) {
		isolated(s, 100, func(s *scratch) {
			e.record(s)
			if bytes.Contains(s.reader.Body, []byte("poison")) {
				panic("made up")
			}
		})
	})
	if len(s.entries) != 2 || len(s.lost) != 1 {
		t.Fatalf("%d records, %d lost", len(s.entries), len(s.lost))
	}
	for i := range s.entries {
		want := `{"@timestamp":1700000000.5,"v":"` + string('a'+rune(i)) + `","event_group":{"g":"one"}}`
		if v := string(s.entries[i].value.of(s.text)); v != want {
			t.Errorf("%s, want %s", v, want)
		}
	}
}

// msgpack has the same members in the same order; values stay what they were, duplicate keys too.
func TestPayloadMsgpack(t *testing.T) {
	f := func(name string, data, want []byte, options ...string) {
		t.Run(name, func(t *testing.T) {
			got := encodeRecord(t, data, "app", append(options, "format", "msgpack")...).value
			if !bytes.Equal(got, want) {
				t.Errorf("%s\nwant %s", hex.EncodeToString(got), hex.EncodeToString(want))
			}
			if n, ok := chunk.Skip(got); !ok || n != len(got) {
				t.Error("it is not one msgpack value")
			}
		})
	}
	f("default", modern(pairs("a", 1, "a", 2), nil), pairs("@timestamp", 1700000000.5, "a", 1, "a", 2))
	f("replaced", modern(pairs("x", 1, "@timestamp", "old", "y", 2), nil), pairs("@timestamp", 1700000000.5, "x", 1, "y", 2))
	f("ms", modern(pairs(), nil), pairs("@timestamp", 1700000000500), "timestamp_format", "epoch_ms")
	f("iso", modern(pairs(), nil), pairs("@timestamp", "2023-11-14T22:13:20.500000Z"), "timestamp_format", "iso8601")
	f("iso ns", modern(pairs(), nil), pairs("@timestamp", "2023-11-14T22:13:20.500000000Z"), "timestamp_format", "iso8601_ns")
	f("tag, metadata", modern(pairs("a", 1, "b", 2), pairs("m", 1)), pairs("tag", "app", "b", 2, "event_metadata", pairs("m", 1)),
		"tag_key", "tag", "add_timestamp", "off", "exclude_fields", "a", "include_metadata", "on")
	f("group", append(chunk.AppendGroupStart(nil, nil, pairs("g", 1)), modern(pairs("event_group", 1), nil)...),
		pairs("@timestamp", 1700000000.5, "event_group", pairs("g", 1)), "include_metadata", "on")
	odd := append(msgp.AppendInt(msgp.AppendMapHeader(nil, 1), 7), 0xc0) // a key that is no text
	f("odd key", modern(odd, nil), append(append([]byte{0x82}, pairs("@timestamp", 1700000000.5)[1:]...), odd[1:]...))
	for _, n := range []int{14, 15, 16, 65534, 65535} {
		body := msgp.AppendMapHeader(nil, uint32(n))
		want := msgp.AppendMapHeader(nil, uint32(n+1))
		want = append(want, pairs("@timestamp", 1700000000.5)[1:]...)
		for i := range n {
			body = msgp.AppendNil(msgp.AppendInt(body, i))
		}
		f("large", modern(body, nil), append(want, body[len(msgp.AppendMapHeader(nil, uint32(n))):]...))
	}
}

// raw is the field's text alone; a record that lacks it goes as JSON and is counted.
func TestPayloadRaw(t *testing.T) {
	f := func(name string, body []byte, want string, missing int, options ...string) {
		t.Run(name, func(t *testing.T) {
			got := encodeRecord(t, modern(body, nil), "app", append(options, "format", "raw", "raw_log_key", "$log")...)
			if string(got.value) != want || got.counts.rawMissing != missing {
				t.Errorf("%s, missing %d; want %s, %d", got.value, got.counts.rawMissing, want, missing)
			}
		})
	}
	f("text", pairs("log", "a \"line\"\n", "x", 1), "a \"line\"\n", 0)
	f("empty", pairs("log", ""), "", 0)
	f("bytes", pairs("log", []byte{0xc4, 2, 0xff, 0}), "\xff\x00", 0)
	f("number", pairs("log", 42), "42", 0)
	f("map", pairs("log", pairs("a", 1)), `{"a":1}`, 0)
	f("missing", pairs("x", 1), `{"@timestamp":1700000000.5,"x":1}`, 1)
	f("nil", pairs("log", nil), `{"@timestamp":1700000000.5,"log":null}`, 1)
	f("missing, with a tag", pairs("x", 1), `{"@timestamp":1700000000.5,"tag":"app"}`, 1, "tag_key", "tag", "exclude_fields", "x")
}

func TestMessageKey(t *testing.T) {
	f := func(body []byte, want string, options ...string) {
		t.Helper()
		if got := string(encodeRecord(t, modern(body, nil), "app", options...).key); got != want {
			t.Errorf("%v: key %q, want %q", options, got, want)
		}
	}
	f(pairs("user", "ann"), "")
	f(pairs("user", "ann"), "edge-7", "message_key", "edge-7")
	f(pairs("user", "ann"), "ann", "message_key", "edge-7", "message_key_field", "user")
	f(pairs("user", ""), "edge-7", "message_key", "edge-7", "message_key_field", "user")
	f(pairs("user", nil), "edge-7", "message_key", "edge-7", "message_key_field", "user")
	f(pairs(), "edge-7", "message_key", "edge-7", "message_key_field", "user")
	f(pairs("a", pairs("b", []byte{0x93, 1, 2, 3})), "2", "message_key_field", "$a['b'][1]")
	f(pairs("user", "ann"), "ann", "message_key_field", "user", "exclude_fields", "user")
}

// record_id_key has in the value what the header has, whatever the record itself has under that name.
func TestRecordIDMember(t *testing.T) {
	f := func(name string, body []byte, want string, options ...string) {
		t.Run(name, func(t *testing.T) {
			got := encodeRecord(t, modern(body, nil), "app", append([]string{"record_id_key", "record_id", "add_timestamp", "off"}, options...)...)
			id := strings.TrimPrefix(readHeaders(t, got.headers)[0], "record_id=")
			quoted, err := json.Marshal(id)
			if err != nil {
				t.Fatal(err)
			}
			if want = strings.ReplaceAll(want, "ID", string(quoted)); string(got.value) != want {
				t.Errorf("%s\nwant %s", got.value, want)
			}
		})
	}
	f("auto", pairs("a", 1), `{"a":1,"record_id":ID}`)
	f("in place of the record's", pairs("record_id", "old", "a", 1), `{"a":1,"record_id":ID}`)
	f("of nothing", pairs(), `{"record_id":ID}`)
	f("a field's", pairs("event", "x\"\\\n"), `{"event":"x\"\\\n","record_id":ID}`, "record_id", "$event")
	f("a number's", pairs("event", 7), `{"event":7,"record_id":ID}`, "record_id", "$event")
	f("a field that is not there", pairs("a", 1), `{"a":1,"record_id":ID}`, "record_id", "$event")
	f("behind metadata", pairs("a", 1), `{"tag":"app","a":1,"record_id":ID}`, "tag_key", "tag", "include_metadata", "on")
}
