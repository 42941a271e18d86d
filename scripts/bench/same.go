package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/benchdata"
	"flbgo/scripts/internal/fluentbit"
)

// same lets both sides of a row read a few lines and says whether they made the same of them: equal records, equal
// histograms. A comparison of speed is worth nothing without it.
func (b *bench) same(ctx context.Context, h fluentbit.Host, r row) (string, error) {
	d, err := benchdata.Write(filepath.Join(b.dir, "check.log"), r.size, b.check)
	if err != nil {
		return "", err
	}
	var got [2]made
	for i, s := range []*side{&r.ours, &r.builtin} {
		if got[i], err = b.make(ctx, h, s, d); err != nil {
			return "", fmt.Errorf("%s: %w", s.conf, err)
		}
	}
	diff := got[0].differences(got[1])
	if len(diff) == 0 {
		return fmt.Sprintf("the same result: %d lines, equal in all values", b.check), nil
	}
	return fmt.Sprintf("NOT the same result (ours, %s): %d differences, such as %s", r.builtin.name(), len(diff), strings.Join(diff[:min(3, len(diff))], "; ")), nil
}

// made is what a side makes of lines.
type made struct {
	records map[int]map[string]any // by line number
	twice   int                    // records of a line that had one already
	series  map[string]float64     // of the histogram
}

// make runs a side over few lines. Records are read from Kafka, or from a file output beside a filter.
func (b *bench) make(ctx context.Context, h fluentbit.Host, s *side, d benchdata.File) (m made, err error) {
	var args []string
	var file string
	if !s.kafka && !s.metrics {
		file = filepath.Join(b.dir, "made-"+s.name()+".log")
		args = []string{"-o", "file", "-m", "*", "-p", "path=" + filepath.Dir(file), "-p", "file=" + filepath.Base(file)}
	}
	v, err := b.start(ctx, h, s, d.Path, args...)
	if err != nil {
		return m, err
	}
	defer v.close()
	if _, _, err := v.through(ctx, d); err != nil {
		return m, err
	}
	m.records = map[int]map[string]any{}
	if s.kafka {
		if err := m.consume(ctx, v.kafka, d.Lines); err != nil {
			return m, err
		}
	}
	if file != "" {
		// Until the file has every line: nothing else tells when the output wrote them.
		for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			clear(m.records)
			if err := m.read(file); err == nil && len(m.records) >= d.Lines {
				break
			} else if time.Since(begin) > 10*time.Second {
				return m, fmt.Errorf("%d of %d records are in its file output (%v)", len(m.records), d.Lines, err)
			}
		}
	}
	if s.metrics {
		text, err := v.scrape(ctx)
		if err != nil {
			return m, err
		}
		if m.series, err = histogram(text); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (m *made) consume(ctx context.Context, k *cluster, lines int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.brokers...), kgo.ConsumeTopics(k.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for len(m.records) < lines {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d of %d records: %w", len(m.records), lines, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := m.put(it.Next().Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads what the file output writes: "tag: [time, {record}]".
func (m *made) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Bytes()
		from, to := bytes.IndexByte(line, '{'), bytes.LastIndexByte(line, '}')
		if from < 0 || to < from {
			return fmt.Errorf("%.200q has no record", line)
		}
		if err := m.put(line[from : to+1]); err != nil {
			return err
		}
	}
	return nil
}

func (m *made) put(value []byte) error {
	var rec map[string]any
	if err := json.Unmarshal(value, &rec); err != nil {
		return fmt.Errorf("%.200q: %w", value, err)
	}
	seq, ok := rec["seq"].(float64)
	if !ok {
		return fmt.Errorf("%.200q has no seq", value)
	}
	if _, there := m.records[int(seq)]; there {
		m.twice++
	}
	m.records[int(seq)] = rec
	return nil
}

var bucketOrSum = regexp.MustCompile(`^\w*` + metricName + `_(bucket|count|sum)\{([^}]*)\} (\S+)`)

// histogram returns the series of the one that peers/ names: what is before and in which order labels stand differs.
func histogram(text []byte) (map[string]float64, error) {
	series := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		m := bucketOrSum.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		labels := strings.Split(m[2], ",")
		for i, l := range labels {
			// 10 and 10.0 are one bound.
			if le, ok := strings.CutPrefix(l, `le="`); ok {
				f, err := strconv.ParseFloat(strings.TrimSuffix(le, `"`), 64)
				if err != nil {
					return nil, fmt.Errorf("%q: %w", line, err)
				}
				labels[i] = fmt.Sprintf("le=%g", f)
			}
		}
		slices.Sort(labels)
		f, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		series[m[1]+"{"+strings.Join(labels, ",")+"}"] = f
	}
	return series, nil
}

// differences are few words each, at most a few hundred.
func (m made) differences(o made) (diff []string) {
	add := func(format string, a ...any) {
		if len(diff) < 300 {
			diff = append(diff, fmt.Sprintf(format, a...))
		}
	}
	if m.twice != o.twice {
		add("%d and %d records sent twice", m.twice, o.twice)
	}
	for _, seq := range slices.Sorted(maps.Keys(m.records)) {
		a, b := m.records[seq], o.records[seq]
		for _, key := range slices.Sorted(maps.Keys(a)) {
			if !equal(a[key], b[key]) {
				add("line %d: %s is %v and %v", seq, key, a[key], b[key])
			}
		}
		for _, key := range slices.Sorted(maps.Keys(b)) {
			if _, ok := a[key]; !ok {
				add("line %d: %s is nowhere and %v", seq, key, b[key])
			}
		}
	}
	if len(m.records) != len(o.records) {
		add("%d and %d records", len(m.records), len(o.records))
	}
	for _, name := range slices.Sorted(maps.Keys(m.series)) {
		b, ok := o.series[name]
		if a := m.series[name]; !ok || !equal(a, b) {
			add("%s is %v and %v", name, a, b)
		}
	}
	if len(m.series) != len(o.series) {
		add("%d and %d series", len(m.series), len(o.series))
	}
	return diff
}

// equal is equality of JSON values; numbers have the microseconds of a time that is written as a double.
func equal(a, b any) bool {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	if ok1 && ok2 {
		return x == y || math.Abs(x-y) <= 1e-6*max(1, math.Abs(x)*1e-3)
	}
	return reflect.DeepEqual(a, b)
}
