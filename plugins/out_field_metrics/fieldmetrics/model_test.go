package fieldmetrics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"flbgo/shared/chunk"
)

// The model counts records in the plainest way: maps of strings, one record after the other, no bytes, no chunks. What
// the plugin counts has to be the same.

// modelRule is a rule of modelFile.
type modelRule struct {
	name   string
	where  func(r map[string]any) bool
	labels []string
	value  string
	kind   kind
	max    int
}

var modelBounds = []float64{0, 10, 100}

const modelFile = `
metrics:
  - name: level_total
    labels: {level: level}
  - name: v_total
    value: v
    labels: {level: level}
    where: {or: [{field: level, in: [info, "7"]}, {field: v, gt: 50}]}
  - name: user_total
    labels: {user: user, level: level}
    max_series: 7
  - name: last
    type: gauge
    value: v
    labels: {user: user}
    max_series: 100
  - name: v_size
    type: histogram
    value: v
    labels: {level: level}
    buckets: [0, 10, 100]
`

var modelRules = []modelRule{
	{name: "level_total", labels: []string{"level"}, max: 1000},
	{name: "v_total", labels: []string{"level"}, value: "v", max: 1000, where: func(r map[string]any) bool {
		v, ok := modelNumber(r["v"])
		return modelLabel(r["level"]) == "info" || modelLabel(r["level"]) == "7" || ok && v > 50
	}},
	{name: "user_total", labels: []string{"user", "level"}, max: 7},
	{name: "last", kind: gauge, labels: []string{"user"}, value: "v", max: 100},
	{name: "v_size", kind: histogram, labels: []string{"level"}, value: "v", max: 1000},
}

func modelLabel(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func modelNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil
	}
	return 0, false
}

// modelSeries is what one series has: its value or sum, and how many values are at most each bound.
type modelSeries struct {
	value  float64
	time   int64
	counts [4]uint64
}

type model struct {
	series  []map[string]*modelSeries // by rule
	results []map[string]int
}

func newModel() *model {
	m := &model{}
	for range modelRules {
		m.series = append(m.series, map[string]*modelSeries{})
		m.results = append(m.results, map[string]int{})
	}
	return m
}

func (m *model) count(r map[string]any, time int64) {
	for i, rule := range modelRules {
		m.results[i][m.countOne(i, rule, r, time)]++
	}
}

func (m *model) countOne(i int, rule modelRule, r map[string]any, time int64) string {
	if rule.where != nil && !rule.where(r) {
		return "not_matched"
	}
	value := 1.0
	if rule.value != "" {
		if r[rule.value] == nil {
			return "missing"
		}
		var ok bool
		if value, ok = modelNumber(r[rule.value]); !ok {
			return "not_a_number"
		}
		if rule.kind == counter && value < 0 {
			return "out_of_range"
		}
	}
	var key []string
	for _, l := range rule.labels {
		key = append(key, modelLabel(r[l]))
	}
	result := "counted"
	s := m.series[i][strings.Join(key, ",")]
	if s == nil {
		if len(m.series[i]) >= rule.max && m.series[i][otherSeries(rule)] == nil || len(m.series[i]) > rule.max {
			result = "folded"
			key = strings.Split(otherSeries(rule), ",")
			s = m.series[i][otherSeries(rule)]
		}
		if s == nil {
			s = &modelSeries{}
			m.series[i][strings.Join(key, ",")] = s
		}
	}
	switch rule.kind {
	case counter:
		s.value += value
	case gauge:
		if time >= s.time {
			s.value, s.time = value, time
		}
	case histogram:
		s.value += value
		for b, bound := range append(slices.Clone(modelBounds), math.Inf(1)) {
			if value <= bound {
				s.counts[b]++
			}
		}
	}
	return result
}

func otherSeries(r modelRule) string {
	return strings.Join(slices.Repeat([]string{otherValue}, len(r.labels)), ",")
}

// randomRecord has fields that are missing, nil, of all types, and no numbers.
func randomRecord(r *rand.Rand, users int) map[string]any {
	out := map[string]any{}
	pick := func(name string, values ...any) {
		if i := r.IntN(len(values) + 1); i < len(values) {
			out[name] = values[i]
		}
	}
	pick("level", "info", "warn", "error", 7, "7", nil, "größe", true)
	pick("user", fmt.Sprintf("u%d", r.IntN(users)), r.IntN(users), nil)
	pick("v", r.IntN(200), float64(r.IntN(2000))/8-50, strconv.Itoa(r.IntN(100)), "12.5", "many", -r.IntN(5), nil)
	return out
}

func TestLikeTheModel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "metrics.yaml")
	if err := os.WriteFile(file, []byte(modelFile), 0o644); err != nil {
		t.Fatal(err)
	}
	for round := range uint64(20) {
		r := rand.New(rand.NewPCG(round, 1))
		p := start(t, settings{"metrics_file": file, "listen": "off"})
		m := newModel()
		for range r.IntN(30) {
			var data []byte
			for range r.IntN(100) {
				fields := randomRecord(r, 30)
				time := 1700000000 + int64(r.IntN(1000))
				m.count(fields, time*1e9)
				data = chunk.AppendEvent(data, time, 0, nil, recordOf(fields), r.IntN(2) == 0)
			}
			flushed(t, p, data)
		}
		m.compare(t, p)
	}
}

// Several workers, and scrapes in between: sums do not depend on the order.
func TestLikeTheModelConcurrently(t *testing.T) {
	file := filepath.Join(t.TempDir(), "metrics.yaml")
	// The order decides which series are folded and which value of equal times a gauge has.
	if err := os.WriteFile(file, []byte(strings.Replace(modelFile, "max_series: 7", "max_series: 1000", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	defer func(old int) { modelRules[2].max = old }(modelRules[2].max)
	modelRules[2].max = 1000

	p := start(t, settings{"metrics_file": file, "listen": "off"})
	m := newModel()
	const workers, chunks, each = 4, 20, 100
	r := rand.New(rand.NewPCG(5, 6))
	var data [workers][chunks][]byte
	time := int64(1700000000)
	for w := range workers {
		for c := range chunks {
			for range each {
				fields := randomRecord(r, 20)
				time++ // no two alike
				m.count(fields, time*1e9)
				data[w][c] = chunk.AppendEvent(data[w][c], time, 0, nil, recordOf(fields), true)
			}
		}
	}
	stop := make(chan struct{})
	var flushes, scrapes sync.WaitGroup
	scrapes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := p.registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for w := range workers {
		flushes.Go(func() {
			for c := range chunks {
				flushed(t, p, data[w][c])
				clear(data[w][c]) // the host takes its memory back
			}
		})
	}
	flushes.Wait()
	close(stop)
	scrapes.Wait()
	m.compare(t, p)
}

func recordOf(fields map[string]any) []byte {
	var list []any
	for k, v := range fields {
		list = append(list, k, v)
	}
	return rec(list...)
}

// compare holds everything that is shown to the model.
func (m *model) compare(t *testing.T, p *Plugin) {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]*dto.Metric{}
	for _, f := range families {
		shown[f.GetName()] = f.GetMetric()
	}
	for i, rule := range modelRules {
		if len(shown[rule.name]) != len(m.series[i]) {
			t.Errorf("%s has %d series, want %d", rule.name, len(shown[rule.name]), len(m.series[i]))
		}
		for _, s := range shown[rule.name] {
			labels := map[string]string{}
			for _, l := range s.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			var key []string
			for _, l := range rule.labels {
				key = append(key, labels[l])
			}
			want := m.series[i][strings.Join(key, ",")]
			if want == nil {
				t.Errorf("%s%v is there", rule.name, key)
				continue
			}
			got := modelSeries{time: want.time}
			switch rule.kind {
			case counter:
				got.value = s.GetCounter().GetValue()
			case gauge:
				got.value = s.GetGauge().GetValue()
			default:
				got.value = s.GetHistogram().GetSampleSum()
				for b, bucket := range s.GetHistogram().GetBucket() {
					got.counts[b] = bucket.GetCumulativeCount()
				}
				got.counts[3] = s.GetHistogram().GetSampleCount()
			}
			if got != *want { // every value is a multiple of 1/8, so that sums are exact in any order
				t.Errorf("%s%v is %+v, want %+v", rule.name, key, got, *want)
			}
		}
		for _, s := range shown["field_metrics_records_total"] {
			labels := map[string]string{}
			for _, l := range s.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if want := m.results[i][labels["result"]]; labels["metric"] == rule.name && int(s.GetCounter().GetValue()) != want {
				t.Errorf("%s: %v records are %s, want %d", rule.name, s.GetCounter().GetValue(), labels["result"], want)
			}
		}
	}
}
