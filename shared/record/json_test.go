package record

import (
	"encoding/json"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

func TestAppendJSON(t *testing.T) {
	f := func(v []byte, want string) {
		t.Helper()
		got := string(AppendJSON([]byte("x"), v))[1:]
		if got != want {
			t.Errorf("AppendJSON(% x) = %s, want %s", v, got, want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("AppendJSON(% x) = %s, which is not JSON", v, got)
		}
	}
	obj := func(kv ...any) []byte {
		b := msgp.AppendMapHeader(nil, uint32(len(kv)/2))
		for _, x := range kv {
			var err error
			if b, err = msgp.AppendIntf(b, x); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	f(obj("a", 1, "b", "x\"y\n"), `{"a":1,"b":"x\"y\n"}`)
	f(obj("a", 1, "b", 2, "a", 3), `{"b":2,"a":3}`)
	f(obj("a", 1, "a", 3, "b", 4), `{"a":3,"b":4}`)
	f(obj("a", 1.5, "a", "zzz", "a", 200.0), `{"a":200.0}`)
	f(obj(), `{}`)
	f(obj("m", map[string]any{"k": []any{1, nil, true}}), `{"m":{"k":[1,null,true]}}`)
	f(obj("b", []byte{1, 2, 3}), `{"b":"AQID"}`)
	f(nil, "null")
	f([]byte{0x81, 0xa1}, "null")
}
