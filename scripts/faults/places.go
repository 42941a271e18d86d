package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/kafkacheck"
	"flbgo/scripts/internal/ledger"
)

// event is one of loggen's lines.
type event struct {
	stream string
	seq    uint64
}

// Damaged says that a line was damaged on purpose: what arrives of it may be anything.
func (r *Run) Damaged(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.damaged == nil {
		r.damaged = map[event]bool{}
	}
	r.damaged[e] = true
}

func (r *Run) isDamaged(e event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.damaged[e]
}

// inKafka reads which lines are in the topic.
func (r *Run) inKafka(ctx context.Context) (map[event]bool, error) {
	there := map[event]bool{}
	cfg := r.checks()
	cfg.OnRecord = func(stream string, seq uint64, _ *kgo.Record) { there[event{stream, seq}] = true }
	check, err := kafkacheck.New(cfg)
	if err != nil {
		return nil, err
	}
	defer check.Close()
	return there, check.ReadAll(ctx)
}

// missing are the lines of the ledger that are not in the topic.
func (r *Run) missing(ctx context.Context) (lost []event, err error) {
	there, err := r.inKafka(ctx)
	if err != nil {
		return nil, err
	}
	return lost, ledger.ReadFile(r.ledger, func(e ledger.Entry) error {
		for seq := e.First(); seq <= e.Seq; seq++ {
			if ev := (event{e.Stream, seq}); !there[ev] {
				lost = append(lost, ev)
			}
		}
		return nil
	})
}

// place is where a line is on disk.
type place int

const (
	nowhere  place = iota
	archived       // in a .gz
	plain          // in a file that tail reads
)

// onDisk finds the JSON lines of the log folder, by file and by line.
func (r *Run) onDisk() (files map[string][]event, at map[event]place, err error) {
	paths, err := filepath.Glob(filepath.Join(r.Logs, "*"))
	if err != nil {
		return nil, nil, err
	}
	files, at = map[string][]event{}, map[event]place{}
	for _, path := range paths {
		events, where, err := linesOf(path)
		if err != nil {
			return nil, nil, err
		}
		files[path] = events
		for _, e := range events {
			at[e] = max(at[e], where)
		}
	}
	return files, at, nil
}

func linesOf(path string) (events []event, where place, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nowhere, err
	}
	defer f.Close()
	in, where := io.Reader(f), plain
	if filepath.Ext(path) == ".gz" {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, nowhere, err
		}
		where = archived
	}
	stream, _, _ := strings.Cut(filepath.Base(path), ".log")
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Seq uint64 }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Seq == 0 {
			continue // copied or cut in the middle of it
		}
		events = append(events, event{stream, line.Seq})
	}
	return events, where, lines.Err()
}

// attributeSwapped waits until nothing is on its way, and puts down what is missing where it is a whole file: one that was
// renamed between tail's stat of it and its open.
func (r *Run) attributeSwapped(ctx context.Context) error {
	if err := r.quieted(ctx); err != nil {
		return err
	}
	there, err := r.inKafka(ctx)
	if err != nil {
		return err
	}
	files, _, err := r.onDisk()
	if err != nil {
		return err
	}
	const why = "in files that were renamed between tail's stat and its open, which then got another one and read that twice"
	r.Attribute(why, 0)
	for _, events := range files {
		if !slices.ContainsFunc(events, func(e event) bool { return there[e] }) {
			r.Attribute(why, uint64(len(events)))
		}
	}
	return nil
}

// attributeByPlace waits until nothing is on its way, and puts what is missing then down to where it still is on disk. What
// is missing at another place is not explained.
func (r *Run) attributeByPlace(ctx context.Context, why map[place]string) error {
	if err := r.quieted(ctx); err != nil {
		return err
	}
	lost, err := r.missing(ctx)
	if err != nil {
		return err
	}
	_, at, err := r.onDisk()
	if err != nil {
		return err
	}
	for _, text := range why {
		r.Attribute(text, 0)
	}
	for _, e := range lost {
		if text, ok := why[at[e]]; ok {
			r.Attribute(text, 1)
		}
	}
	return nil
}
