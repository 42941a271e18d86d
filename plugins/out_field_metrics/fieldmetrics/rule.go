package fieldmetrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// maxIncrement bounds what one record may add to a counter: the whole numbers that a float64 holds exactly.
// client_golang keeps whole increments in 64 bits that wrap around; without a bound one absurd value, and another one
// later, would turn a counter back.
const maxIncrement = 1 << 53

// result is what became of a record under a rule.
type result uint8

const (
	counted       result = iota
	missing              // the record lacks the field, or it is nil
	notANumber           // the value is no finite number
	outOfRange           // the value is negative or above maxIncrement, and the metric a counter
	overMaxSeries        // the record would need one series too many
	results
)

var resultNames = [results]string{"counted", "missing", "not_a_number", "out_of_range", "over_max_series"}

// rule makes one metric.
type rule struct {
	name   string
	kind   kind
	field  int // the number of the value's path; -1: every record is 1
	label  int // the number of the first label's path
	series *table
	own    ownMetrics
}

// newRule registers the metric and the plugin's own ones about it, and adds the paths that it needs to those that are
// looked up in every record.
func newRule(c ruleConfig, registry prometheus.Registerer, paths *[]record.Path) (*rule, error) {
	t, err := newTable(&c, registry)
	if err != nil {
		return nil, err
	}
	r := &rule{name: c.Name, kind: c.Kind, field: -1, series: t}
	if c.HasField {
		r.field = len(*paths)
		*paths = append(*paths, c.Field)
	}
	r.label = len(*paths)
	for _, l := range c.Labels {
		*paths = append(*paths, l.Path)
	}
	if r.own, err = newOwnMetrics(&c, registry); err != nil {
		return nil, err
	}
	// What has no labels has its one series from the start: a rate needs the 0 before the first record. A gauge is not 0
	// before it has a value.
	if t.labels == 0 && r.kind != gauge {
		t.add(nil)
		r.own.series.Set(1)
	}
	return r, nil
}

// stage is what a chunk means under a rule, before it counts. Its memory is kept from chunk to chunk.
type stage struct {
	points  []point
	keys    []byte // of the points whose series were not there
	tally   [results]int
	damaged int
	reason  chunk.Reason // of the last damage
}

// point is one value for one series. What goes with a value, an exemplar's trace id for one, belongs here.
type point struct {
	series   *series // nil: keys[from:to] names it
	from, to int
	value    float64
}

// A stage that one chunk made bigger than this gives its memory back.
const (
	maxKeptPoints = 64 << 10
	maxKeptKeys   = 1 << 20
)

// reset empties the stage. No pointer to a series is left behind.
func (s *stage) reset() {
	points, keys := s.points, s.keys
	clear(points)
	if cap(points) > maxKeptPoints {
		points = nil
	}
	if cap(keys) > maxKeptKeys {
		keys = nil
	}
	*s = stage{points: points[:0], keys: keys[:0]}
}

// stage notes what the record in fields means. The caller holds the series' lock for reading. Nothing of the record is
// kept.
func (r *rule) stage(s *stage, fields *record.Finder) {
	value := 1.0
	if r.field >= 0 {
		var res result
		if value, res = r.read(fields); res != counted {
			s.tally[res]++
			return
		}
	}
	from := len(s.keys)
	s.keys = appendKey(s.keys, fields, r.label, r.series.labels)
	p := point{series: r.series.m[string(s.keys[from:])], value: value}
	if p.series != nil {
		s.keys = s.keys[:from]
	} else {
		p.from, p.to = from, len(s.keys)
	}
	s.points = append(s.points, p)
}

// read is a record's value, where it counts.
func (r *rule) read(fields *record.Finder) (float64, result) {
	v, ok := fields.Value(r.field)
	if !ok || v.Type() == record.Nil {
		return 0, missing
	}
	f, ok := v.ParseFloat()
	switch {
	case !ok || math.IsNaN(f) || math.IsInf(f, 0):
		return 0, notANumber
	case r.kind == counter && (f < 0 || f > maxIncrement):
		return 0, outOfRange
	}
	return f, counted
}

// commit counts what is staged. It does not panic once it has begun to.
func (r *rule) commit(s *stage) {
	r.resolve(s)
	for i := range s.points {
		p := &s.points[i]
		switch {
		case p.series == nil:
			s.tally[overMaxSeries]++
			continue
		case r.kind == counter:
			p.series.counter.Add(p.value)
		case r.kind == gauge:
			p.series.gauge.Set(p.value)
		default:
			p.series.histogram.Observe(p.value)
		}
		s.tally[counted]++
	}
	for res, n := range s.tally {
		if n > 0 {
			r.own.records[res].Add(float64(n))
		}
	}
	if s.damaged > 0 {
		r.own.damaged.Add(float64(s.damaged))
	}
}

// resolve makes the series that were not there when the chunk was staged, as far as max_series allows.
func (r *rule) resolve(s *stage) {
	t := r.series
	locked := false
	for i := range s.points {
		p := &s.points[i]
		if p.series != nil {
			continue
		}
		if !locked {
			t.mu.Lock()
			defer t.mu.Unlock()
			locked = true
		}
		p.series = t.add(s.keys[p.from:p.to])
	}
	if locked {
		r.own.series.Set(float64(len(t.m)))
	}
}
