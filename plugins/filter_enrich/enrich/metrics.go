package enrich

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/listen"
)

// metricPrefix begins the names of the filter's metrics.
const metricPrefix = "enrich_"

// listen serves the instance's counters. Instances that share an address tell theirs apart by the label instance, the
// lowest number that is free there.
func (f *Filter) listen() (*listen.Listener, error) {
	for i := 0; ; i++ {
		instance := strconv.Itoa(i)
		registry := prometheus.NewRegistry()
		if err := registry.Register(newCollector(f, instance)); err != nil {
			return nil, err
		}
		l, err := listen.Open(listen.Config{
			Address:       f.config.Listen,
			WebConfigFile: f.config.WebConfig,
			Owner:         "enrich " + instance,
			Metrics:       registry,
			Names:         []string{"enrich instance " + instance},
			Log:           f.log,
		})
		var taken *listen.NameError
		if errors.As(err, &taken) {
			continue
		}
		if err == nil && f.config.Listen != listen.Off {
			f.log.Info("listening", "address", l.Addr(), "instance", instance)
		}
		return l, err
	}
}

// collector shows the counters of an instance.
type collector struct {
	f                                  *Filter
	counts                             [counters]*prometheus.Desc
	found, converted, invalid, sources *prometheus.Desc
}

var counterHelp = [counters]string{
	countRecords:           "Log records that were looked at.",
	countEnriched:          "Log records that were changed.",
	countTraceAbsent:       "Records whose trace fields say that there is no trace.",
	countGenerated:         "Records whose trace id was made of a request id.",
	countConflicts:         "Fields that were kept where an option would have written another.",
	countLevels:            "Levels that were brought into their normal form.",
	countLevelsFromStatus:  "Records whose level was made of an HTTP status.",
	countLevelsFromMessage: "Records whose level was found in their message.",
	countDurations:         "Durations that became milliseconds.",
	countDurationsInvalid:  "Durations that could not be read and were left.",
	countGroups:            "Group markers, which are no records.",
	countDamaged:           "Stretches of chunks that could not be read as events and were passed on.",
}

func newCollector(f *Filter, instance string) *collector {
	c := &collector{f: f}
	labels := prometheus.Labels{"instance": instance}
	for i, name := range counterNames {
		c.counts[i] = prometheus.NewDesc(metricPrefix+name+"_total", counterHelp[i], nil, labels)
	}
	byFormat := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(metricPrefix+name, help, []string{"format"}, labels)
	}
	c.found = byFormat("trace_found_total", "Records whose trace context is of that format.")
	c.converted = byFormat("trace_converted_total", "Those of them in which fields were written for it.")
	c.invalid = byFormat("trace_invalid_total", "Records in which a value of that format is not valid; it was left as it is.")
	c.sources = prometheus.NewDesc(metricPrefix+"source_state", "1 for the state that a source of attributes is in.",
		[]string{"source", "state"}, labels)
	return c
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.counts {
		ch <- d
	}
	ch <- c.found
	ch <- c.converted
	ch <- c.invalid
	ch <- c.sources
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := &c.f.stats
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for i, d := range c.counts {
		count(d, s.count[i].Load())
	}
	for _, f := range c.f.config.Trace {
		count(c.found, s.found[f].Load(), f.String())
		count(c.converted, s.converted[f].Load(), f.String())
		count(c.invalid, s.invalid[f].Load(), f.String())
	}
	c.f.sources.States(func(source identity.Source, state identity.State) {
		for _, name := range identity.StateNames() {
			is := 0.0
			if name == state.String() {
				is = 1
			}
			ch <- prometheus.MustNewConstMetric(c.sources, prometheus.GaugeValue, is, source.String(), name)
		}
	})
}
