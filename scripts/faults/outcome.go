package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"flbgo/scripts/internal/kafkacheck"
)

// Names of the two outputs, as a configuration has them.
const (
	ours    = "kafka_batch"
	builtIn = "kafka"
)

// Outcome is the account of one run.
type Outcome struct {
	Fault   string `json:"fault"`
	Group   int    `json:"group"`
	Title   string `json:"title"`
	Host    string `json:"host"`
	Broker  string `json:"broker"`
	Output  string `json:"output"`
	Class   Class  `json:"class"`
	Short   bool   `json:"short"`   // the short form of the fault
	Skipped string `json:"skipped"` // why it was not run; nothing else is known then

	Written    uint64 `json:"written"`
	InKafka    uint64 `json:"in_kafka"`
	Lost       uint64 `json:"lost"`
	Duplicated uint64 `json:"duplicated"`     // records beyond the first of their line
	SameID     uint64 `json:"same_id"`        // of these, with the record_id of the first
	Unfiltered uint64 `json:"unfiltered"`     // records as they were between two filters when a host before 2.2 was killed
	Torn       uint64 `json:"torn,omitempty"` // records of messages that the host cut, where the class says that it may
	// Refused are lines that are in no topic and not lost, by the counter that says so.
	Refused map[string]uint64 `json:"refused,omitempty"`
	// Attributed are lines that are lost, by why.
	Attributed map[string]uint64 `json:"attributed,omitempty"`

	Recovery []float64 `json:"recovery_seconds"` // after each mending, until all that was written before it had arrived
	Scrapes  int       `json:"scrapes"`
	Broken   []string  `json:"broken,omitempty"` // scrapes that did not add up
	Took     float64   `json:"took_seconds"`
	Notes    []string  `json:"notes,omitempty"`
	Problems []string  `json:"problems,omitempty"` // any fails the run
}

// Failed tells whether something is not as it was promised.
func (o *Outcome) Failed() bool { return len(o.Problems) > 0 }

func (o *Outcome) fail(format string, args ...any) {
	o.Problems = append(o.Problems, fmt.Sprintf(format, args...))
}

// refused is how many lines counters say were refused.
func (o *Outcome) refused() uint64 { return total(o.Refused) }

// attributed is how many lost lines have a reason.
func (o *Outcome) attributed() uint64 { return total(o.Attributed) }

func total(by map[string]uint64) (n uint64) {
	for _, v := range by {
		n += v
	}
	return n
}

// account holds what is in Kafka to what was promised.
func (o *Outcome) account(rep kafkacheck.Report) {
	o.Written, o.InKafka, o.Lost = rep.Written, rep.InKafka, rep.Lost.N
	o.Duplicated = rep.Copies.N
	o.SameID = rep.Copies.N - rep.CopiesOtherID.N - rep.CopiesUnproven.N
	o.Unfiltered = rep.Unfiltered.N
	if o.Written == 0 {
		o.fail("no line was written: nothing was tested")
	}
	if o.Output == builtIn {
		return // measured, and held to nothing
	}
	missing, examples := o.Lost, strings.Join(rep.Lost.Examples, "; ")
	refused := o.refused()
	o.Lost -= min(refused, missing)
	switch {
	case o.Class.Loss == noneLost && missing > 0:
		o.fail("%d lines are lost, and none may be: %s", missing, examples)
	case o.Class.Loss == refusedByLimit && missing != refused:
		o.fail("%d lines are missing and %d were counted as refused (%s): %s", missing, refused, o.refusals(), examples)
	case o.Class.Loss == hostBound && o.Attributed != nil && o.attributed()+refused != missing:
		o.fail("%d lines are missing, and %d of them are explained: %s", missing, o.attributed()+refused, examples)
	case o.Class.Loss == hostBound && refused > missing:
		o.fail("%d lines were counted as refused (%s) and %d are missing", refused, o.refusals(), missing)
	}
	if !o.Class.Copies && o.Duplicated > 0 {
		o.fail("%d lines are there again, and the idempotent producer promises that none is: %s", o.Duplicated, strings.Join(rep.Copies.Examples, "; "))
	}
	rep.Lost = kafkacheck.Finding{}
	if o.Class.Torn || torn(rep) {
		o.Torn = rep.Unidentified.N + rep.Diffs["message"].N
		rep.Unidentified = kafkacheck.Finding{}
		delete(rep.Diffs, "message")
	}
	if err := rep.Err(); err != nil {
		o.fail("%v", err)
	}
	for _, b := range o.Broken {
		o.fail("records of a scrape unaccounted for: %s", b)
	}
	if o.Scrapes == 0 {
		o.fail("kafka_batch's metrics were never to be had")
	}
}

// torn tells whether what is not as it was written is no more than a Java event whose stack trace came by itself: tail may
// read between two pages of a write.
func torn(rep kafkacheck.Report) bool {
	const most = 3
	cut := rep.Diffs["message"]
	return cut.N > 0 && cut.N <= most && cut.N == rep.Unidentified.N &&
		!slices.ContainsFunc(cut.Examples, func(e string) bool { return !strings.HasPrefix(e, "java seq ") })
}

// refusals is "records_dropped_total 12, …".
func (o *Outcome) refusals() string {
	var s []string
	for _, name := range slices.Sorted(maps.Keys(o.Refused)) {
		s = append(s, fmt.Sprintf("%s %d", name, o.Refused[name]))
	}
	return strings.Join(s, ", ")
}

// slowest is the longest recovery; ok is false where there was none to measure.
func (o *Outcome) slowest() (_ time.Duration, ok bool) {
	if len(o.Recovery) == 0 {
		return 0, false
	}
	return time.Duration(slices.Max(o.Recovery) * float64(time.Second)), true
}

// recovery is the slowest one in words.
func (o *Outcome) recovery() string {
	d, ok := o.slowest()
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// line is the outcome in one line, for the terminal.
func (o *Outcome) line() string {
	var b strings.Builder
	verdict := "ok     "
	switch {
	case o.Skipped != "":
		return fmt.Sprintf("skipped: %s on Fluent Bit %s: %s", o.Fault, o.Host, o.Skipped)
	case o.Failed():
		verdict = "FAILED "
	case o.Output == builtIn:
		verdict = "        "[:7]
	}
	fmt.Fprintf(&b, "%s %s: Fluent Bit %s, %s, %s: written %d, lost %d", verdict, o.Fault, o.Host, o.Output, o.Broker, o.Written, o.Lost)
	if len(o.Refused) > 0 {
		fmt.Fprintf(&b, ", refused %s", o.refusals())
	}
	fmt.Fprintf(&b, ", twice %d", o.Duplicated)
	if o.Duplicated > 0 {
		fmt.Fprintf(&b, " (same record_id %d)", o.SameID)
	}
	fmt.Fprintf(&b, ", recovered in %s, %d scrapes add up, %.0f s", o.recovery(), o.Scrapes-len(o.Broken), o.Took)
	return b.String()
}
