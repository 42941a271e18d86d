package kafkacheck

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestIdentify(t *testing.T) {
	is := func(record, stream string, seq uint64) {
		t.Helper()
		obj, err := parseObject(nil, []byte(record))
		if err != nil {
			t.Fatal(err)
		}
		gotStream, gotSeq, ok := identify(obj, "file")
		if !ok || gotStream != stream || gotSeq != seq {
			t.Errorf("%s: %s %d %v, want %s %d", record, gotStream, gotSeq, ok, stream, seq)
		}
	}
	// By the file, which may have been rotated.
	is(`{"file":"/var/log/app/zap.log","seq":7}`, "zap", 7)
	is(`{"file":"zap.log.12","seq":18446744073709551615}`, "zap", 1<<64-1)
	is(`{"seq":"8","file":"C\u002fx/other.log"}`, "other", 8)
	is(`{"file":"/l/gin.log.1","path":"/a?seq=3","message":"GET /a?seq=3"}`, "gin", 3)
	is(`{"file":"/l/java.log","message":"open seq=9\nat x seq=10"}`, "java", 9)
	is(`{"file":"/l/nginx.log","log":"GET /a?seq=4&b=5 HTTP/1.1"}`, "nginx", 4)
	// By what the record says, with no file or one that tells nothing.
	is(`{"log_type":"access","path":"/a?seq=1","message":"GET /a?seq=1 HTTP/1.1"}`, "nginx", 1)
	is(`{"log_type":"access","path":"/a?seq=1","message":"GET /a?seq=1"}`, "gin", 1)
	is(`{"file":"/dev/stdin","log_type":"app","logger":"slog","seq":2}`, "slog", 2)
	is(`{"log_type":"app","logger":"com.acme.App","message":"m seq=3"}`, "java", 3)
	is(`{"log_type":"app","message":"a|b seq=4"}`, "pipe", 4)

	not := func(record string) {
		t.Helper()
		obj, err := parseObject(nil, []byte(record))
		if err != nil {
			t.Fatal(err)
		}
		if stream, seq, ok := identify(obj, "file"); ok {
			t.Errorf("%s is taken for %s %d", record, stream, seq)
		}
	}
	not(`{}`)
	not(`{"file":"zap.log"}`)
	not(`{"file":"zap.log","seq":-1}`)
	not(`{"file":"zap.log","seq":1.5}`)
	not(`{"file":"zap.log","seq":18446744073709551616}`)
	not(`{"file":"zap.log","message":"seq="}`)
	not(`{"seq":1}`)
	not(`{"seq":1,"log_type":"access2"}`)
}

func TestParseObjectRejects(t *testing.T) {
	for _, bad := range []string{"", " ", "null", "[]", `"{}"`, "12", "{", `{"a":}`, `{"a":1}}`, `{"a":1,}`, "{\"a\":\"\n\"}"} {
		if obj, err := parseObject(nil, []byte(bad)); err == nil {
			t.Errorf("%q is taken for an object: %v", bad, obj)
		}
	}
}

// The members are those that encoding/json finds, with the bytes that it finds.
func FuzzParseObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a" : -1.5e3 , "b":true}`, `{"a":{"b":[1,{"c":"}"}]},"d":"\"]\\"}`,
		`{"\u0061\"":null,"a":[ ]}`, `{"a":1,"a":2}`, "{\"ü\":\"\\ud83d\\ude9a\"\n}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		obj, err := parseObject(nil, in)
		var want map[string]json.RawMessage
		isObject := json.Unmarshal(in, &want) == nil && want != nil
		if (err == nil) != isObject {
			t.Fatalf("%q: error %v, an object to encoding/json: %v", in, err, isObject)
		}
		if err != nil {
			return
		}
		for key, value := range want {
			got, ok := obj.get(key)
			// Keys of invalid UTF-8 are mended by encoding/json, not here.
			if !ok && bytes.ContainsRune([]byte(key), '\ufffd') {
				continue
			}
			if !ok || !bytes.Equal(got, value) {
				t.Fatalf("%q: key %q is %q, want %q", in, key, got, value)
			}
		}
		if len(obj) < len(want) {
			t.Fatalf("%q: %d members, want at least %d", in, len(obj), len(want))
		}
	})
}
