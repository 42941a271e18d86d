package fieldmetrics

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

func TestMetrics(t *testing.T) {
	f := func(s settings, want string, records ...[]byte) {
		t.Helper()
		p := start(t, s)
		flushed(t, p, events(records...))
		shows(t, p, want, s["metric_name"])
	}

	// a counter of records
	f(settings{"metric_name": "log_records_total", "label_fields": "level,code=$http.status"}, `
		# HELP log_records_total Number of records.
		# TYPE log_records_total counter
		log_records_total{code="200",level="info"} 2
		log_records_total{code="",level="error"} 1
		log_records_total{code="500",level=""} 1
	`,
		rec("level", "info", "http", map[string]any{"status": 200}),
		rec("level", "error"),
		rec("http", map[string]any{"status": "500"}),
		rec("level", "info", "http", map[string]any{"status": "200"}),
	)

	// a counter that adds, with labels that are the same for all
	f(settings{"metric_name": "sent_bytes_total", "field": "bytes", "labels": "cluster=eu1,tier=web", "metric_help": "Bytes sent."}, `
		# HELP sent_bytes_total Bytes sent.
		# TYPE sent_bytes_total counter
		sent_bytes_total{cluster="eu1",tier="web"} 1512.75
	`,
		rec("bytes", 1000), rec("bytes", "512.5"), rec("bytes", 0.25), rec("bytes", 0),
	)

	// a gauge has the last value, in the order of the chunk
	f(settings{"metric_name": "queue_length", "metric_type": "Gauge", "field": "$queue['length']", "label_fields": "$queue.name"}, `
		# HELP queue_length Last value of the field $queue['length'].
		# TYPE queue_length gauge
		queue_length{queue_name="in"} -3
		queue_length{queue_name="out"} 7
	`,
		rec("queue", map[string]any{"name": "in", "length": 5}),
		rec("queue", map[string]any{"name": "out", "length": 7}),
		rec("queue", map[string]any{"name": "in", "length": -3}),
	)

	// a histogram; a value that is equal to a bound is in its bucket
	f(settings{"metric_name": "duration_milliseconds", "metric_type": "histogram", "field": "d", "buckets": "1,10,100"}, `
		# HELP duration_milliseconds Values of the field d.
		# TYPE duration_milliseconds histogram
		duration_milliseconds_bucket{le="1"} 2
		duration_milliseconds_bucket{le="10"} 3
		duration_milliseconds_bucket{le="100"} 4
		duration_milliseconds_bucket{le="+Inf"} 5
		duration_milliseconds_sum 1107.5
		duration_milliseconds_count 5
	`,
		rec("d", -3.5), rec("d", 1), rec("d", 10), rec("d", 100), rec("d", "1000"),
	)

	// without labels there is a series before the first record, so that a rate has where to begin
	f(settings{"metric_name": "log_records_total"}, `
		# HELP log_records_total Number of records.
		# TYPE log_records_total counter
		log_records_total 0
	`)

	// but a gauge without a value has none
	f(settings{"metric_name": "queue_length", "metric_type": "gauge", "field": "n"}, ``)

	// with one label that is empty at first
	f(settings{"metric_name": "log_records_total", "label_fields": "level"}, `
		# HELP log_records_total Number of records.
		# TYPE log_records_total counter
		log_records_total{level=""} 1
	`, rec("msg", "x"))
}

// A record whose value cannot be used costs itself, is counted, and never takes the value of the record before it (the
// built-in log_to_metrics records the previous value again for text that is no number).
func TestValuesThatDoNotCount(t *testing.T) {
	f := func(kind string, value any, want string) {
		t.Helper()
		p := start(t, settings{"metric_name": "m", "metric_type": kind, "field": "v", "buckets": map[string]string{"histogram": "1,2"}[kind]})
		bad := rec("msg", "no value")
		if value != nil {
			bad = rec("v", value)
		}
		flushed(t, p, events(rec("v", 7), bad, rec("v", 7)))
		results := map[string]string{"counted": "2", want: "1"}
		sum := "14"
		if want == "counted" {
			results = map[string]string{"counted": "3"}
		}
		became(t, p, "m", results)
		got := page(t, p.Addr())
		switch kind {
		case "counter":
			if want != "counted" && got["m"] != sum {
				t.Errorf("%v: counter is %s, want %s", value, got["m"], sum)
			}
		case "gauge":
			if got["m"] != "7" {
				t.Errorf("%v: gauge is %s, want 7", value, got["m"])
			}
		case "histogram":
			if want != "counted" && (got["m_sum"] != sum || got["m_count"] != "2") {
				t.Errorf("%v: sum %s of %s, want %s of 2", value, got["m_sum"], got["m_count"], sum)
			}
		}
	}
	for _, kind := range kindNames[:3] {
		f(kind, nil, "missing")
		f(kind, "", "not_a_number")
		f(kind, "-", "not_a_number")
		f(kind, "12ms", "not_a_number")
		f(kind, "0x10", "not_a_number")
		f(kind, "NaN", "not_a_number")
		f(kind, "Inf", "not_a_number")
		f(kind, "1e999", "not_a_number")
		f(kind, math.NaN(), "not_a_number")
		f(kind, math.Inf(1), "not_a_number")
		f(kind, math.Inf(-1), "not_a_number")
		f(kind, []byte{}, "not_a_number")
		f(kind, map[string]any{"v": 1}, "not_a_number")
		f(kind, []any{1}, "not_a_number")
		f(kind, 1e3, "counted")
		f(kind, "1e3", "counted")
	}
	f("counter", -1, "out_of_range")
	f("counter", "-0.5", "out_of_range")
	f("counter", maxIncrement, "counted")
	f("counter", maxIncrement+2, "out_of_range")
	f("counter", uint64(math.MaxUint64), "out_of_range")
	f("gauge", -1, "counted")
	f("histogram", -1, "counted")

	// nil is as good as no field
	p := start(t, settings{"metric_name": "m", "field": "v"})
	flushed(t, p, events(msgp.AppendNil(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "v"))))
	became(t, p, "m", map[string]string{"missing": "1"})
}

// client_golang keeps whole increments of a counter in 64 bits that wrap: two records of 1e19 made it go back.
func TestCounterDoesNotWrap(t *testing.T) {
	p := start(t, settings{"metric_name": "m_total", "field": "v"})
	flushed(t, p, events(rec("v", 5), rec("v", 1e19), rec("v", 1e19)))
	if got := page(t, p.Addr())["m_total"]; got != "5" {
		t.Errorf("counter is %s, want 5", got)
	}
	became(t, p, "m_total", map[string]string{"counted": "1", "out_of_range": "2"})
}

// Markers of groups are not records, and damage costs the event that has it.
func TestEventsThatAreNoRecords(t *testing.T) {
	var out logs
	p, err := open(t, settings{"metric_name": "m_total", "label_fields": "level"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	one := events(rec("level", "info"))
	data := chunk.AppendGroupStart(nil, rec("level", "group"), rec("level", "group"))
	data = append(data, one...)
	data = chunk.AppendGroupEnd(data)
	data = append(data, 0xc1, 0xc1) // never msgpack
	data = append(data, one...)
	data = msgp.AppendString(data, "no event")
	data = append(data, one...)
	data = append(data, one[:len(one)-3]...) // cut short

	flushed(t, p, data)
	flushed(t, p, nil)
	shows(t, p, `
		# HELP m_total Number of records.
		# TYPE m_total counter
		m_total{level="info"} 3
	`, "m_total")
	became(t, p, "m_total", map[string]string{"counted": "3"})
	if got := page(t, p.Addr())[`field_metrics_damaged_events_total{metric="m_total"}`]; got != "3" {
		t.Errorf("%s damaged events, want 3", got)
	}
	if n := strings.Count(out.String(), "damaged"); n == 0 || !strings.Contains(out.String(), "m_total") {
		t.Errorf("damage is not in the log:\n%s", &out)
	}
}

// Before 2.2 the engine unmaps chunks at its exit while workers still read them. The fault is a panic, and a chunk that
// panics half-way must have left nothing behind: no count, no new series, no count of what did not count.
func TestPanicHalfWayCountsNothing(t *testing.T) {
	p := start(t, settings{"metric_name": "m_total", "field": "v", "label_fields": "level"})
	flushed(t, p, events(rec("level", "known", "v", 1)))
	before := body(t, p.Addr())

	size := syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(memory) }()
	var data []byte
	for i := 0; len(data) < len(memory); i++ {
		data = append(data, events(
			rec("level", "known", "v", 1), rec("level", "new"+strconv.Itoa(i), "v", 1), rec("level", "known", "v", "?"), rec("v", nil))...)
	}
	copy(memory, data)
	if err := syscall.Mprotect(memory[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}

	flush := func(data []byte) (panicked any) {
		defer func() { panicked = recover() }()
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		_ = p.Flush(data, "app", false)
		return nil
	}
	for range 3 {
		if flush(memory) == nil {
			t.Fatal("a flush over memory that is not there did not panic")
		}
	}
	if after := body(t, p.Addr()); after != before {
		t.Errorf("something was left behind:\n%s\nbefore:\n%s", after, before)
	}

	// and the instance goes on, its locks free
	flushed(t, p, memory[:0])
	flushed(t, p, events(rec("level", "new0", "v", 1)))
	if got := page(t, p.Addr())[`m_total{level="new0"}`]; got != "1" {
		t.Errorf("the next chunk counts %q, want 1", got)
	}
}

func TestMaxSeries(t *testing.T) {
	var out logs
	p, err := open(t, settings{"metric_name": "m_total", "label_fields": "user", "max_series": "3"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for i := range 100 {
		records = append(records, rec("user", i), rec("user", 0))
	}
	flushed(t, p, events(records...))
	flushed(t, p, events(records...))
	shows(t, p, `
		# HELP m_total Number of records.
		# TYPE m_total counter
		m_total{user="0"} 202
		m_total{user="1"} 2
		m_total{user="2"} 2
		m_total{user="other"} 194
		# HELP field_metrics_series Sets of label values that the metric has.
		# TYPE field_metrics_series gauge
		field_metrics_series{metric="m_total"} 4
		# HELP field_metrics_max_series How many sets of label values the metric may have; the series of what is folded comes on top.
		# TYPE field_metrics_max_series gauge
		field_metrics_max_series{metric="m_total"} 3
	`, "m_total", "field_metrics_series", "field_metrics_max_series")
	became(t, p, "m_total", map[string]string{"counted": "206", "folded": "194"})
	if n := strings.Count(out.String(), "max_series is reached"); n != 1 {
		t.Errorf("%d lines about max_series, want one a minute:\n%s", n, &out)
	}
}

// The log says that there is a problem, and not what is in the records.
func TestLogShowsNoRecords(t *testing.T) {
	var out logs
	p, err := open(t, settings{"metric_name": "m_total", "field": "v", "label_fields": "user"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		flushed(t, p, events(rec("v", "hunter2", "user", "hunter2"), rec("v", -1), rec("user", "hunter2")))
	}
	text := out.String()
	if strings.Contains(text, "hunter2") {
		t.Errorf("the log shows what is in a record:\n%s", text)
	}
	for _, want := range []string{problems[notANumber], problems[outOfRange]} {
		if strings.Count(text, want) != 1 {
			t.Errorf("want one line with %q:\n%s", want, text)
		}
	}
}

// What is served has no problem that promlint knows.
func TestPageIsLintClean(t *testing.T) {
	for _, s := range []settings{
		{"metric_name": "log_records_total", "label_fields": "level"},
		{"metric_name": "sent_bytes_total", "field": "bytes"},
		{"metric_name": "queue_length", "metric_type": "gauge", "field": "n"},
		{"metric_name": "http_request_duration_seconds", "metric_type": "histogram", "field": "n"},
	} {
		p := start(t, s)
		flushed(t, p, events(rec("level", "info", "bytes", 1, "n", 1)))
		got, err := promlint.New(strings.NewReader(body(t, p.Addr()))).Lint()
		if err != nil || len(got) > 0 {
			t.Errorf("%s: %v %v", s["metric_name"], got, err)
		}
	}
}

// Flushes on several workers and scrapes at the same time; every record is counted once.
func TestConcurrentFlushesAndScrapes(t *testing.T) {
	const workers, chunks, each = 8, 30, 50
	p := start(t, settings{"metric_name": "m_total", "label_fields": "worker,i"})
	h := start(t, settings{"metric_name": "h", "metric_type": "histogram", "field": "i", "label_fields": "worker", "buckets": "10"})
	stop := make(chan struct{})
	var flushes, scrapes sync.WaitGroup
	scrapes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = body(t, p.Addr()), body(t, h.Addr())
			}
		}
	})
	for w := range workers {
		flushes.Go(func() {
			for c := range chunks {
				var records [][]byte
				for i := range each {
					records = append(records, rec("worker", w%4, "i", (i+c)%each))
				}
				data := events(records...)
				flushed(t, p, data)
				flushed(t, h, data)
				clear(data) // the host takes its memory back
			}
		})
	}
	flushes.Wait()
	close(stop)
	scrapes.Wait()
	want := strconv.Itoa(workers * chunks * each)
	became(t, p, "m_total", map[string]string{"counted": want})
	became(t, h, "h", map[string]string{"counted": want})
	total := 0
	for name, v := range page(t, p.Addr()) {
		if strings.HasPrefix(name, "m_total{") {
			n, _ := strconv.Atoi(v)
			if n != 2*chunks {
				t.Errorf("%s %s, want %d", name, v, 2*chunks)
			}
			total += n
		}
	}
	if strconv.Itoa(total) != want {
		t.Errorf("%d counted, want %s", total, want)
	}
}

// Two instances at one address: one page with both, and both own metrics on it.
func TestTwoInstancesShareAPage(t *testing.T) {
	a := start(t, settings{"metric_name": "a_total", "label_fields": "level"})
	b := start(t, settings{"metric_name": "b_total", "listen": a.Addr()})
	flushed(t, a, events(rec("level", "info")))
	flushed(t, b, events(rec(), rec()))
	want := `
		# HELP b_total Number of records.
		# TYPE b_total counter
		b_total 2
		# HELP field_metrics_series Sets of label values that the metric has.
		# TYPE field_metrics_series gauge
		field_metrics_series{metric="b_total"} 1`
	shows(t, b, want+`
		field_metrics_series{metric="a_total"} 1
		# HELP a_total Number of records.
		# TYPE a_total counter
		a_total{level="info"} 1
	`, "a_total", "b_total", "field_metrics_series")

	// the address stays until the last one is gone
	a.Close()
	a.Close()
	flushed(t, a, events(rec("level", "info"))) // a worker that is still draining
	shows(t, b, want+"\n", "a_total", "b_total", "field_metrics_series")
	address := b.Addr()
	b.Close()
	c := start(t, settings{"metric_name": "a_total", "listen": address})
	if c.Addr() != address {
		t.Errorf("the port was not free after the last instance closed: %s", c.Addr())
	}
	became(t, c, "a_total", nil) // nothing of the instance that had the name before
}

func TestNamesThatClash(t *testing.T) {
	a := start(t, settings{"metric_name": "http_requests", "metric_type": "histogram", "field": "ms"})
	f := func(name string, want ...string) {
		t.Helper()
		_, err := open(t, settings{"metric_name": name, "listen": a.Addr()}, io.Discard)
		if (err == nil) != (want == nil) {
			t.Fatalf("%s: %v", name, err)
		}
		for _, w := range append(want, a.Addr()) {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in the error: %v", name, w, err)
			}
		}
	}
	f("http_requests", "option metric_name", `"http_requests"`, "value_field=ms")
	f("http_requests_count", "option metric_name", `"http_requests_count"`, "metric_name=http_requests ")
	f("http_requests_total", "option metric_name", "http_requests is already served") // OpenMetrics' name of its family
	f("http_requests_seen_total")
}

func TestPortInUse(t *testing.T) {
	s := settings{"metric_name": "m_total"}
	a := start(t, maps.Clone(s))
	_, port, _ := strings.Cut(a.Addr(), ":")
	// the same port in another spelling is another address
	_, err := New(slog.New(slog.DiscardHandler), settings{"metric_name": "m_total", "listen": "localhost:" + port}.get)
	if err == nil {
		t.Fatal("a port that is in use is no error")
	}
	for _, want := range []string{"option listen", "localhost:" + port, "address already in use"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
}

func TestListenOff(t *testing.T) {
	p := start(t, settings{"metric_name": "m_total", "listen": "off"})
	if p.Addr() != "" {
		t.Errorf("off listens on %s", p.Addr())
	}
	flushed(t, p, events(rec()))
}

func ExamplePlugin() {
	options := map[string]string{
		"listen":       "127.0.0.1:0",
		"metric_name":  "log_records_total",
		"label_fields": "level",
	}
	p, err := New(slog.New(slog.DiscardHandler), func(name string) string { return options[name] })
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	fmt.Println(p.Flush(events(rec("level", "info")), "app", false))
	// Output: <nil>
}
