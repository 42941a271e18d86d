package enrich

import (
	"bytes"
	"testing"
)

// benchRecord is a JSON log line of 318 bytes with 11 fields, one of them a map: what a service with a JSON logger and
// a tracing middleware writes.
const benchRecord = `{"level":"info","logger":"http","msg":"request served","method":"GET","path":"/api/v1/orders/8123",` +
	`"status":200,"duration_ms":12.417,"user_id":"u-48151623","request_id":"7f3a1c5e-9b2d-4e8f-a1b2c3d4e5",` +
	`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","order":{"id":8123,"amount":42.5,"item":"s"}}`

var benchOptions = []string{"attributes service.name=checkout,service.version=1.4.2,deployment.environment.name=production,host.name=node-17,log_type=$TAG[0]"}

func benchChunk(tb testing.TB, records int) []byte {
	body := msgpackOf(tb, benchRecord)
	return chunkOf(true, bytes.Split(bytes.Repeat(append(body, "\x00split"...), records), []byte("\x00split"))[:records]...)
}

func benchApply(b *testing.B, records int, options ...string) {
	f := newFilter(b, options...)
	data := benchChunk(b, records)
	tag := []byte("app.checkout.log")
	dst := make([]byte, 0, 2*f.SizeHint(len(data)))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Apply(dst, data, tag)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
}

// Five attributes, traceparent to three fields, the level: a chunk of 1,000 records.
func BenchmarkApply(b *testing.B) { benchApply(b, 1000, benchOptions...) }

// The same with everything else that enrich can do.
func BenchmarkApplyAll(b *testing.B) {
	benchApply(b, 1000, append(benchOptions, "rename msg=message,user_id=user.id,severity=level", "remove logger,stream",
		"level_from_status status", "durations latency=duration_ms,request_time=duration_ms")...)
}

// Records that have been enriched: what a second filter of the same kind costs.
func BenchmarkApplyAgain(b *testing.B) {
	f := newFilter(b, benchOptions...)
	data := apply(f, benchChunk(b, 1000), "app.checkout.log")
	tag := []byte("app.checkout.log")
	dst := make([]byte, 0, f.SizeHint(len(data)))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Apply(dst, data, tag)
	}
}

// A chunk of one record: what a call costs.
func BenchmarkApplySmall(b *testing.B) { benchApply(b, 1, benchOptions...) }

// benchRecords runs a chunk of 1,000 equal records.
func benchRecords(b *testing.B, json string, options ...string) {
	f := newFilter(b, options...)
	bodies := make([][]byte, 1000)
	for i := range bodies {
		bodies[i] = msgpackOf(b, json)
	}
	data := chunkOf(true, bodies...)
	tag := []byte("kube.var.log.containers.checkout")
	dst := make([]byte, 0, 2*len(data)+1<<20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Apply(dst, data, tag)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

// Other formats than W3C, and none at all.
func BenchmarkTrace(b *testing.B) {
	for _, c := range []struct{ name, fields string }{
		{"none", `"n":1`},
		{"w3c", `"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`},
		{"otel", `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"`},
		{"camel", `"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"`},
		{"b3", `"X-B3-TraceId":"463ac35c9f6413ad48485a3953bb6124","X-B3-SpanId":"a2fb4a1d1a96d312","X-B3-Sampled":"1"`},
		{"datadog", `"dd":{"trace_id":"14573057136609150318","span_id":"11594175318013923024"}`},
		{"headers", `"headers":{"host":"a","accept":"b","user-agent":"c","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchRecords(b, `{"level":"info","logger":"http","msg":"request served","method":"GET","path":"/api/v1/orders/8123","status":200,`+c.fields+`}`, benchOptions...)
		})
	}
}

// A container's log: JSON in the field log, the pod's map beside it.
func BenchmarkPodAndMessage(b *testing.B) {
	benchRecords(b, `{"stream":"stdout","log":"{\"level\":\"info\",\"msg\":\"request served\",\"status\":200,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\"}\n",`+
		`"kubernetes":{"pod_name":"checkout-6f7d9b-x2x4z","namespace_name":"shop","pod_id":"6f3a9b1c-0000-4000-8000-000000000001","labels":{"app.kubernetes.io/name":"checkout","pod-template-hash":"6f7d9b"},`+
		`"annotations":{"prometheus.io/scrape":"true"},"host":"node-17","container_name":"app","docker_id":"c9898099f6d235126d564ed38a020007ea7a6fac6e25e718de683c9dd0076c16"}}`,
		"service_from record", "from_message log")
}
