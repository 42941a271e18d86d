package enrich

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/chunk"
	"flbgo/shared/record"
	"flbgo/shared/testkit/chunks"
)

// systemOf has the variables of "NAME=value" lines.
func systemOf(root string, env ...string) identity.System {
	set := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		set[name] = value
	}
	return identity.System{Env: func(name string) string { return set[name] }, Root: root}
}

// The options stand above every source, and each attribute is there once.
func TestSourcesAndOptions(t *testing.T) {
	system := systemOf("/nonexistent", "OTEL_SERVICE_NAME=otel", "OTEL_RESOURCE_ATTRIBUTES=service.version=1,team=blue,deployment.environment=test",
		"DD_ENV=dd", "POD_NAME=p", "NODE_NAME=n")
	f := func(want string, lines ...string) {
		t.Helper()
		filter, err := newOn(system, discard, getter(lines...))
		if err != nil {
			t.Fatal(err)
		}
		defer filter.Close()
		if got := applyJSON(t, filter, "t", `{}`); got != want {
			t.Errorf("%q:\n%s, want\n%s", lines, got, want)
		}
	}
	f(`{"service.name":"otel","service.version":"1","team":"blue","deployment.environment.name":"test"}`)
	f(`{}`, "sources off")
	f(`{"service.version":"2","team":"red","service.name":"otel","deployment.environment.name":"test"}`, "service_version 2", "attributes team=red,service.version=3")
	f(`{"deployment.environment.name":"dd","service.name":"p","k8s.pod.name":"p","k8s.node.name":"n"}`, "sources kubernetes,datadog")
	f(`{"service.environment":"dd","service.name":"p","kubernetes.pod.name":"p","kubernetes.node.name":"n"}`, "sources kubernetes,datadog", "naming ecs")
	// In Datadog's naming the node is the host.
	f(`{"host":"n","service":"p","pod_name":"p"}`, "sources kubernetes", "naming datadog", "attributes k8s.node.name=$x")
	// Fluent Bit's own pod is not that of the records.
	f(`{"k8s.node.name":"n"}`, "sources kubernetes", "service_from record")
}

// What a source says under the name of a field that another option is about is left out.
func TestSourcesKeepOut(t *testing.T) {
	f, err := newOn(systemOf("/nonexistent", "OTEL_RESOURCE_ATTRIBUTES=trace_id=4bf92f3577b34da6a3ce929d0e0e4736,traceparent=x,level=info,severity_number=9,"+
		"gone=1,old=1,new=1,field=1,span.id=1,a.b=ok"), discard, getter("remove gone", "rename old=new", "attributes x=$field"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in, want := range map[string]string{
		`{}`:                           `{"new":"1","a.b":"ok"}`,
		`{"old":5,"field":7,"gone":1}`: `{"new":5,"field":7,"x":7,"a.b":"ok"}`,
		`{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"}`: `{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"00f067aa0ba902b7","trace_flags":"01","new":"1","a.b":"ok"}`,
	} {
		if got := applyJSON(t, f, "t", in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// A source that says something new changes the records from then on, while calls are under way, and each record is of one
// moment.
func TestRefresh(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "etc/podinfo")
	swap := func(n int) {
		version := filepath.Join(folder, fmt.Sprintf("..%d", n))
		if err := os.MkdirAll(version, 0o755); err != nil {
			t.Fatal(err)
		}
		labels := fmt.Sprintf("app.kubernetes.io/name=\"v%d\"\napp.kubernetes.io/version=\"v%d\"\n", n, n)
		if err := os.WriteFile(filepath.Join(version, "labels"), []byte(labels), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Base(version), filepath.Join(folder, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(folder, "..new"), filepath.Join(folder, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	swap(1)
	f, err := newOn(systemOf(root), discard, getter("sources kubernetes", "refresh 5ms"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	record := func(n int) string {
		return fmt.Sprintf(`{"service.name":"v%d","service.version":"v%d"}`, n, n)
	}
	if got := applyJSON(t, f, "t", `{}`); got != record(1) {
		t.Fatal(got)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, ok := applyJSON(t, f, "t", `{}`), false
				for n := 1; n <= 5; n++ {
					ok = ok || got == record(n)
				}
				if !ok {
					t.Errorf("a record of two moments: %s", got)
					return
				}
			}
		})
	}
	for n := 2; n <= 5; n++ {
		swap(n)
		for range 200 {
			if applyJSON(t, f, "t", `{}`) == record(n) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if got := applyJSON(t, f, "t", `{}`); got != record(n) {
			t.Errorf("after swap %d: %s", n, got)
		}
	}
	close(done)
	wg.Wait()
}

// What a pod says is computed once for each pod, and no more pods are remembered than the bound.
func TestPodsAreRemembered(t *testing.T) {
	f := newFilter(t, "service_from record")
	e := newEditor(f.plan.Load())
	e.begin([]byte("t"))
	body := func(n int) []byte {
		return msgpackOf(t, fmt.Sprintf(`{"log":"x","kubernetes":{"pod_name":"pod-%d","labels":{"app.kubernetes.io/name":"app-%d"}}}`, n, n))
	}
	for n := range 3 * maxPods {
		b := body(n)
		e.edit(b)
		out := e.appendBody(nil, b)
		if v, _ := mustPath("$['service.name']").Find(out); string(v.AppendText(nil)) != fmt.Sprintf("app-%d", n) {
			t.Fatalf("pod %d: %s", n, record.AppendJSON(nil, out))
		}
		if len(e.pods.known) > maxPods {
			t.Fatalf("%d pods are remembered", len(e.pods.known))
		}
	}
	annotation := strings.Repeat("x", maxPodBytes/8)
	for n := range 20 {
		e.edit(msgpackOf(t, fmt.Sprintf(`{"kubernetes":{"pod_name":"pod-%d","annotations":{"a":"%s"}}}`, n, annotation)))
		size := 0
		for m := range e.pods.known {
			size += len(m)
		}
		if size > maxPodBytes || size != e.pods.size {
			t.Fatalf("%d bytes of pods are remembered, %d counted", size, e.pods.size)
		}
	}
	a, b := body(1), body(2)
	e.edit(a)
	e.edit(b)
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		e.edit(a)
		e.appendBody(dst, a)
		e.edit(b)
		e.appendBody(dst, b)
	}); n != 0 {
		t.Errorf("%v allocations for pods that are known", n)
	}
}

// Chunks behind the kubernetes filters of real hosts, whose maps 5.1.1 writes with heads longer than needed.
func TestCapturedKubernetes(t *testing.T) {
	f := newFilter(t, "service_from record", "from_message log")
	for _, version := range []string{"1.8.15", "5.1.1"} {
		in, err := os.ReadFile("../../../testdata/chunks/" + version + "-kubernetes.msgpack")
		if err != nil {
			t.Fatal(err)
		}
		body := bodiesOf(in)[0]
		out := string(record.AppendJSON(nil, bodiesOf(apply(f, in, "kube.x"))[0]))
		want := strings.TrimSuffix(string(record.AppendJSON(nil, body)), "}") +
			`,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","level":"WARN","severity_number":13,` +
			`"service.name":"checkout","service.version":"1.4.2","service.instance.id":"shop.checkout-6f7d9b-x2x4z.app","service.namespace":"shop"}`
		if out != want {
			t.Errorf("%s:\n%s, want\n%s", version, out, want)
		}
	}
}

// The trace goes into the metadata of events that have some, in the form that out_opentelemetry takes.
func TestMetadata(t *testing.T) {
	f := newFilter(t, "otlp_metadata on")
	const tp = `{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`
	const own = `{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`
	check := func(metadata, body, want string) {
		t.Helper()
		var m []byte
		if metadata != "" {
			m = msgpackOf(t, metadata)
		}
		in := chunk.AppendEvent(nil, 5, 6, m, msgpackOf(t, body), true)
		once := apply(f, in, "t")
		var r chunk.Reader
		r.Reset(once)
		if r.Next() != chunk.Record || r.Sec != 5 || r.Nsec != 6 {
			t.Fatalf("%s: % x", body, once)
		}
		var b strings.Builder
		show(&b, r.Metadata)
		if b.String() != want {
			t.Errorf("%s with %s: metadata %s, want %s", body, metadata, &b, want)
		}
		if twice := apply(f, once, "t"); !bytes.Equal(twice, once) {
			t.Errorf("%s: a second pass changes % x to % x", body, once, twice)
		}
	}
	const ids = "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_flags=1 "
	check("", tp, "otlp={"+ids+"} ")
	check(`{"a":"b"}`, tp, "a=b otlp={"+ids+"} ")
	check(`{"otlp":{"severity_number":9},"a":"b"}`, tp, "otlp={severity_number=9 "+ids+"} a=b ")
	check(`{"otlp":{"span_id":"x","k":1}}`, own, "otlp={k=1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 } ")
	check(`{"otlp":{"trace_id":"own"}}`, tp, "otlp={trace_id=own } ")
	check(`{"otlp":"text"}`, tp, "otlp=text ")
	check("", `{"msg":"x"}`, "")
	check("", `{"traceparent":"bad"}`, "")
	// The old form has no metadata, and group markers are none of ours.
	old := chunkOf(false, msgpackOf(t, tp))
	if got := apply(f, old, "t"); got[1] == 0x92 {
		t.Errorf("the old form became % x", got)
	}
	group := chunk.AppendGroupStart(nil, nil, msgpackOf(t, tp))
	if got := apply(f, group, "t"); !bytes.Equal(got, group) {
		t.Errorf("a group marker became % x", got)
	}
}

// show writes a map as k=v, binary data in hexadecimal.
func show(b *strings.Builder, m record.Value) {
	var f record.Fields
	for f.Reset(m); f.Next(); {
		fmt.Fprintf(b, "%s=", f.Key.AppendText(nil))
		switch text, _ := f.Value.Text(); f.Value.Type() {
		case record.Map:
			b.WriteByte('{')
			show(b, f.Value)
			b.WriteByte('}')
		case record.Binary:
			fmt.Fprintf(b, "%x", text)
		default:
			b.Write(f.Value.AppendText(nil))
		}
		b.WriteByte(' ')
	}
}

// Every chunk of the corpus and of real hosts, through every option set: nothing is lost, twice is once.
func TestCorpus(t *testing.T) {
	cases := chunks.Corpus()
	files, _ := filepath.Glob("../../../testdata/chunks/*.msgpack")
	if len(files) == 0 {
		t.Fatal("no captured chunks")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, chunks.Case{Name: filepath.Base(file), Bytes: b})
	}
	for _, options := range append(optionSets, benchOptions) {
		f := newFilter(t, options...)
		for _, c := range cases {
			once := apply(f, c.Bytes, "app.x")
			var in, out chunk.Reader
			in.Reset(c.Bytes)
			out.Reset(once)
			for kind := in.Next(); ; kind = in.Next() {
				if got := out.Next(); got != kind || kind != chunk.Record && !bytes.Equal(in.Raw, out.Raw) {
					t.Errorf("%q: %s: a %v became a %v", options, c.Name, kind, got)
					break
				}
				if kind == chunk.End {
					break
				}
			}
			if twice := apply(f, once, "app.x"); !bytes.Equal(twice, once) {
				t.Errorf("%q: %s: a second pass changes it", options, c.Name)
			}
		}
	}
}

// Two instances serve their counters at one address, and the port is free when both have gone.
func TestListen(t *testing.T) {
	start := func(address string, lines ...string) *Filter {
		f, err := newOn(systemOf("/nonexistent", "OTEL_SERVICE_NAME=x"), discard, getter(append(lines, "listen "+address)...))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a := start("127.0.0.1:0", "sources otel,ecs")
	address := a.listener.Addr()
	b := start(address)
	apply(a, chunkOf(true, msgpackOf(t, `{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`), msgpackOf(t, `{"b3":"x"}`)), "t")
	var page []byte
	// The source is asked beside the start.
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(string(page), `source="ecs",state="absent"} 1`) && time.Now().Before(deadline); {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		page, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`enrich_records_total{instance="0"} 2`, `enrich_records_total{instance="1"} 0`, `enrich_enriched_total{instance="0"} 2`,
		`enrich_trace_found_total{format="w3c",instance="0"} 1`, `enrich_trace_converted_total{format="w3c",instance="0"} 1`,
		`enrich_trace_invalid_total{format="b3",instance="0"} 1`, `enrich_trace_absent_total{instance="0"} 0`,
		`enrich_conflicts_kept_total{instance="0"} 0`,
		`enrich_source_state{instance="0",source="otel",state="found"} 1`, `enrich_source_state{instance="0",source="ecs",state="absent"} 1`,
		`enrich_source_state{instance="0",source="ecs",state="failed"} 0`,
	} {
		if !strings.Contains(string(page), "\n"+want+"\n") {
			t.Errorf("the page lacks %s", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", page)
	}
	a.Close()
	b.Close()
	start(address).Close()
}
