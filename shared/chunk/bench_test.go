package chunk

import (
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// benchBody is a log record as applications write it: 11 fields, one of them a map, 318 bytes as JSON.
func benchBody() []byte {
	b := msgp.AppendMapHeader(nil, 11)
	str := func(k, v string) { b = msgp.AppendString(msgp.AppendString(b, k), v) }
	str("time", "2024-03-09T12:34:56.789012345Z")
	str("level", "INFO")
	str("logger", "http")
	str("msg", "order accepted")
	str("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	str("user", "c0ffee12")
	b = msgp.AppendInt(msgp.AppendString(b, "status"), 200)
	b = msgp.AppendFloat64(msgp.AppendString(b, "duration_ms"), 12.375)
	str("method", "POST")
	str("path", "/api/v1/orders/")
	b = msgp.AppendMapHeader(msgp.AppendString(b, "kubernetes"), 2)
	str("pod", "checkout-7d9c5b")
	str("namespace", "shop")
	return b
}

func BenchmarkReader(b *testing.B) {
	const events = 1000
	run := func(name string, modern bool) {
		b.Run(name, func(b *testing.B) {
			var data []byte
			body := benchBody()
			for i := range events {
				data = AppendEvent(data, 1700000000+int64(i), 1, nil, body, modern)
			}
			b.SetBytes(int64(len(data) / events))
			b.ReportAllocs()
			var r Reader
			b.ResetTimer()
			for i := 0; i < b.N; {
				for r.Reset(data); i < b.N && r.Next() == Record; {
					i++
				}
			}
		})
	}
	run("modern", true)
	run("old", false)
}

func BenchmarkSkip(b *testing.B) {
	body := benchBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Skip(body); !ok {
			b.Fatal("the body is not complete")
		}
	}
}
