package loggen

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"flbgo/scripts/internal/ledger"
)

const (
	// maxBatch bounds the events of one write: a batch shares one time of
	// writing, and a run stops only between batches.
	maxBatch = 128
	// tick is the shortest sleep between batches. At high rates a batch is
	// what came due in a tick.
	tick = 2 * time.Millisecond
)

// stream writes one file. run is its only goroutine; the counters may be read
// from others.
type stream struct {
	name   string
	cfg    *Config
	count  uint64  // events to write; 0 means no end
	rate   float64 // events per second; 0 means no limit
	draw   *drawer
	format format
	buf    bytes.Buffer // the batch being built
	ends   []int        // where each of its events ends
	file   *logFile
	ledger *ledger.Writer // nil for none

	expect  [][]byte // of the batch, with LedgerFull
	entries []ledger.Entry

	inFile  uint64 // events in the present file, counted from this run's start
	rotated time.Time

	written, bytes, lastSeq, rotations atomic.Uint64
}

func newStream(name string, cfg *Config, led *ledger.Writer) *stream {
	s := &stream{name: name, cfg: cfg, ledger: led, draw: newDrawer(name, cfg.Seed)}
	s.format = newFormat(name, &s.buf, cfg.MaxGinLatency)
	s.lastSeq.Store(cfg.StartSeq - 1)
	return s
}

// run writes until the count is reached or ctx is done, which is no error.
func (s *stream) run(ctx context.Context) (err error) {
	s.file, err = openLog(filepath.Join(s.cfg.Dir, s.name+".log"))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.file.f.Close(); err == nil {
			err = cerr
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	start := time.Now()
	s.rotated = start
	for done := uint64(0); ; {
		n := uint64(maxBatch)
		if s.rate > 0 {
			due := uint64(s.rate * time.Since(start).Seconds())
			n = min(n, due-min(due, done))
		}
		if s.count > 0 {
			n = min(n, s.count-done)
			if done == s.count {
				return nil
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if n > 0 {
			if n, err = s.batch(n); err != nil {
				return fmt.Errorf("stream %s: %w", s.name, err)
			}
			done += n
		}
		if s.rate == 0 {
			continue
		}
		next := start.Add(time.Duration(float64(done+1) / s.rate * float64(time.Second)))
		timer.Reset(max(tick, time.Until(next)))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// batch writes up to n events with one write(2), fewer where a rotation is
// due, and returns how many.
func (s *stream) batch(n uint64) (uint64, error) {
	if s.due() {
		if err := s.file.rotate(); err != nil {
			return 0, err
		}
		s.inFile, s.rotated = 0, time.Now()
		s.rotations.Add(1)
	}
	if s.cfg.Reopen {
		if err := s.reopen(); err != nil {
			return 0, err
		}
	}
	if s.cfg.RotateEvery > 0 {
		n = min(n, s.cfg.RotateEvery-s.inFile)
	}
	s.buf.Reset()
	s.ends, s.expect = s.ends[:0], s.expect[:0]
	first := s.lastSeq.Load() + 1
	for i := range n {
		e := s.draw.draw(first+i, time.Now())
		from := s.buf.Len()
		if err := s.format.write(e); err != nil {
			return 0, err
		}
		if b := s.buf.Bytes()[from:]; len(b) == 0 || b[len(b)-1] != '\n' {
			return 0, fmt.Errorf("the logger holds the line of seq %d back", e.seq)
		}
		s.ends = append(s.ends, s.buf.Len())
		if s.cfg.LedgerFull {
			x, err := appendExpect(nil, s.name, e)
			if err != nil {
				return 0, err
			}
			s.expect = append(s.expect, x)
		}
	}
	size, err := s.file.f.Write(s.buf.Bytes())
	// A write can take a part (the disk is full). The events that are whole
	// in the file count; the one that was cut is the reader's trouble and is
	// in no ledger.
	whole := uint64(len(s.ends))
	for whole > 0 && s.ends[whole-1] > size {
		whole--
	}
	s.bytes.Add(uint64(size))
	if whole > 0 {
		if lerr := s.account(first, first+whole-1, time.Now().UnixNano()); err == nil {
			err = lerr
		}
	}
	return whole, err
}

// reopen goes on in the file that has the name now.
func (s *stream) reopen() error {
	moved, err := s.file.moved()
	if err != nil || !moved {
		return err
	}
	s.inFile, s.rotated = 0, time.Now()
	s.rotations.Add(1)
	return s.file.reopen()
}

// due says whether the file is to be rotated before the next event.
func (s *stream) due() bool {
	return s.cfg.RotateEvery > 0 && s.inFile >= s.cfg.RotateEvery ||
		s.cfg.RotateInterval > 0 && s.inFile > 0 && time.Since(s.rotated) >= s.cfg.RotateInterval
}

// account makes events known that are in the file.
func (s *stream) account(first, last uint64, ns int64) error {
	s.inFile += last - first + 1
	s.lastSeq.Store(last)
	s.written.Add(last - first + 1)
	var err error
	if s.ledger != nil {
		s.entries = s.entries[:0]
		if s.cfg.LedgerFull {
			for i := range last - first + 1 {
				s.entries = append(s.entries, ledger.Entry{Stream: s.name, Seq: first + i, WrittenNS: ns, Expect: s.expect[i]})
			}
		} else {
			s.entries = append(s.entries, ledger.Entry{Stream: s.name, From: first, Seq: last, WrittenNS: ns})
		}
		err = s.ledger.Append(s.entries...)
	}
	if s.cfg.OnBatch != nil {
		b := Batch{Stream: s.name, First: first, Last: last, WrittenNS: ns}
		if s.cfg.LedgerFull {
			b.Expect = s.expect[:last-first+1]
		}
		s.cfg.OnBatch(b)
	}
	return err
}
