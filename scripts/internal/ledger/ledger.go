// Package ledger is the record of what loggen has written: a file of JSON
// lines against which the content of Kafka is held at the end of a run.
//
// An entry is written after the bytes of its events were taken by write(2),
// so the ledger never claims an event that is not in a log file. The reverse
// can happen for one batch when the writer is killed between the two writes:
// then Kafka may hold events that the ledger does not know.
package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// Entry is one line of a ledger. In the full form there is one entry per
// event and From is zero. In the compact form one entry stands for a whole
// batch: the events From to Seq, both included, went into the file with one
// write(2).
type Entry struct {
	Stream    string `json:"stream"`
	From      uint64 `json:"from,omitempty"` // first sequence number of a batch; 0 means Seq
	Seq       uint64 `json:"seq"`            // last sequence number of the batch
	WrittenNS int64  `json:"t_written_ns"`   // Unix nanoseconds just after the write(2)
	// Expect is the JSON object of fields that the record in Kafka must
	// have; nil in the compact form.
	Expect json.RawMessage `json:"expect,omitempty"`
	// Offset is where the entry's line begins in the ledger; set by Reader.
	Offset int64 `json:"-"`
}

// First returns the first sequence number that the entry covers.
func (e *Entry) First() uint64 {
	if e.From == 0 {
		return e.Seq
	}
	return e.From
}

// Writer appends entries to a ledger file. It is safe for concurrent use;
// entries handed over in one Append stay together and reach the file with one
// write(2).
type Writer struct {
	mu  sync.Mutex
	f   *os.File
	buf []byte
}

// Create opens path for appending and creates it when it is not there.
func Create(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Writer{f: f}, nil
}

// Append writes the entries. It does not keep them.
func (w *Writer) Append(entries ...Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = w.buf[:0]
	for i := range entries {
		w.buf = appendEntry(w.buf, &entries[i])
	}
	if _, err := w.f.Write(w.buf); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Close closes the file.
func (w *Writer) Close() error { return w.f.Close() }

// appendEntry is json.Marshal for an Entry whose stream name needs no
// escaping (loggen's never do), without reflection: at 50,000 lines a second
// the ledger must not be what costs.
func appendEntry(dst []byte, e *Entry) []byte {
	dst = append(dst, `{"stream":"`...)
	dst = append(dst, e.Stream...)
	dst = append(dst, '"')
	if e.From != 0 && e.From != e.Seq {
		dst = append(dst, `,"from":`...)
		dst = strconv.AppendUint(dst, e.From, 10)
	}
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, `,"t_written_ns":`...)
	dst = strconv.AppendInt(dst, e.WrittenNS, 10)
	if len(e.Expect) > 0 {
		dst = append(dst, `,"expect":`...)
		dst = append(dst, e.Expect...)
	}
	return append(dst, "}\n"...)
}

// Reader reads a ledger that may still be growing.
type Reader struct {
	r    io.Reader
	line int    // lines handed out so far, for error texts
	off  int64  // bytes handed out so far
	buf  []byte // read, not yet handed out; ends in an unfinished line
	chnk []byte
}

// NewReader returns a Reader over r, normally an *os.File.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, chnk: make([]byte, 64<<10)} }

// Poll calls fn for every whole line that was appended since the last Poll
// and returns at the end of what is there. A last line without a newline is
// kept for the next Poll: a writer may be in the middle of it. The entry and
// its Expect are fn's own. An error of fn stops the Poll and is returned; the
// entry counts as read.
func (r *Reader) Poll(fn func(Entry) error) error {
	for {
		for {
			i := bytes.IndexByte(r.buf, '\n')
			if i < 0 {
				break
			}
			line := r.buf[:i]
			r.buf = r.buf[i+1:]
			r.line++
			e := Entry{Offset: r.off}
			r.off += int64(len(line)) + 1
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("ledger: line %d: %w", r.line, err)
			}
			if e.Stream == "" || e.First() > e.Seq {
				return fmt.Errorf("ledger: line %d: no stream, or from %d is above seq %d", r.line, e.From, e.Seq)
			}
			if err := fn(e); err != nil {
				return err
			}
		}
		n, err := r.r.Read(r.chnk)
		r.buf = append(r.buf, r.chnk[:n]...)
		if errors.Is(err, io.EOF) || (err == nil && n == 0) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
}

// ReadAt reads the one entry whose line begins at offset.
func ReadAt(r io.ReaderAt, offset int64) (Entry, error) {
	e := Entry{Offset: offset}
	dec := json.NewDecoder(io.NewSectionReader(r, offset, 1<<20))
	if err := dec.Decode(&e); err != nil {
		return e, fmt.Errorf("ledger: offset %d: %w", offset, err)
	}
	return e, nil
}

// ReadFile calls fn for every whole line of the ledger at path.
func ReadFile(path string, fn func(Entry) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	defer f.Close()
	return NewReader(f).Poll(fn)
}
