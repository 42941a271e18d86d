package record

import (
	"bytes"
	"fmt"
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

func BenchmarkAppendJSON(b *testing.B) {
	body := benchBody()
	dst := AppendJSON(nil, body)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendJSON(dst[:0], body)
	}
}

// BenchmarkAppendJSONWide writes a record with more members than a map may have without a hash table for its keys.
func BenchmarkAppendJSONWide(b *testing.B) {
	body := msgp.AppendMapHeader(nil, 60)
	for i := range 60 {
		body = msgp.AppendString(msgp.AppendString(body, fmt.Sprintf("attributes.name_%d", i)), "value")
	}
	dst := AppendJSON(nil, body)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendJSON(dst[:0], body)
	}
}

func BenchmarkAppendJSONFields(b *testing.B) {
	body := benchBody()
	dst := AppendJSON(nil, body)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendJSONFields(append(dst[:0], '{'), body, true)
		dst = append(dst, '}')
	}
}

// BenchmarkMsgpToJSON is the side-by-side run: the same body through a general msgpack library.
func BenchmarkMsgpToJSON(b *testing.B) {
	body := benchBody()
	var out bytes.Buffer
	b.SetBytes(int64(len(AppendJSON(nil, body))))
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if _, err := msgp.UnmarshalAsJSON(&out, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	body := benchBody()
	run := func(path string) {
		b.Run(path, func(b *testing.B) {
			p, err := ParsePath(path)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := p.Find(body); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
	run("status")
	run("$kubernetes['pod']")
	run("kubernetes.pod")
}

func BenchmarkFields(b *testing.B) {
	body := benchBody()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	var f Fields
	for b.Loop() {
		n := 0
		for f.Reset(body); f.Next(); {
			n++
		}
		if n != 11 {
			b.Fatal(n)
		}
	}
}

func BenchmarkAppendFloat(b *testing.B) {
	run := func(name string, f float64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			dst := make([]byte, 0, 64)
			for b.Loop() {
				dst = appendFloat(dst[:0], f, false)
			}
		})
	}
	run("decimal", 12.375)
	run("17 digits", 0.30000000000000004)
}

// BenchmarkFinder looks up what a histogram with three labels needs.
func BenchmarkFinder(b *testing.B) {
	body := benchBody()
	var paths []Path
	for _, s := range []string{"duration_ms", "method", "status", "$kubernetes['namespace']"} {
		p, err := ParsePath(s)
		if err != nil {
			b.Fatal(err)
		}
		paths = append(paths, p)
	}
	f := NewFinder(paths...)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		f.Reset(body)
		for i := range paths {
			if _, ok := f.Value(i); !ok {
				b.Fatalf("%v not found", paths[i])
			}
		}
	}
}
