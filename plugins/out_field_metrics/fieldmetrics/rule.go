package fieldmetrics

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// maxIncrement bounds what one record may add to a counter: the whole numbers that a float64 holds exactly. Beyond it a
// counter would no longer move by one.
const maxIncrement = 1 << 53

// result is what became of a record under a rule.
type result uint8

const (
	counted    result = iota
	folded            // counted in the series other: max_series is reached
	notMatched        // the rule's conditions do not hold
	missing           // the record lacks the field, or it is nil
	noLabel           // the record lacks a label whose absence skips it
	notANumber        // the value cannot be read
	outOfRange        // the value is negative or above maxIncrement, and the metric a counter
	results
)

var resultNames = [results]string{"counted", "folded", "not_matched", "missing", "missing_label", "not_a_number", "out_of_range"}

// rule makes one metric.
type rule struct {
	ruleConfig
	field        int // number of the value's path; -1: a record is 1
	trace, span  int // numbers of the exemplar's paths; -1: no exemplars
	where        []matcher
	labels       []labelReader // those that differ from series to series, in the order of the key
	shown        []shownLabel  // all, in the order of their names
	otherKey     []byte
	otherTag     uint32
	buckets      []float64
	nativeMax    int
	schema       int32
	showsCreated bool
	before       *countedBefore // chunks that the metric's predecessor has counted; nil for none

	exemplarInterval time.Duration

	table *table
	desc  *prometheus.Desc
	own   ownMetrics

	noticed noticed
}

// pathList numbers the paths of all rules, each once.
type pathList struct {
	paths   []record.Path
	numbers map[string]int
}

func (l *pathList) add(p record.Path) int {
	n, ok := l.numbers[p.String()]
	if !ok {
		if l.numbers == nil {
			l.numbers = map[string]int{}
		}
		n = len(l.paths)
		l.numbers[p.String()] = n
		l.paths = append(l.paths, p)
	}
	return n
}

// newRule makes the metric of a configuration that has been checked.
func newRule(c ruleConfig, in *instanceConfig, paths *pathList) *rule {
	r := &rule{ruleConfig: c, field: -1, trace: -1, span: -1, buckets: c.Buckets, nativeMax: c.NativeMax,
		exemplarInterval: in.ExemplarInterval, showsCreated: in.Created}
	if c.HasValue {
		r.field = paths.add(c.Value)
	}
	if c.Exemplars {
		r.trace, r.span = paths.add(in.TraceField), paths.add(in.SpanField)
	}
	for i := range c.Where {
		r.where = append(r.where, c.Where[i].compile(paths))
	}
	constant := prometheus.Labels{}
	var variable []string
	for i, l := range c.Labels {
		if !l.varies() {
			text, _ := l.Template.append(nil, "")
			constant[l.Name] = string(appendCut(nil, text, l.MaxLength))
			r.shown = append(r.shown, shownLabel{name: l.Name, value: constant[l.Name], part: -1})
			continue
		}
		r.shown = append(r.shown, shownLabel{name: l.Name, part: len(r.labels)})
		r.labels = append(r.labels, newLabelReader(&c.Labels[i], paths))
		variable = append(variable, l.Name)
	}
	slices.SortFunc(r.shown, func(a, b shownLabel) int { return cmp.Compare(a.name, b.name) })
	r.otherKey = otherKey(len(r.labels))
	r.otherTag = tagOf(r.otherKey)
	r.desc = prometheus.NewDesc(c.Name, c.Help, variable, constant)

	bounds := -1
	var make func(*series)
	switch c.Kind {
	case histogram:
		bounds = len(c.Buckets)
	case nativeHistogram:
		bounds = len(c.Buckets)
		r.schema = schemaFor(c.NativeFactor)
		make = func(s *series) { s.native = &native{schema: r.schema} }
	}
	r.table = newTable(c.MaxSeries, bounds, make)
	r.own = newOwnMetrics(r)
	return r
}

// initialize makes the series that are there before the first record.
func (r *rule) initialize(now int64) {
	r.table.mu.Lock()
	defer r.table.mu.Unlock()
	keep := func(key []byte) {
		tag := tagOf(key)
		s := r.table.find(tag, key)
		if s == nil {
			s = r.table.add(tag, key, now)
		}
		s.kept = true
	}
	for _, values := range r.Initialize {
		keep(r.initialKey(values))
	}
	// What has no labels has its one series from the start: a rate needs the 0 before the first record. A gauge is not 0
	// before it has a value.
	if len(r.labels) == 0 && r.Kind != gauge {
		keep(nil)
	}
}

// stage is what a chunk means under a rule, before it counts. Its memory is kept from chunk to chunk.
type stage struct {
	points  []point
	keys    []byte // of all points, each behind it the ids of its exemplar
	tally   [results]int
	damaged int
	reason  chunk.Reason // of the last damage
	text    scratch
	// offered are tags of series that have been offered an exemplar by this chunk: none takes two at a time.
	offered [256]uint32
}

// point is one value for one series.
type point struct {
	value float64
	time  int64  // of the event, in ns
	from  int    // stage.keys[from:][:size] is the key, the next ids bytes are the exemplar's
	size  int32  //
	ids   uint16 // 0: no exemplar
	trace uint16 // how many of them are the trace's
	tag   uint32
}

// A stage that one chunk made bigger than this gives its memory back.
const (
	maxKeptPoints = 64 << 10
	maxKeptKeys   = 4 << 20
)

// reset empties the stage.
func (s *stage) reset() {
	points, keys, text := s.points, s.keys, s.text
	if cap(points) > maxKeptPoints {
		points = nil
	}
	if cap(keys) > maxKeptKeys {
		keys = nil
	}
	*s = stage{points: points[:0], keys: keys[:0], text: text}
}

// stage notes what the record in fields means. Nothing of the record is kept.
func (r *rule) stage(s *stage, fields *record.Finder, time int64) {
	for i := range r.where {
		if !r.where[i].holds(fields, &s.text) {
			s.tally[notMatched]++
			return
		}
	}
	value := 1.0
	if r.field >= 0 {
		var res result
		if value, res = r.read(fields); res != counted {
			s.tally[res]++
			return
		}
	}
	if r.Action == sub || r.Action == dec {
		value = -value
	}
	from := len(s.keys)
	keys, ok := appendKey(s.keys, r.labels, fields, &s.text)
	s.keys = keys
	if !ok {
		s.keys = keys[:from]
		s.tally[noLabel]++
		return
	}
	p := point{value: value, time: time, from: from, size: int32(len(keys) - from), tag: tagOf(keys[from:])}
	if at := &s.offered[p.tag%uint32(len(s.offered))]; r.trace >= 0 && (*at != p.tag || p.tag == 0 || r.exemplarInterval == 0) {
		var trace int
		s.keys, trace = appendIDs(keys, fields, r.trace, r.span)
		if p.ids, p.trace = uint16(len(s.keys)-len(keys)), uint16(trace); p.ids > 0 {
			*at = p.tag
		}
	}
	s.points = append(s.points, p)
}

// read is a record's value, where it counts.
func (r *rule) read(fields *record.Finder) (float64, result) {
	v, ok := fields.Value(r.field)
	if !ok || v.Type() == record.Nil {
		return 0, missing
	}
	f, ok := readNumber(v, &r.Unit)
	switch {
	case !ok || math.IsNaN(f) || math.IsInf(f, 0):
		return 0, notANumber
	case r.Kind == counter && (f < 0 || f > maxIncrement):
		return 0, outOfRange
	}
	return f, counted
}

// commit counts what is staged. It does not panic: what could has been done before.
func (r *rule) commit(s *stage, now int64) {
	t := r.table
	t.mu.Lock()
	for i := range s.points {
		p := &s.points[i]
		key := s.keys[p.from : p.from+int(p.size)]
		to, res := t.find(p.tag, key), counted
		if to == nil {
			to = t.add(p.tag, key, now)
		}
		if to == nil {
			to, res = t.fold(r.otherTag, r.otherKey, now), folded
		}
		r.update(to, p, s.keys, now)
		s.tally[res]++
	}
	t.mu.Unlock()
	for res, n := range s.tally {
		if n > 0 {
			r.own.records[res].Add(float64(n))
		}
	}
	if s.damaged > 0 {
		r.own.damaged.Add(float64(s.damaged))
	}
}
