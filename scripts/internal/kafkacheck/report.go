package kafkacheck

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// finding counts one kind of thing and keeps a few examples.
type finding struct {
	n        uint64
	examples []string
}

type findings struct {
	max int // examples of each kind

	badJSON, unidentified, unfiltered finding // records
	noID                              finding // records
	copies                            finding // copies
	otherID, unproven                 finding // copies
	truncated, badLedger              finding
	diffs                             map[string]*finding // by field
	compared                          uint64
	first, last                       int64 // when records were read
}

// note calls example only where it is kept.
func (f *findings) note(to *finding, example func() string) {
	to.n++
	if len(to.examples) < f.max {
		to.examples = append(to.examples, example())
	}
}

// Finding is a number of events or records and a few of them in words.
type Finding struct {
	N        uint64
	Examples []string
}

// StreamReport is the account of one stream.
type StreamReport struct {
	Stream  string
	Written uint64 // events in the ledger
	InKafka uint64 // distinct events
	Lost    uint64 // written and not in Kafka
	Unknown uint64 // in Kafka and not written
	Copies  uint64 // records beyond the first of an event
	Latency Latency
}

// Report is the account of everything that was read so far.
type Report struct {
	Written, InKafka    uint64 // distinct events
	Records             uint64 // in all topics
	Topics              map[string]uint64
	Streams             []StreamReport
	FirstRead, LastRead time.Time // of the records that were read

	Lost    Finding
	Unknown Finding // events in Kafka that the ledger does not have

	Copies         Finding // records beyond the first of their event
	CopiesOtherID  Finding // of these: with another record_id than the first
	CopiesUnproven Finding // of these: with no record_id to compare
	SharedID       Finding // distinct events with one record_id
	WithoutID      Finding // records

	BadJSON      Finding // records that are no JSON object
	Unidentified Finding // records without a stream or a sequence number
	Unfiltered   Finding // records that lack a Constant field, with Config.HalfFiltered
	Truncated    Finding // Kafka had more before
	BadLedger    Finding // the ledger has an event twice, or cannot be read

	Compared uint64             // events whose fields were compared
	Diffs    map[string]Finding // by field

	Latency Latency
}

// Progress is what can be told at once, for a line a second.
type Progress struct {
	Written, InKafka, Records, Copies uint64
	Missing                           uint64 // written and not in Kafka yet
	Latency                           Latency
}

// Progress returns the present counts.
func (c *Checker) Progress() Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	var p Progress
	var h histogram
	for _, t := range c.streams {
		p.Written += t.written
		p.InKafka += t.distinct
		p.Missing += t.written - t.arrived
		p.Copies += t.copies
		h.merge(&t.latency)
	}
	for _, n := range c.topics {
		p.Records += n
	}
	p.Latency = h.latency()
	return p
}

// Oldest is when the oldest batch was written of which something is not in
// Kafka, in Unix nanoseconds; 0 for none. Only batches that Wrote was given the
// time of count.
func (c *Checker) Oldest() (ns int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.streams {
		for _, s := range t.spans {
			if s.missing > 0 {
				if ns == 0 || s.ns < ns {
					ns = s.ns
				}
				break
			}
		}
	}
	return ns
}

// Report makes the account. It takes some time for millions of events.
func (c *Checker) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &c.found
	out := func(f finding) Finding { return Finding{f.n, slices.Clone(f.examples)} }
	r := Report{
		Topics:         maps.Clone(c.topics),
		Copies:         out(f.copies),
		CopiesOtherID:  out(f.otherID),
		CopiesUnproven: out(f.unproven),
		WithoutID:      out(f.noID),
		BadJSON:        out(f.badJSON),
		Unidentified:   out(f.unidentified),
		Unfiltered:     out(f.unfiltered),
		Truncated:      out(f.truncated),
		BadLedger:      out(f.badLedger),
		Compared:       f.compared,
		Diffs:          map[string]Finding{},
	}
	if f.first != 0 {
		r.FirstRead, r.LastRead = time.Unix(0, f.first), time.Unix(0, f.last)
	}
	for k, d := range f.diffs {
		r.Diffs[k] = out(*d)
	}
	for _, n := range c.topics {
		r.Records += n
	}
	var all histogram
	for _, name := range slices.Sorted(maps.Keys(c.streams)) {
		t := c.streams[name]
		s := StreamReport{
			Stream: name, Written: t.written, InKafka: t.distinct, Copies: t.copies,
			Lost: t.written - t.arrived, Unknown: t.distinct - t.arrived, Latency: t.latency.latency(),
		}
		r.Streams = append(r.Streams, s)
		r.Written += s.Written
		r.InKafka += s.InKafka
		all.merge(&t.latency)
		example := func(to *Finding, n uint64, seqs func(int) []uint64) {
			to.N += n
			for _, seq := range seqs(f.max - len(to.Examples)) {
				to.Examples = append(to.Examples, fmt.Sprintf("%s seq %d", name, seq))
			}
		}
		example(&r.Lost, s.Lost, t.lost)
		example(&r.Unknown, s.Unknown, t.unknown)
		if t.rewritten > 0 {
			r.BadLedger.N += t.rewritten
			r.BadLedger.Examples = append(r.BadLedger.Examples, fmt.Sprintf("%s: %d sequence numbers are in the ledger more than once", name, t.rewritten))
		}
	}
	r.Latency = all.latency()
	r.SharedID = c.sharedIDs()
	return r
}

// sharedIDs looks for distinct events with one record_id, among the ids that
// are kept.
func (c *Checker) sharedIDs() (out Finding) {
	type owner struct {
		id     uint64
		stream string
		seq    uint64
	}
	var all []uint64
	each := func(fn func(id uint64, t *track, seq uint64)) {
		for _, t := range c.streams {
			for _, number := range t.idsAt {
				for i, id := range t.pages[number].ids {
					if id != 0 {
						fn(id, t, number*pageSize+uint64(i))
					}
				}
			}
		}
	}
	each(func(id uint64, _ *track, _ uint64) { all = append(all, id) })
	slices.Sort(all)
	shared := map[uint64]bool{}
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			out.N++
			if len(shared) < c.cfg.MaxExamples {
				shared[all[i]] = true
			}
		}
	}
	if len(shared) == 0 {
		return out
	}
	var owners []owner
	each(func(id uint64, t *track, seq uint64) {
		if shared[id] {
			owners = append(owners, owner{id, t.name, seq})
		}
	})
	slices.SortFunc(owners, func(a, b owner) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.stream, b.stream), cmp.Compare(a.seq, b.seq))
	})
	for i := 1; i < len(owners) && len(out.Examples) < c.cfg.MaxExamples; i++ {
		if a, b := owners[i-1], owners[i]; a.id == b.id {
			out.Examples = append(out.Examples, fmt.Sprintf("%s seq %d and %s seq %d", a.stream, a.seq, b.stream, b.seq))
		}
	}
	return out
}

// Err returns nil when everything that was written is in Kafka, is what was
// written, and copies can be told; else one error per kind of trouble, with
// examples. Copies by themselves are no error, nor are records that were not filtered
// to the end, where Config.HalfFiltered says that there may be some.
func (r *Report) Err() error {
	var errs []error
	add := func(f Finding, format string) {
		if f.N > 0 {
			errs = append(errs, fmt.Errorf(format+": %s", f.N, strings.Join(f.Examples, "; ")))
		}
	}
	add(r.Lost, "%d events were written and are not in Kafka")
	add(r.Unknown, "%d events are in Kafka that were not written")
	add(r.CopiesOtherID, "%d copies have another record_id than their first")
	add(r.CopiesUnproven, "%d copies have no record_id to know them by")
	add(r.SharedID, "%d distinct events share a record_id with another")
	add(r.WithoutID, "%d records have no record_id")
	add(r.BadJSON, "%d records are no JSON object")
	add(r.Unidentified, "%d records have no stream or sequence number")
	add(r.Truncated, "%d times Kafka had less than before")
	add(r.BadLedger, "%d entries of the ledger are of no use")
	for _, key := range slices.Sorted(maps.Keys(r.Diffs)) {
		add(r.Diffs[key], "%d records differ from their line in "+key)
	}
	return errors.Join(errs...)
}

// String is the account in a few lines, without the examples.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "written %d, in Kafka %d, lost %d, duplicates %d", r.Written, r.InKafka, r.Lost.N, r.Copies.N)
	if r.Copies.N > 0 {
		if bad := r.CopiesOtherID.N + r.CopiesUnproven.N; bad == 0 {
			b.WriteString(" (all with an equal record_id)")
		} else {
			fmt.Fprintf(&b, " (%d of them WITHOUT an equal record_id)", bad)
		}
	}
	b.WriteByte('\n')
	if r.Unfiltered.N > 0 {
		fmt.Fprintf(&b, "besides, %d as they were between two filters when Fluent Bit was killed (hosts before 2.2)\n", r.Unfiltered.N)
	}
	if r.Latency.N > 0 {
		fmt.Fprintf(&b, "from line written to readable: p50 %v, p99 %v, longest %v\n",
			round(r.Latency.P50), round(r.Latency.P99), round(r.Latency.Max))
	}
	if r.Compared > 0 {
		var n uint64
		for _, d := range r.Diffs {
			n += d.N
		}
		fmt.Fprintf(&b, "fields compared in %d records, %d differences\n", r.Compared, n)
	}
	return b.String()
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
