package fieldmetrics

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

// An exemplar has an id as it stands in the record or none: never a part of one, and never what OpenMetrics refuses or
// client_golang panics at.
func TestExemplarIDs(t *testing.T) {
	fields := record.NewFinder(path(t, "trace_id"), path(t, "span_id"))
	f := func(traceID, spanID any, want string) {
		t.Helper()
		fields.Reset(rec("trace_id", traceID, "span_id", spanID))
		ids, n := appendIDs([]byte("before"), fields, 0, 1)
		got := string(ids[6 : 6+n])
		if n > 0 {
			got += "/" + string(ids[6+n:])
		}
		if got != want || string(ids[:6]) != "before" || n == 0 && len(ids) > 6 {
			t.Errorf("%v, %v: %q, want %q", traceID, spanID, got, want)
		}
		x := exemplar{ids: ids[6:], trace: n}
		runes := 0
		for _, l := range x.show().GetLabel() {
			if !utf8.ValidString(l.GetValue()) {
				t.Errorf("%q is no UTF-8", l.GetValue())
			}
			runes += utf8.RuneCountInString(l.GetName() + l.GetValue())
		}
		if runes > maxExemplarRunes {
			t.Errorf("%v, %v: %d characters", traceID, spanID, runes)
		}
	}
	f(trace, span, trace+"/"+span)
	f([]byte(trace), span, trace+"/"+span)
	f(trace, nil, trace+"/")
	f(trace, 12, trace+"/")
	f(trace, "0000000000000000", trace+"/")
	f(trace, "sp\xff", trace+"/")
	f(nil, span, "")
	f("", span, "")
	f(12, span, "")
	f("00000000000000000000000000000000", span, "")
	f("\xff"+trace, span, "")
	for _, c := range []string{"\x00", "\n", "\x1f", "\x7f"} {
		f(trace+c, span, "")
		f(c, span, "")
		f(trace, c+span, trace+"/")
	}
	long := strings.Repeat("é", 120)
	f(long, "", long+"/")
	f(long, span, long+"/") // no room for the span
	f(long+"é", span, "")
	f(strings.Repeat("x", 1<<16), span, "")
	f(strings.Repeat("x", 97), span, strings.Repeat("x", 97)+"/"+span)
	f(strings.Repeat("x", 98), span, strings.Repeat("x", 98)+"/")
}

func FuzzExemplarIDs(f *testing.F) {
	f.Add(trace, span)
	f.Add("\xff", "é")
	f.Fuzz(func(t *testing.T, traceID, spanID string) {
		fields := record.NewFinder(path(t, "t"), path(t, "s"))
		fields.Reset(rec("t", traceID, "s", spanID))
		ids, n := appendIDs(nil, fields, 0, 1)
		if n > 0 && string(ids[:n]) != traceID || len(ids) > n && string(ids[n:]) != spanID {
			t.Errorf("%q, %q became %q and %q", traceID, spanID, ids[:n], ids[n:])
		}
		if !utf8.Valid(ids) || utf8.RuneCount(ids) > maxExemplarRunes-len(traceLabel) {
			t.Errorf("%q is no exemplar", ids)
		}
	})
}

// gathered is one family.
func gathered(t testing.TB, p *Plugin, name string) *dto.MetricFamily {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	if i < 0 {
		t.Fatalf("%s is not there", name)
	}
	return families[i]
}

// at is a chunk of one record with a time and a trace.
func at(when time.Time, id int, fields ...any) []byte {
	fields = append(fields, "trace_id", fmt.Sprintf("%032x", id))
	return chunk.AppendEvent(nil, when.Unix(), uint32(when.Nanosecond()), nil, rec(fields...), true)
}

// A series takes one exemplar in exemplar_interval; one of an event before the last one, or of the same millisecond, it
// does not take, because Prometheus refuses exemplars out of order; an event of tomorrow counts as one of now.
func TestExemplarInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, settings{"metric_name": "m_total", "label_field": "a", "exemplar_interval": "10s", "listen": "off"})
		f := func(want string) {
			t.Helper()
			x := gathered(t, p, "m_total").GetMetric()[0].GetCounter().GetExemplar()
			got := ""
			if x != nil {
				got = strings.TrimLeft(x.GetLabel()[0].GetValue(), "0") + " " + x.GetTimestamp().AsTime().Format("15:04:05.000")
			}
			if got != want {
				t.Errorf("exemplar %q, want %q", got, want)
			}
		}
		begin := time.Now() // 00:00:00
		flushed(t, p, at(begin, 1))
		f("1 00:00:00.000")
		time.Sleep(9 * time.Second)
		flushed(t, p, at(time.Now(), 2))
		f("1 00:00:00.000")
		time.Sleep(time.Second)
		flushed(t, p, at(time.Now().Add(-time.Millisecond), 3))
		f("3 00:00:09.999")
		time.Sleep(10 * time.Second)
		flushed(t, p, at(begin, 4))
		f("3 00:00:09.999")
		flushed(t, p, at(begin.Add(10*time.Second-time.Microsecond), 7)) // lines of whole seconds that came late
		f("3 00:00:09.999")
		flushed(t, p, at(time.Now().Add(24*time.Hour), 5))
		f("5 00:00:20.000")
		time.Sleep(10 * time.Second)
		flushed(t, p, at(time.Now(), 6))
		f("6 00:00:30.000")
		if got := gathered(t, p, "m_total").GetMetric()[0].GetCounter().GetValue(); got != 7 {
			t.Errorf("%v are counted", got)
		}
	})
}

// A histogram has an exemplar in each bucket, the newest; a native one keeps a few in the order of their times.
func TestExemplarsOfHistograms(t *testing.T) {
	for _, kind := range []string{"histogram", "native_histogram"} {
		synctest.Test(t, func(t *testing.T) {
			s := settings{"metric_name": "m", "metric_mode": kind, "value_field": "v", "listen": "off"}
			if kind == "histogram" {
				s["bucket"] = "10,20"
			}
			p := start(t, s)
			for i := range 40 {
				time.Sleep(time.Second)
				flushed(t, p, at(time.Now(), i+1, "v", i))
			}
			h := gathered(t, p, "m").GetMetric()[0].GetHistogram()
			got := map[string]float64{}
			for _, b := range h.GetBucket() {
				if x := b.GetExemplar(); x != nil {
					got[fmt.Sprint(b.GetUpperBound())] = x.GetValue()
				}
			}
			if want := map[string]float64{"10": 10, "20": 20, "+Inf": 39}; kind == "histogram" && !maps.Equal(got, want) {
				t.Errorf("exemplars %v, want %v", got, want)
			}
			if kind == "histogram" {
				return
			}
			if n := len(h.GetExemplars()); n != maxExemplars {
				t.Errorf("%d exemplars, want %d", n, maxExemplars)
			}
			for i, x := range h.GetExemplars() {
				if x.GetValue() != float64(30+i) || x.GetTimestamp() == nil {
					t.Errorf("exemplar %d is %v", i, x)
				}
			}
		})
	}
}

// A scraper that asks for protobuf gets native histograms, and created timestamps where they are on.
func TestProtobuf(t *testing.T) {
	f := func(created string) {
		t.Helper()
		file := t.TempDir() + "/metrics.yaml"
		write(t, file, `
metrics:
  - {name: n_seconds, type: native_histogram, value: v, unit: seconds}
  - {name: c_total, labels: {l: l}}
`)
		before := time.Now()
		p := start(t, settings{"metrics_file": file, "created_timestamps": created})
		flushed(t, p, events(rec("v", "12ms", "l", "a"), rec("v", 1.5, "l", "a"), rec("v", 0, "l", "a")))
		page := scrape(t, p, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
		dec := expfmt.NewDecoder(bytes.NewReader([]byte(page)), expfmt.ResponseFormat(http.Header{"Content-Type": {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"}}))
		families := map[string]*dto.MetricFamily{}
		for {
			var family dto.MetricFamily
			if dec.Decode(&family) != nil {
				break
			}
			families[family.GetName()] = &family
		}
		h := families["n_seconds"].GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != 3 || h.GetSampleSum() != 1.512 || h.GetZeroCount() != 1 || h.GetSchema() != 3 ||
			len(h.GetPositiveDelta()) != 2 || len(h.GetBucket()) != 0 {
			t.Errorf("histogram is %v", h)
		}
		for name, stamp := range map[string]time.Time{
			"n_seconds": h.GetCreatedTimestamp().AsTime(),
			"c_total":   families["c_total"].GetMetric()[0].GetCounter().GetCreatedTimestamp().AsTime(),
		} {
			if has := !stamp.Before(before.Add(-time.Second)); has != (created == "on") {
				t.Errorf("created_timestamps %s: %s began at %v", created, name, stamp)
			}
		}
	}
	f("off")
	f("on")
}
