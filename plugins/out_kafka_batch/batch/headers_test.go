package batch

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"flbgo/shared/chunk"
)

// readHeaders reads a block as the protocol's guide describes it.
func readHeaders(t testing.TB, block []byte) (headers []string) {
	t.Helper()
	if len(block) == 0 {
		return nil
	}
	number := func() int {
		n, size := binary.Varint(block)
		if size <= 0 || n < 0 {
			t.Fatalf("no number: %x", block)
		}
		block = block[size:]
		return int(n)
	}
	text := func() string {
		n := number()
		s := string(block[:n])
		block = block[n:]
		return s
	}
	for range number() {
		headers = append(headers, text()+"="+text())
	}
	if len(block) != 0 {
		t.Fatalf("%d bytes behind the headers", len(block))
	}
	return headers
}

func TestHeaders(t *testing.T) {
	f := func(name string, body []byte, want []string, options ...string) {
		t.Run(name, func(t *testing.T) {
			got := readHeaders(t, encodeRecord(t, modern(body, nil), "app", append([]string{"record_id", "off"}, options...)...).headers)
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%q\nwant %q", got, want)
			}
		})
	}
	f("none", pairs("a", 1), nil)
	f("static", pairs("a", 1), []string{"env=prod", "team=a,b"}, "headers", `env=prod,team=a\,b`)
	f("empty value", pairs(), []string{"env="}, "headers", "env=")
	body := pairs("level", "warn", "n", 200, "ok", true, "bin", []byte{0xc4, 2, 0xff, 0}, "nil", nil, "k", pairs("pod", "p-1"), "", "x")
	f("fields", body, []string{"l=warn", "n=200", "ok=true", "bin=\xff\x00", "pod=p-1", `k={"pod":"p-1"}`},
		"header_fields", "l=$level,none=$missing,n=n,ok=ok,bin=bin,nil=nil,pod=$k['pod'],k=k")
	headers := pairs("a", "1", "b", 2, "c", nil, "", "e", "d", pairs("x", 1), "a", "again")
	f("map", pairs("headers", headers), []string{"a=1", "b=2", "=e", `d={"x":1}`, "a=again"}, "headers_key", "headers")
	f("map, nested", pairs("x", pairs("h", headers)), []string{"a=1", "b=2", "=e", `d={"x":1}`, "a=again"}, "headers_key", "$x['h']")
	f("odd keys", pairs("h", []byte{0x82, 0x01, 0xa1, 'x', 0xc3, 0xa1, 'y'}), []string{"1=x", "true=y"}, "headers_key", "h")
	f("all, in order", pairs("h", pairs("z", 1), "level", "warn", "trace_id", strings.Repeat("ab", 16), "span_id", strings.Repeat("cd", 8), "id", "i-1"),
		[]string{"record_id=i-1", "traceparent=00-abababababababababababababababab-cdcdcdcdcdcdcdcd-00", "env=prod", "l=warn", "z=1"},
		"record_id", "$id", "headers", "env=prod", "header_fields", "l=level", "headers_key", "h", "trace_headers", "on")

	for _, count := range []int{1, 63, 64, 65, 999, 1000} {
		var kv []any
		var want []string
		for i := range count {
			kv = append(kv, fmt.Sprint(i), i)
			want = append(want, fmt.Sprintf("%d=%d", i, i))
		}
		f(fmt.Sprint(count), pairs("h", pairs(kv...)), want, "headers_key", "h")
	}
}

// One record cannot bring headers without bound, and what it brings in the wrong form costs only that.
func TestHeaderBounds(t *testing.T) {
	var kv []any
	for i := range 1500 {
		kv = append(kv, fmt.Sprint(i), "v")
	}
	got := encodeRecord(t, modern(pairs("h", pairs(kv...)), nil), "app", "headers_key", "h")
	if h := readHeaders(t, got.headers); len(h) != 1+maxFieldHeaders || got.counts.headersLeftOut != 500 || h[1] != "0=v" {
		t.Errorf("%d headers, %d left out", len(h), got.counts.headersLeftOut)
	}
	large := pairs("h", pairs("small", "v", "large", strings.Repeat("x", maxFieldHeaderBytes), "last", "v"))
	got = encodeRecord(t, modern(large, nil), "app", "headers_key", "h", "record_id", "off")
	if h := readHeaders(t, got.headers); strings.Join(h, " ") != "small=v last=v" || got.counts.headersLeftOut != 1 {
		t.Errorf("%.100q, %d left out", h, got.counts.headersLeftOut)
	}
	got = encodeRecord(t, modern(pairs("h", "text"), nil), "app", "headers_key", "h", "record_id", "off")
	if len(got.headers) != 0 || got.counts.headersNoMap != 1 {
		t.Errorf("%q, %+v", got.headers, got.counts)
	}
	got = encodeRecord(t, modern(pairs("h", nil), nil), "app", "headers_key", "h", "record_id", "off")
	if len(got.headers) != 0 || got.counts.headersNoMap != 0 {
		t.Errorf("%q, %+v", got.headers, got.counts)
	}
}

func TestTraceParent(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	f := func(name string, body []byte, want string) {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(readHeaders(t, encodeRecord(t, modern(body, nil), "app", "record_id", "off", "trace_headers", "on").headers), "|")
			if want != "" {
				want = "traceparent=" + want
			}
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
	const whole = "00-" + trace + "-" + span + "-"
	f("text", pairs("trace_id", trace, "span_id", span, "trace_flags", "01"), whole+"01")
	f("no flags", pairs("trace_id", trace, "span_id", span), whole+"00")
	f("flags ff", pairs("trace_id", trace, "span_id", span, "trace_flags", "FF"), whole+"ff")
	f("flags 1", pairs("trace_id", trace, "span_id", span, "trace_flags", 1), whole+"01")
	f("flags true", pairs("trace_id", trace, "span_id", span, "trace_flags", true), whole+"01")
	f("flags false", pairs("trace_id", trace, "span_id", span, "trace_flags", false), whole+"00")
	f("flags too large", pairs("trace_id", trace, "span_id", span, "trace_flags", 256), whole+"00")
	f("flags no hex", pairs("trace_id", trace, "span_id", span, "trace_flags", "xx"), whole+"00")
	f("upper case", pairs("trace_id", strings.ToUpper(trace), "span_id", span), whole+"00")
	f("bytes", pairs("trace_id", []byte("\xc4\x10\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"), "span_id", span), whole+"00")
	f("no span", pairs("trace_id", trace), "")
	f("no trace", pairs("span_id", span), "")
	f("zeros", pairs("trace_id", strings.Repeat("0", 32), "span_id", span), "")
	f("zero span", pairs("trace_id", trace, "span_id", strings.Repeat("0", 16)), "")
	f("short", pairs("trace_id", trace[1:], "span_id", span), "")
	f("no hex", pairs("trace_id", "g"+trace[1:], "span_id", span), "")
	f("a number", pairs("trace_id", 7, "span_id", span), "")
}

// A field can be the id; where a record lacks it, or has what is no id, it has one of our own.
func TestRecordIDFromField(t *testing.T) {
	f := func(name string, body []byte, want string) {
		t.Run(name, func(t *testing.T) {
			got := encodeRecord(t, modern(body, nil), "app", "record_id", "$event['id']")
			h := readHeaders(t, got.headers)
			id, _ := strings.CutPrefix(h[0], "record_id=")
			if want == "" && (len(id) != idTextLen || got.counts.idMissing != 1) || want != "" && (id != want || got.counts.idMissing != 0) {
				t.Errorf("%q, missing %d, want %q", id, got.counts.idMissing, want)
			}
		})
	}
	f("text", pairs("event", pairs("id", "a-1")), "a-1")
	f("number", pairs("event", pairs("id", 1<<40)), "1099511627776")
	f("longest", pairs("event", pairs("id", strings.Repeat("x", maxIDText))), strings.Repeat("x", maxIDText))
	f("too long", pairs("event", pairs("id", strings.Repeat("x", maxIDText+1))), "")
	f("empty", pairs("event", pairs("id", "")), "")
	f("nil", pairs("event", pairs("id", nil)), "")
	f("absent", pairs("id", "other"), "")
}

// A time far from now is not the Kafka timestamp, but stays in a header. Of the future a day is too far for brokers.
func TestRecordTime(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 7e6, time.UTC)
	f := func(name string, sec int64, nsec uint32, late bool, header string, options ...string) {
		t.Run(name, func(t *testing.T) {
			e := newEncoder(testConfig(t, append([]string{"record_id", "off", "record_time_window", "24h"}, options...)...))
			e.now = func() time.Time { return now }
			s := e.get()
			e.encode(s, chunk.AppendEvent(nil, sec, nsec, nil, pairs("a", 1), true), "app")
			want := sec*1000 + int64(nsec/1e6)
			if late || len(options) > 0 {
				want = now.UnixMilli()
			}
			if got := s.entries[0].ms; got != want {
				t.Errorf("%d, want %d", got, want)
			}
			if got := strings.Join(readHeaders(t, s.entries[0].headers.of(s.text)), "|"); got != header {
				t.Errorf("headers %q, want %q", got, header)
			}
			if got := s.counts.outsideWindow; (got == 1) != late {
				t.Errorf("counted %d", got)
			}
		})
	}
	at := now.Unix()
	f("now", at, 7e6, false, "")
	f("a day ago", at-86400, 7e6, false, "")
	f("a day and a millisecond ago", at-86400, 6e6, true, "event_time=2026-11-23T12:00:00.006000000Z")
	f("in an hour", at+3600, 7e6, false, "")
	f("in an hour and a millisecond", at+3600, 8e6, true, "event_time=2026-11-24T13:00:00.008000000Z")
	f("0", 0, 0, true, "event_time=1970-01-01T00:00:00.000000000Z")
	f("the end of uint32", 1<<32-1, 1, true, "event_time=2106-02-07T06:28:15.000000001Z")
	f("beyond all calendars", 1<<62, 0, true, "event_time=9999-12-31T23:59:59.000000000Z")
	f("time of sending", at-5, 0, false, "", "record_time", "now")
	f("time of sending, long ago", 0, 0, false, "", "record_time", "now")
}

// With all headers there are, event_time stands behind record_id.
func TestRecordTimeHeaderOrder(t *testing.T) {
	e := newEncoder(testConfig(t, "record_time_window", "1h", "headers", "a=b"))
	s := e.get()
	e.encode(s, chunk.AppendEvent(nil, 1, 5, nil, pairs("a", 1), true), "app")
	h := readHeaders(t, s.entries[0].headers.of(s.text))
	if len(h) != 3 || !strings.HasPrefix(h[0], "record_id=") || h[1] != "event_time=1970-01-01T00:00:01.000000005Z" || h[2] != "a=b" {
		t.Errorf("%q", h)
	}
}

// A record whose time a broker refused gets the header when it is written anew, once.
func TestWithEventTime(t *testing.T) {
	f := func(name string, key, value, headers []byte, changed bool, want ...string) {
		t.Run(name, func(t *testing.T) {
			set := &recordSet{}
			set.add(1700000000123, key, value, headers)
			r := recordReader{rest: set.bytes, firstTime: set.firstTime}
			r.next()
			tail, ok := withEventTime(r.tail, r.ms)
			if ok != changed {
				t.Fatalf("changed %v", ok)
			}
			keyLen, n := binary.Varint(tail)
			tail = tail[n+int(max(keyLen, 0)):]
			valueLen, n := binary.Varint(tail)
			if string(tail[n:n+int(valueLen)]) != string(value) {
				t.Fatal("the value is another one")
			}
			if got := readHeaders(t, tail[n+int(valueLen):]); strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%q", got)
			}
		})
	}
	const header = "event_time=2023-11-14T22:13:20.123000000Z"
	f("none", nil, []byte("v"), nil, true, header)
	f("key", []byte("k"), []byte("v"), nil, true, header)
	f("id", nil, nil, idHeader(hexID(1)), true, "record_id="+string(hexID(1)), header)
	f("has it", nil, nil, []byte("\x02\x14event_time\x02x"), false, "event_time=x")
	for _, damaged := range [][]byte{nil, {1}, {1, 0}, {1, 0, 4}, {1, 0, 4, 2, 'x'}, {1, 50}} {
		if out, ok := withEventTime(damaged, 1); ok || string(out) != string(damaged) {
			t.Errorf("%x: changed", damaged)
		}
	}
}
