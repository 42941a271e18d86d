package batch

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"

	"flbgo/shared/chunk"
)

// idsOf are the record ids of a chunk, made by an instance of its own on the host "edge-1".
func idsOf(t testing.TB, data []byte, tag string, options ...string) []string {
	t.Helper()
	e := newEncoder(testConfig(t, options...))
	e.host = "edge-1"
	s := e.get()
	e.encode(s, data, tag)
	ids := make([]string, len(s.entries))
	for i := range s.entries {
		ids[i] = string(s.entries[i].headers.of(s.text)[len(recordIDHeader):])
	}
	return ids
}

func distinct(ids []string) int {
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	return len(seen)
}

// The ids are a format: stores downstream compare them across versions. Where this test fails, the change is wrong. The
// input of the hash is put together here once more, by hand.
func TestRecordIDVectors(t *testing.T) {
	hash := func(parts ...string) string {
		id := ""
		for _, seed := range []uint64{0x6b61666b61, 0x6261746368} {
			d := xxhash.NewWithSeed(seed)
			for _, p := range parts {
				_, _ = d.WriteString(p)
			}
			id += fmt.Sprintf("%016x", d.Sum64())
		}
		return id
	}
	f := func(name string, body []byte, got func([]string) string, want, byHand string) {
		t.Helper()
		data := bytes.Repeat(chunk.AppendEvent(nil, 1700000000, 123456789, nil, body, true), 2)
		if id := got(idsOf(t, data, "app.web")); id != want || id != byHand {
			t.Errorf("%s: %s, want %s, by hand %s", name, id, want, byHand)
		}
	}
	const time = "\x00\x00\x00\x00\x65\x53\xf1\x00" + "\x07\x5b\xcd\x15"
	first := func(ids []string) string { return ids[0] }
	second := func(ids []string) string { return ids[1] }
	f("from a file", pairs("file", "/var/log/app.log.1", "offset", 4096, "msg", "hello"), first,
		"0269ddf70e10f550fd47332528ab0a00",
		hash("\x01", "\x00\x00\x00\x06edge-1", "\x00\x00\x00\x10/var/log/app.log", "\x00\x00\x00\x00\x00\x00\x10\x00", time,
			"\xa4file", "\xa6offset\xd1\x10\x00", "\xa3msg\xa5hello"))
	body := "\xa3msg\xa5hello"
	f("from time", pairs("msg", "hello"), first, "b91b2a15b6924acee15f2f8331f49128", hash("\x02", "\x00\x00\x00\x07app.web", time, body))
	f("from time, the second", pairs("msg", "hello"), second, "a0cfc203794562edd6a8e39c832fe4c1", hash("\x02", "\x00\x00\x00\x07app.web", time, body, "\x00\x00\x00\x01"))
}

// What enrich adds about the service, wherever it stands, makes no difference; anything else does, and so does a field
// whose name was not given. A map with another head (of more members, or of another width) is the same record.
func TestRecordIDIgnores(t *testing.T) {
	one := func(body []byte, options ...string) string {
		return idsOf(t, chunk.AppendEvent(nil, 1, 0, nil, body, true), "a", options...)[0]
	}
	for _, file := range [][]any{{}, {"file", "/x.log", "offset", 7}} {
		with := func(kv ...any) []byte { return pairs(append(kv, file...)...) }
		want := one(with("msg", "line"))
		f := func(name string, same bool, body []byte, options ...string) {
			t.Helper()
			if got := one(body, options...); (got == want) != same {
				t.Errorf("%v, %s: the same id is %v", file, name, !same)
			}
		}
		f("behind", true, pairs(append(append([]any{"msg", "line"}, file...), "service.name", "shop", "service.version", "1.2")...))
		f("before", true, with("service.version", "1.2", "msg", "line"))
		f("around", true, with("service.version", "1.2", "msg", "line", "service.name", pairs("a", 1)))
		f("all", true, with("service.name", 1, "service.namespace", 2, "msg", "line", "service.instance.id", 3, "service.version", 4, "deployment.environment.name", 5))
		wide := append([]byte{0xdf, 0, 0, 0, 2, 0xd9, 12}, "service.name\x01"...)
		wide = append(wide, pairs("msg", "line")[1:]...)
		if len(file) == 0 {
			f("a wide key, a wide head", true, wide)
			f("a wide head", true, append([]byte{0xdf, 0, 0, 0, 1}, pairs("msg", "line")[1:]...))
		}
		f("host.name", false, with("msg", "line", "host.name", "n1"))
		f("nested", false, with("msg", "line", "x", pairs("service.name", 1)))
		f("dotted path", false, with("msg", "line", "service", pairs("name", 1)))
		f("named", true, with("msg", "line", "host.name", "n1"), "record_id_ignore", "host.name")
		f("not named", false, with("msg", "line", "service.name", "n1"), "record_id_ignore", "host.name")
		f("the path too", len(file) == 0, with("msg", "line"), "record_id_ignore", "file")
	}
}

// 1,000 identical lines within one second are 1,000 records, and stay the same ones when they are sent again.
func TestRecordIDOfEqualRecords(t *testing.T) {
	data := bytes.Repeat(event(nil, "same", 1), 1000)
	ids := idsOf(t, data, "app")
	if n := distinct(ids); n != 1000 {
		t.Errorf("%d ids for 1000 equal records", n)
	}
	if again := idsOf(t, data, "app"); fmt.Sprint(again) != fmt.Sprint(ids) {
		t.Error("another process has other ids")
	}
	if other := idsOf(t, data, "other"); distinct(append(other, ids...)) != 2000 {
		t.Error("another tag has the same ids")
	}
}

// Two instances of one scratch: a second chunk does not remember the first one's records.
func TestRecordIDStartsOverPerChunk(t *testing.T) {
	e := newEncoder(testConfig(t))
	s := e.get()
	first := func(data []byte) string {
		e.encode(s, data, "app")
		return string(s.entries[0].headers.of(s.text))
	}
	data := bytes.Repeat(event(nil, "same", 1), 700)
	want := first(data)
	for range 3 {
		if got := first(data); got != want {
			t.Fatalf("%s, then %s", want, got)
		}
	}
	s.ids.seen.round = 1<<32 - 1 // the number starts over
	if got := first(data); got != want || first(data) != want {
		t.Fatalf("%s, then %s", want, got)
	}
}

// With path and offset of tail the id is the line's: neither the tag nor the chunk that it came in matter, nor that the
// file was renamed before it was read again.
func TestRecordIDFromFile(t *testing.T) {
	at := func(sec int64, path string, offset int, msg string) []byte {
		return chunk.AppendEvent(nil, sec, 0, nil, pairs("msg", msg, "file", path, "offset", offset), true)
	}
	one := func(tag string, data []byte) string { return idsOf(t, data, tag)[0] }
	line := one("a", at(1, "/x.log", 0, "line"))
	for _, path := range []string{"/x.log", "/x.log.1", "/x.log.2.1", "/x.log-20261120", "/x.log.2026-11-20"} {
		if one("b", at(1, path, 0, "line")) != line {
			t.Errorf("in %s it has another id", path)
		}
	}
	if idsOf(t, append(at(1, "/x.log", 5, "before"), at(1, "/x.log", 0, "line")...), "a")[1] != line {
		t.Error("the chunk matters")
	}
	// Rotation starts over at offset 0: path and offset alone do not make a record.
	for _, other := range [][]byte{at(1, "/x.log", 0, "another"), at(2, "/x.log", 0, "line"), at(1, "/y.log", 0, "line"), at(1, "/x.log", 1, "line")} {
		if one("a", other) == line {
			t.Error("another line has the same id")
		}
	}
	// A path without an offset, or an offset that is no number, is not enough.
	half := chunk.AppendEvent(nil, 1, 0, nil, pairs("file", "/x.log", "offset", "0"), true)
	if one("a", half) == one("b", half) {
		t.Error("the tag does not matter")
	}
	nested := chunk.AppendEvent(nil, 1, 0, nil, pairs("log", pairs("file", "/x.log", "offset", 7)), true)
	set := []string{"path_field", "$log['file']", "offset_field", "$log['offset']"}
	if idsOf(t, nested, "a", set...)[0] != idsOf(t, nested, "b", set...)[0] {
		t.Error("the fields that were named are not read")
	}
}

func TestBeforeRotation(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got := string(beforeRotation([]byte(path))); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f("", "")
	f("7", "7")
	f(".1", ".1")
	f("/var/log/app.log", "/var/log/app.log")
	f("/var/log/app.log.10", "/var/log/app.log")
	f("/var/log/app.log-20261120", "/var/log/app.log")
	f("/var/log/app.log-20261120.1", "/var/log/app.log")
	f("/var/log/worker-1", "/var/log/worker-1")
	f("/var/log/worker-12345", "/var/log/worker-12345")
	f("/var/log/app.2026-11-20", "/var/log/app")
	f("/var/log/app.log.2026-11-20", "/var/log/app.log")
	f("/var/log/.1", "/var/log/.1")
	f("/var/log/app1", "/var/log/app1")
	f("/var/log/app.", "/var/log/app.")
	f("/var/log/app.log.gz", "/var/log/app.log.gz")
}
