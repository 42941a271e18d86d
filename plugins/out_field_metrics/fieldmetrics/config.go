package fieldmetrics

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flbgo/shared/record"
)

// kind is the type of a metric.
type kind uint8

const (
	counter kind = iota
	gauge
	histogram
	nativeHistogram
)

var kindNames = []string{"counter", "gauge", "histogram", "native_histogram"}

func (k kind) String() string { return kindNames[k] }

// action is what a record does to a counter or a gauge.
type action uint8

const (
	inc action = iota
	add
	set
	dec
	sub
	observe // of histograms; nobody can choose it
)

var actionNames = []string{"inc", "add", "set", "dec", "sub"}

// Defaults of a metric.
const (
	defaultMaxSeries    = 10_000
	defaultGaugeIdle    = 10 * time.Minute
	defaultNativeFactor = 1.1
	defaultNativeMax    = 160
)

// Bounds of a metric.
const (
	maxMaxSeries    = 10_000_000
	maxLabels       = 64
	minNativeMax    = 10
	maxNativeMax    = 10_000
	maxNativeFactor = 65536 // 2^2^4, of the coarsest schema
)

// ruleConfig is one metric and how records make it, checked.
type ruleConfig struct {
	Name         string
	Kind         kind
	Help         string
	HasValue     bool // false: each record is 1
	Value        record.Path
	Unit         conversion
	Action       action
	Labels       []label
	Where        []condition // all of them hold
	Buckets      []float64   // of histograms: ascending, finite
	NativeFactor float64
	NativeMax    int
	MaxSeries    int
	Idle         time.Duration // 0: never
	Initialize   [][]string    // values of those labels that differ from series to series
	Exemplars    bool
	Origin       string // where it is configured
}

// draft is a metric that is being read, from the metrics file or from a section of fluent-bit.conf.
type draft struct {
	ruleConfig
	given   map[string]bool // keys that are there
	section bool            // of fluent-bit.conf, not of the metrics file
	unclear bool            // the type is none: what depends on it cannot be checked
	initial []initialSet
	// fail notes what is wrong with a key, or with a part of it: labels.status.
	fail func(key, format string, args ...any)
}

// initialSet is some series to begin with: for each label its values.
type initialSet []initialLabel

type initialLabel struct {
	name   string
	values []string
}

func newDraft(fail func(key, format string, args ...any)) *draft {
	return &draft{fail: fail, given: map[string]bool{}, ruleConfig: ruleConfig{
		NativeFactor: defaultNativeFactor, NativeMax: defaultNativeMax, MaxSeries: defaultMaxSeries,
	}}
}

// setValue reads the path of the value.
func (d *draft) setValue(text string) {
	d.given["value"] = true
	d.HasValue = true
	var err error
	if d.Value, err = record.ParsePath(text); err != nil {
		d.fail("value", "%v", err)
	}
}

// setUnit reads unit or number_unit.
func (d *draft) setUnit(key, text string) {
	d.given[key] = true
	u, ok := parseUnit(text)
	if !ok {
		d.fail(key, "%q is no unit; allowed: %s", text, allowedUnits)
		return
	}
	if key == "unit" {
		d.Unit.to = u
	} else {
		d.Unit.bare = u
	}
}

func (d *draft) setBuckets(text string) {
	d.given["buckets"] = true
	bounds, err := parseBuckets(text)
	if err != nil {
		d.fail("buckets", "%v", err)
		return
	}
	d.Buckets = bounds
}

// setChoice reads type or action.
func setChoice[T ~uint8](d *draft, key, text string, names []string, to *T) {
	d.given[key] = true
	at := slices.Index(names, strings.ToLower(text))
	if at < 0 {
		d.fail(key, "%q is not one of %s; example: %s", text, strings.Join(names, ", "), metricKeys.example(key))
		d.unclear = true
		return
	}
	*to = T(at)
}

// finish checks what only all keys together can tell, and fills in what was left out.
func (d *draft) finish() {
	if d.Name != "" {
		if why := checkMetricName(d.Name); why != "" {
			d.fail("name", "%q: %s", d.Name, why)
		}
	}
	if !utf8.ValidString(d.Help) {
		d.fail("help", "must be UTF-8")
	}
	if !d.unclear {
		d.finishAction()
		d.finishUnit()
		d.finishBuckets()
	}
	d.finishLabels()
	d.finishInitialize()
	d.Exemplars = (d.Exemplars || !d.given["exemplars"]) && d.mayHaveExemplars()
	if d.Kind == gauge && !d.given["idle_timeout"] {
		d.Idle = defaultGaugeIdle
	}
	if d.Help == "" {
		d.Help = d.defaultHelp()
	}
}

func (d *draft) finishAction() {
	given := d.given["action"]
	allowed := map[kind][]action{counter: {inc, add}, gauge: {set, inc, dec, add, sub}}[d.Kind]
	switch {
	case given && allowed == nil:
		d.fail("action", "a %s has no action: it observes its value", d.Kind)
	case given && !slices.Contains(allowed, d.Action):
		d.fail("action", "a %s has inc and add, not %s", d.Kind, actionNames[d.Action])
	case !given && d.Kind == counter && d.HasValue:
		d.Action = add
	case !given && d.Kind == gauge:
		d.Action = set
	}
	if allowed == nil {
		d.Action = observe
	}
	switch byOne := d.Action == inc || d.Action == dec; {
	case byOne && d.HasValue && given:
		d.fail("action", "%s counts by one and takes no value; add and sub take one", actionNames[d.Action])
	case byOne || d.given["value"]:
	case d.Action == observe || !given:
		d.fail("value", "a %s needs the path of its value, for example $http.duration_ms", d.Kind)
	default:
		d.fail("value", "%s needs the path of its value, for example $http.duration_ms", actionNames[d.Action])
	}
}

func (d *draft) finishUnit() {
	c := &d.Unit
	switch {
	case d.given["number_unit"] && !d.given["unit"]:
		d.fail("number_unit", "says what values without a unit are in, and needs the metric's own, for example seconds")
	case d.given["unit"] && !d.HasValue:
		d.fail("unit", "there is no value to convert; example: $http.duration")
	case c.to != nil && c.bare != nil && c.to.family != c.bare.family:
		d.fail("number_unit", "%s cannot be converted to %s", c.bare.names[0], c.to.names[0])
	}
	if c.to == nil || c.bare == c.to {
		c.bare = nil
	}
}

func (d *draft) finishBuckets() {
	if d.given["buckets"] && d.Kind != histogram && d.Kind != nativeHistogram {
		d.fail("buckets", "only a histogram has buckets, and this is a %s", d.Kind)
	}
	if d.Kind == histogram && !d.given["buckets"] {
		d.Buckets = presets["default"]
	}
	for _, key := range []string{"native_factor", "native_max_buckets"} {
		if d.given[key] && d.Kind != nativeHistogram {
			d.fail(key, "only a native_histogram has it, and this is a %s", d.Kind)
		}
	}
	if !(d.NativeFactor > 1 && d.NativeFactor <= maxNativeFactor) {
		d.fail("native_factor", "must be above 1 and at most %d, for example 1.1", maxNativeFactor)
	}
}

func (d *draft) finishLabels() {
	seen := map[string]bool{}
	if len(d.Labels) > maxLabels {
		d.fail("labels", "%d are more than the %d that are allowed", len(d.Labels), maxLabels)
	}
	for _, l := range d.Labels {
		switch why := checkLabelName(l.Name, d.Kind); {
		case why != "":
			d.fail("labels."+l.Name, "label %q: %s", l.Name, why)
		case seen[l.Name]:
			d.fail("labels."+l.Name, "label %q is there twice; give one of them another name", l.Name)
		}
		seen[l.Name] = true
	}
}

// finishInitialize makes label values of all combinations.
func (d *draft) finishInitialize() {
	var names []string
	for _, l := range d.Labels {
		if l.varies() {
			names = append(names, l.Name)
		}
	}
	total := 0
	for _, set := range d.initial {
		n := 1
		combinations := [][]string{make([]string, len(names))}
		for _, l := range set {
			at := slices.Index(names, l.name)
			if at < 0 {
				d.fail("initialize", "%q is no label whose value differs from series to series; those are: %s", l.name, strings.Join(names, ", "))
				return
			}
			if n *= len(l.values); total+n > d.MaxSeries {
				d.fail("initialize", "there are more combinations than max_series allows, which is %d", d.MaxSeries)
				return
			}
			var next [][]string
			for _, c := range combinations {
				for _, v := range l.values {
					c := slices.Clone(c)
					c[at] = v
					next = append(next, c)
				}
			}
			combinations = next
		}
		for _, name := range names {
			if !slices.ContainsFunc(set, func(l initialLabel) bool { return l.name == name }) {
				d.fail("initialize", "there is no value for the label %s, for example %s", name, d.initialExample(name))
				return
			}
		}
		total += n
		d.Initialize = append(d.Initialize, combinations...)
	}
}

func (d *draft) initialExample(label string) string {
	if d.section {
		return label + "=a|b"
	}
	return "{" + label + ": [a, b]}"
}

// varies says that the label's value differs from series to series.
func (l *label) varies() bool { return l.Path != nil || !l.Template.constant() }

func (d *draft) defaultHelp() string {
	field := d.Value.String()
	switch {
	case d.Kind == histogram || d.Kind == nativeHistogram:
		return "Values of the field " + field + "."
	case d.Kind == gauge && d.Action == set:
		return "Last value of the field " + field + "."
	case d.HasValue:
		return "Sum of the field " + field + "."
	}
	return "Number of records."
}

// mayHaveExemplars says whether OpenMetrics has exemplars for such a metric. A counter whose name does not end in _total
// is of unknown type there, and Prometheus refuses the whole page over an exemplar of one ("metric name request_count does
// not support exemplars").
func (c *ruleConfig) mayHaveExemplars() bool {
	return c.Kind != gauge && (c.Kind != counter || strings.HasSuffix(c.Name, "_total"))
}

// exposedNames are the names under which the metric's samples are shown. OpenMetrics calls a counter's family by its
// name without _total.
func (c *ruleConfig) exposedNames() []string {
	if c.Kind == histogram || c.Kind == nativeHistogram {
		return []string{c.Name, c.Name + "_bucket", c.Name + "_sum", c.Name + "_count"}
	}
	if family, ok := strings.CutSuffix(c.Name, "_total"); ok && c.Kind == counter {
		return []string{c.Name, family}
	}
	return []string{c.Name}
}

// clash finds two metrics that would be shown under one name.
func clash(rules []ruleConfig) (i, j int, name string, found bool) {
	owner := map[string]int{}
	for j := range rules {
		for _, name := range rules[j].exposedNames() {
			if i, taken := owner[name]; taken && i != j {
				return i, j, name, true
			}
			owner[name] = j
		}
	}
	return 0, 0, "", false
}

// checkMetricName says what is wrong with a name, "" where nothing is.
// https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
func checkMetricName(name string) string {
	if !isName(name, true) {
		return "must be letters, digits, _ and :, and not begin with a digit, for example: http_requests_total"
	}
	if name == "_total" {
		// OpenMetrics calls a counter's family by what stands before it, and Prometheus refuses the page where nothing does.
		return "has nothing before _total; choose another one, for example: http_requests_total"
	}
	if strings.HasPrefix(name, ownPrefix) {
		return "names that begin with " + ownPrefix + " are the plugin's own; choose another one, for example: http_requests_total"
	}
	return ""
}

// checkLabelName says what is wrong with a name, "" where nothing is.
func checkLabelName(name string, k kind) string {
	const example = ", for example: status"
	switch {
	case !isName(name, false):
		return "the name of a label must be letters, digits and _, and not begin with a digit" + example
	case strings.HasPrefix(name, "__"):
		return "names that begin with __ are Prometheus' own; choose another one" + example
	case (k == histogram || k == nativeHistogram) && name == "le":
		return "a histogram has a label le of its own; choose another name" + example
	}
	return ""
}

func isName(s string, colons bool) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' && colons:
		case c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// parseIdle reads an idle timeout.
func parseIdle(text string) (time.Duration, error) {
	if text == "off" || text == "0" || text == "never" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < minIdle {
		return 0, fmt.Errorf("%q is not a duration of at least %v, nor off; example: 10m", text, minIdle)
	}
	return d, nil
}
