package batch

import (
	"log/slog"
	"time"

	"golang.org/x/time/rate"
)

// notices are the log lines whose rate is bounded, by what they say. What is not logged is still counted.
type notices struct {
	log      *slog.Logger
	topic    rate.Sometimes // the topic cannot be written to
	operator rate.Sometimes // a broker refuses for a reason that somebody has to mend
	network  rate.Sometimes // no answers from brokers that can be reached
	refused  rate.Sometimes // answers that should pass by themselves, and do not
	unknown  rate.Sometimes // an answer that is not expected
	dropped  rate.Sometimes // records that cannot be delivered
	tooLarge rate.Sometimes // a batch of several records
	dead     rate.Sometimes // the topic of dead letters cannot be written to
	damaged  rate.Sometimes // events that are no records
	full     rate.Sometimes // buffer_max_bytes
	producer rate.Sometimes // a producer id was replaced
	panicked rate.Sometimes
}

func newNotices(log *slog.Logger) *notices {
	n := &notices{log: log}
	for _, s := range []*rate.Sometimes{&n.topic, &n.operator, &n.network, &n.refused, &n.unknown, &n.damaged, &n.dead, &n.tooLarge, &n.full, &n.producer, &n.panicked} {
		s.Interval = time.Minute
	}
	n.dropped = rate.Sometimes{First: 10, Interval: 10 * time.Second}
	return n
}
