package main

import "flbgo/scripts/internal/benchdata"

// axis is a table of cases that differ in one thing. The first case is what the others are held against.
type axis struct {
	name, what string
	target     float64 // at most, for the ratio of the last case; 0 for none
	cases      []setting
}

// setting is one plugin, configured, and what it gets.
type setting struct {
	label   string
	plugin  string
	options []string
	// workers is Fluent Bit's Workers; a filter has none.
	workers, partitions int
	tags                int // that chunks come with, by turns
	chunks              int // different ones
	records             int // of a chunk
	series              int // different users in all chunks; 0 leaves the lines as they are
	passes              int // of all chunks, or of all tags, in one measurement
}

// Options as in scripts/bench/peers.
var (
	enrichOptions = []string{"attributes=service.name=$TAG[1],service.version=1.4.2,deployment.environment=production,host.name=node-17,log_type=app", "level=off"}
	buckets       = "buckets=1,5,10,25,50,100,250,500,1000,2500"
	metrics       = []string{"listen=off", "metric_name=http_request_duration_milliseconds", "metric_type=histogram", "field=duration_ms", buckets, "max_series=1000000"}
	byLevel       = append(metrics[:len(metrics):len(metrics)], "label_fields=level,method,status")
	byTag         = append(byLevel[:len(byLevel):len(byLevel)], "labels=app=$TAG[1]")
	byUser        = append(metrics[:len(metrics):len(metrics)], "label_fields=user_id")
	counterByUser = []string{"listen=off", "metric_name=requests_total", "label_fields=user_id", "max_series=1000000"}
	toLogs        = []string{"topics=logs"}
	byKey         = []string{"topics=logs", "message_key_field=user_id"}
)

const (
	enrich = "filter_enrich"
	fields = "out_field_metrics"
	kafka  = "out_kafka_batch"
)

func axes() []axis {
	var all []axis
	series := func(name, what string, target float64, plugin string, f func(n int) setting, labels map[int]string, counts ...int) {
		a := axis{name: name, what: what, target: target}
		for _, n := range counts {
			s := f(n)
			s.label, s.plugin = labels[n], plugin
			if s.workers == 0 && plugin != enrich {
				s.workers = 1
			}
			s.partitions, s.tags, s.chunks, s.passes = max(1, s.partitions), max(1, s.tags), max(1, s.chunks), max(1, s.passes)
			a.cases = append(a.cases, s)
		}
		all = append(all, a)
	}
	tags := map[int]string{1: "1 tag", 100: "100 tags", 1000: "1,000 tags"}
	perTag := func(options []string, partitions bool) func(int) setting {
		return func(n int) setting {
			s := setting{options: options, tags: n, records: 200, passes: 1000 / n}
			if partitions {
				s.partitions = n
			}
			return s
		}
	}
	series("tags-enrich", "enrich, a service name from the tag; chunks of 200 records", 1.3, enrich, perTag(enrichOptions, false), tags, 1, 100, 1000)
	series("tags-field_metrics", "field_metrics, the histogram with a label from the tag, so that 1,000 tags have a thousand times the series; chunks of 200 records", 0, fields, perTag(byTag, false), tags, 1, 100, 1000)
	series("tags-field_metrics-same", "field_metrics, the histogram without the tag; chunks of 200 records", 1.3, fields, perTag(byLevel, false), tags, 1, 100, 1000)
	series("tags-kafka_batch", "kafka_batch, one topic; chunks of 200 records", 1.3, kafka, perTag(toLogs, false), tags, 1, 100, 1000)

	parts := map[int]string{1: "1 partition", 100: "100 partitions", 1000: "1,000 partitions"}
	spread := func(options []string, records, passes int) func(int) setting {
		return func(n int) setting {
			return setting{options: options, partitions: n, records: records, passes: passes, workers: 2}
		}
	}
	series("partitions", "kafka_batch, records without a key; chunks of 1,000 records", 1.3, kafka, spread(toLogs, 1000, 200), parts, 1, 100, 1000)
	series("partitions-key", "kafka_batch, a random key in every record, so that each chunk goes to all partitions; chunks of 7,000 records", 0, kafka, spread(byKey, 7000, 30), parts, 1, 100, 1000)
	both := map[int]string{1: "1 tag, 1 partition", 1000: "1,000 tags, 1,000 partitions"}
	series("tags-partitions", "kafka_batch, tags and partitions at once; chunks of 200 records", 1.3, kafka, perTag(toLogs, true), both, 1, 1000)

	users := map[int]string{1: "1 series", 10_000: "10,000 series", 100_000: "100,000 series"}
	perUser := func(options []string) func(int) setting {
		return func(n int) setting {
			return setting{options: options, series: n, records: 1000, chunks: 100, passes: 2}
		}
	}
	series("series", "field_metrics, the histogram by user, in random order; chunks of 1,000 records", 3, fields, perUser(byUser), users, 1, 10_000, 100_000)
	series("series-counter", "field_metrics, a counter by user, in random order; chunks of 1,000 records", 3, fields, perUser(counterByUser), users, 1, 10_000, 100_000)

	workers := map[int]string{1: "Workers 1", 2: "Workers 2", 4: "Workers 4"}
	threads := func(options []string, passes int) func(int) setting {
		return func(n int) setting {
			return setting{options: options, workers: n, partitions: 3, records: 1000, passes: passes}
		}
	}
	series("workers-field_metrics", "field_metrics; chunks of 1,000 records", 0, fields, threads(byLevel, 400), workers, 1, 2, 4)
	series("workers-kafka_batch", "kafka_batch, 3 partitions; chunks of 1,000 records", 0, kafka, threads(toLogs, 200), workers, 1, 2, 4)

	sizes := map[int]string{1000: "1,000 records", 1: "1 record", 10: "10 records", 100: "100 records", 7500: "7,500 records, 2 MB"}
	each := func(options []string, total, most int) func(int) setting {
		return func(n int) setting {
			return setting{options: options, records: n, passes: max(5, min(most, total/n)), workers: 2}
		}
	}
	series("chunks-enrich", "enrich", 0, enrich, func(n int) setting { s := each(enrichOptions, 400_000, 100_000)(n); s.workers = 0; return s }, sizes, 1000, 1, 10, 100, 7500)
	series("chunks-field_metrics", "field_metrics", 0, fields, each(byLevel, 400_000, 50_000), sizes, 1000, 1, 10, 100, 7500)
	series("chunks-kafka_batch", "kafka_batch, each chunk acknowledged before the next of its worker", 0, kafka, each(toLogs, 200_000, 4000), sizes, 1000, 1, 10, 100, 7500)
	return all
}

// line sizes other than the normal one change nothing that this measures.
const size = benchdata.Normal
