package fieldmetrics

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"flbgo/shared/chunk"
)

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each type goes by its own clock: a gauge leaves after ten minutes, a counter never, a histogram when it is told to.
// Nobody has to scrape for it. What is initialised stays.
func TestIdleSeriesGo(t *testing.T) {
	file := t.TempDir() + "/metrics.yaml"
	write(t, file, `
metrics:
  - {name: g, type: gauge, value: v, labels: {l: l}}
  - {name: g_stays, type: gauge, value: v, labels: {l: l}, idle_timeout: off}
  - {name: c_total, labels: {l: l}}
  - {name: c_goes_total, labels: {l: l}, idle_timeout: 5m, initialize: {l: zero}}
  - {name: h, type: histogram, value: v, labels: {l: l}, idle_timeout: 1h}
`)
	synctest.Test(t, func(t *testing.T) {
		p := start(t, settings{"metrics_file": file, "listen": "off"})
		f := func(want ...int) {
			t.Helper()
			synctest.Wait()
			for i, r := range p.rules {
				if got := r.table.len(); got != want[i] {
					t.Errorf("after %v %s has %d series, want %d", time.Now().Format("15:04:05"), r.Name, got, want[i])
				}
			}
		}
		flushed(t, p, events(rec("l", "a", "v", 1), rec("l", "b", "v", 2)))
		f(2, 2, 2, 3, 2)
		time.Sleep(4 * time.Minute)
		flushed(t, p, events(rec("l", "a", "v", 1)))
		f(2, 2, 2, 3, 2)
		time.Sleep(3 * time.Minute) // 7:00
		f(2, 2, 2, 2, 2)
		time.Sleep(5 * time.Minute) // 12:00
		f(1, 2, 2, 1, 2)
		time.Sleep(5 * time.Minute) // 17:00
		f(0, 2, 2, 1, 2)
		time.Sleep(2 * time.Hour)
		f(0, 2, 2, 1, 0)
		if got := testutil.ToFloat64(p.rules[0].own.expired); got != 2 {
			t.Errorf("%v expired gauges are counted, want 2", got)
		}

		// what comes back begins anew
		flushed(t, p, events(rec("l", "a", "v", 5)))
		f(1, 2, 2, 2, 1)
		if got := gathered(t, p, "h").GetMetric()[0].GetHistogram(); got.GetSampleSum() != 5 || got.GetSampleCount() != 1 {
			t.Errorf("the histogram is %v", got)
		}
		p.Close()
	})
}

// An expired series makes room for another one under max_series.
func TestExpiryMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, settings{"metric_name": "g", "metric_mode": "gauge", "value_field": "v", "label_field": "l",
			"max_series": "1", "idle_timeout": "1m", "listen": "off"})
		flushed(t, p, events(rec("l", "a", "v", 1), rec("l", "b", "v", 1)))
		time.Sleep(2 * time.Minute)
		flushed(t, p, events(rec("l", "b", "v", 2)))
		m := gathered(t, p, "g").GetMetric()
		if len(m) != 1 || m[0].GetLabel()[0].GetValue() != "b" {
			t.Errorf("%v", m)
		}
		p.Close()
	})
}

// Series that expire while they are counted and shown lose no update: what a series has when it goes, and what all have
// at the end, is everything.
func TestExpiryLosesNothing(t *testing.T) {
	p := start(t, settings{"metric_name": "m_total", "label_field": "l", "listen": "off"})
	const workers, chunks, each = 4, 40, 2 * showAtOnce // series: they are shown in several goes
	var flushes, others sync.WaitGroup
	stop := make(chan struct{})
	gone := 0.0
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.rules[0].table.remove(func(s *series) bool { gone += s.value; return true })
			}
		}
	})
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := p.registry.Gather(); err != nil { // a series that is shown twice is an error
					t.Error(err)
				}
			}
		}
	})
	for range workers {
		flushes.Go(func() {
			for range chunks {
				var records [][]byte
				for i := range each {
					records = append(records, rec("l", fmt.Sprint(i)))
				}
				flushed(t, p, events(records...))
			}
		})
	}
	flushes.Wait()
	close(stop)
	others.Wait()
	p.rules[0].table.remove(func(s *series) bool { gone += s.value; return true })
	if gone != workers*chunks*each {
		t.Errorf("%v are counted, want %v", gone, workers*chunks*each)
	}
}

// A gauge keeps the value of the newest event, in whatever order chunks come; a clock that runs ahead does not have the
// last word for ever.
func TestGaugeKeepsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, settings{"metric_name": "g", "metric_mode": "gauge", "value_field": "v", "listen": "off"})
		time.Sleep(time.Hour)
		set := func(when time.Time, v float64, want float64) {
			t.Helper()
			flushed(t, p, chunk.AppendEvent(nil, when.Unix(), uint32(when.Nanosecond()), nil, rec("v", v), true))
			if got := gathered(t, p, "g").GetMetric()[0].GetGauge().GetValue(); got != want {
				t.Errorf("gauge is %v, want %v", got, want)
			}
		}
		now := time.Now()
		set(now.Add(-10*time.Second), 1, 1)
		set(now.Add(-20*time.Second), 2, 1)
		set(now.Add(-10*time.Second), 3, 3) // of equal times the last one
		set(now.Add(-10*time.Second+1), 4, 4)
		set(now.Add(1000*time.Hour), 5, 5)
		time.Sleep(time.Second)
		set(time.Now(), 6, 6)
		// nothing says that a sender's nanoseconds are below a second
		flushed(t, p, chunk.AppendEvent(nil, time.Now().Unix()-1, 4_000_000_000, nil, rec("v", 7), true))
		time.Sleep(time.Second)
		set(time.Now(), 8, 8)
		p.Close()
	})
}
