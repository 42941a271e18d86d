package loggen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Streams are the names of all streams. The file of a stream is its name with
// ".log" behind it.
var Streams = []string{"zap", "slog", "logrus", "gin", "nginx", "pipe", "java"}

// Config says what to write. The zero value of every field but Dir is usable.
type Config struct {
	// Dir is the folder of the log files. It is created when it is missing;
	// files that are there are appended to.
	Dir string
	// Streams are the names of the streams to write; empty means all.
	Streams []string
	// Rate is events per second over all streams, spread evenly; 0 means as
	// fast as possible.
	Rate float64
	// Count is the number of events over all streams; 0 means no end. The
	// first streams take the remainder of the division.
	Count uint64
	// Duration ends the run after this time; 0 means no end.
	Duration time.Duration
	// StartSeq is the first sequence number of every stream; 0 means 1.
	StartSeq uint64
	// Seed chooses the content.
	Seed uint64

	// RotateEvery renames a stream's file after this many events (NAME.log
	// to NAME.log.1, then .2, …: the highest number is the youngest) and
	// creates a new one; 0 means never. All rotated files are kept.
	RotateEvery uint64
	// RotateInterval does the same after this time; 0 means never.
	RotateInterval time.Duration
	// Reopen opens a file again before the next batch when its name leads
	// elsewhere: somebody renamed or deleted it, as logrotate does.
	Reopen bool

	// MaxGinLatency bounds how long a gin handler sleeps to have a latency
	// worth measuring; 0 means it answers at once. The sleep holds up the
	// gin stream and no other.
	MaxGinLatency time.Duration

	// Ledger is the path of the ledger file to append to; empty means none.
	Ledger string
	// LedgerFull writes one ledger entry per event, with what Kafka must
	// hold, in place of one entry per batch. It costs about as much as
	// writing the event.
	LedgerFull bool
	// OnBatch is called after the bytes of a batch are in the file (and in
	// the ledger), from the goroutine of the stream: several streams call it
	// at once. The Batch and its slices are valid until it returns.
	OnBatch func(Batch)
}

// Batch is what one write(2) took: events of one stream without a gap.
type Batch struct {
	Stream      string
	First, Last uint64
	WrittenNS   int64 // Unix nanoseconds just after the write
	// Expect has, with Config.LedgerFull, one JSON object per event: the
	// fields that its record in Kafka must have.
	Expect [][]byte
}

// resolve fills the defaults in and reports everything that is wrong at once.
func (c Config) resolve() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Dir == "" {
		bad("dir: not set; it is the folder of the log files, for example -dir /tmp/logs")
	}
	if len(c.Streams) == 0 {
		c.Streams = Streams
	}
	seen := map[string]bool{}
	for _, s := range c.Streams {
		if !slices.Contains(Streams, s) {
			bad("streams: %q is none of %s", s, strings.Join(Streams, ", "))
		}
		if seen[s] {
			bad("streams: %q is given twice", s)
		}
		seen[s] = true
	}
	if !(c.Rate >= 0) || c.Rate > 1e9 {
		bad("rate: %v is not between 0 (as fast as possible) and 1e9 lines per second", c.Rate)
	}
	if c.Duration < 0 || c.RotateInterval < 0 || c.MaxGinLatency < 0 {
		bad("duration, rotate interval and gin latency cannot be negative")
	}
	if c.StartSeq == 0 {
		c.StartSeq = 1
	}
	if c.LedgerFull && c.Ledger == "" && c.OnBatch == nil {
		bad("ledger-full: there is no ledger to write it to; add -ledger FILE")
	}
	if _, off := time.Now().Zone(); off != 0 && seen["gin"] {
		bad("gin writes local time without a zone, so the time zone must be UTC: set TZ=UTC")
	}
	return c, errors.Join(errs...)
}
