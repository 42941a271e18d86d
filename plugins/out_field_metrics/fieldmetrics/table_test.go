package fieldmetrics

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A table against a map, with series that come and go.
func TestTableLikeAMap(t *testing.T) {
	for round := range uint64(10) {
		r := rand.New(rand.NewPCG(round, 2))
		table := newTable(500, 3, nil)
		model := map[string]float64{}
		for step := range 5000 {
			key := []byte(strconv.Itoa(r.IntN(800)))
			s := table.find(tagOf(key), key)
			if _, ok := model[string(key)]; ok != (s != nil) {
				t.Fatalf("step %d: %s is there: %v, want %v", step, key, s != nil, ok)
			}
			if s == nil {
				if s = table.add(tagOf(key), key, 0); (s == nil) != (len(model) >= 500) {
					t.Fatalf("step %d: added: %v with %d series", step, s != nil, len(model))
				}
				if s == nil {
					continue
				}
				if len(s.buckets) != 4 || s.buckets[0]+s.value64() != 0 {
					t.Fatalf("a new series is not empty: %+v", s)
				}
			}
			s.value++
			s.buckets[0]++
			model[string(key)]++
			if s.value != model[string(key)] {
				t.Fatalf("%s is %v, want %v", key, s.value, model[string(key)])
			}
			if step%500 == 499 {
				gone := table.remove(func(s *series) bool { return strings.HasPrefix(s.key, strconv.Itoa(1+step/500)) })
				for k := range model {
					if strings.HasPrefix(k, strconv.Itoa(1+step/500)) {
						delete(model, k)
						gone--
					}
				}
				if gone != 0 || table.len() != len(model) || table.n != len(model) {
					t.Fatalf("%d too many are gone, %d are left of %d", gone, table.len(), len(model))
				}
			}
		}
	}
}

func (s *series) value64() uint64 { return uint64(s.value) }

// A million label values cost the memory of max_series, and are all accounted for.
func TestMillionLabelValues(t *testing.T) {
	p := start(t, settings{"metric_name": "m_total", "label_field": "user,session", "max_series": "1000", "listen": "off"})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const each = 2000
	var early, late uint64
	for at := range 1_000_000 / each {
		var records [][]byte
		for i := range each {
			records = append(records, rec("user", fmt.Sprintf("user-%d", at*each+i), "session", i))
		}
		flushed(t, p, events(records...))
		switch at {
		case 5:
			early = heap()
		case 1_000_000/each - 1:
			late = heap()
		}
	}
	if grown := int64(late) - int64(early); grown > 256<<10 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() == "m_total" {
			if n := len(f.GetMetric()); n != 1001 {
				t.Errorf("%d series, want 1001", n)
			}
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	if total != 1_000_000 {
		t.Errorf("%v records are counted", total)
	}
}

// Series whose label values are other by themselves, and those of what is folded, are one.
func TestFoldedMeetsOther(t *testing.T) {
	p, err := open(t, settings{"metric_name": "m_total", "label_field": "user", "max_series": "2"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	flushed(t, p, events(rec("user", "other"), rec("user", "a"), rec("user", "b"), rec("user", "c"), rec("user", "other")))
	shows(t, p, `
		# HELP m_total Number of records.
		# TYPE m_total counter
		m_total{user="a"} 1
		m_total{user="other"} 4
	`, "m_total")
	became(t, p, "m_total", map[string]string{"counted": "3", "folded": "2"})
}

// A series that goes and comes back while the series are being shown is not shown twice, as it would be if it came back
// at a place that is still to be visited.
func TestNoSeriesIsShownTwice(t *testing.T) {
	p := start(t, settings{"metric_name": "m_total", "label_field": "l", "listen": "off"})
	r := p.rules[0]
	const n = 2 * showAtOnce
	all := func() []byte {
		var records [][]byte
		for i := range n {
			records = append(records, rec("l", i))
		}
		return events(records...)
	}()
	flushed(t, p, all)
	ch := make(chan prometheus.Metric)
	go func() {
		defer close(ch)
		r.Collect(ch)
	}()
	seen := map[string]bool{}
	see := func(m prometheus.Metric) {
		var out dto.Metric
		if err := m.Write(&out); err != nil {
			t.Error(err)
		}
		if l := out.GetLabel()[0].GetValue(); seen[l] {
			t.Errorf("%s is shown twice", l)
		} else {
			seen[l] = true
		}
	}
	see(<-ch) // the first ones are copied, the others not
	removed := make(chan struct{})
	go func() {
		defer close(removed)
		r.table.remove(func(*series) bool { return true })
		_ = p.Flush(all, "app", false)
	}()
	select {
	case <-removed:
	case <-time.After(50 * time.Millisecond): // it waits for the end
	}
	for m := range ch {
		see(m)
	}
	<-removed
	if len(seen) != n {
		t.Errorf("%d series are shown, want %d", len(seen), n)
	}
}
