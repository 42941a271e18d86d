package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/ledger"
	"flbgo/scripts/internal/loggen"
)

// ownSeq is where the sequence numbers of a fault's own lines begin: loggen's stay below.
const ownSeq = 1_000_001

// ownLines writes lines of a fault's own into the file of one of loggen's streams, while that writes too, and into the
// ledger.
type ownLines struct {
	r      *Run
	stream string
	f      *os.File
	ledger *ledger.Writer
	seq    uint64 // of the next line
}

func (r *Run) ownLines(stream string) (*ownLines, error) {
	// Appended, as loggen's own: lines of two writers do not mix.
	f, err := os.OpenFile(filepath.Join(r.Logs, stream+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	l := &ownLines{r: r, stream: stream, f: f, seq: ownSeq}
	r.Cleanup(f.Close)
	if l.ledger, err = ledger.Create(r.ledger); err != nil {
		return nil, err
	}
	r.Cleanup(l.ledger.Close)
	return l, nil
}

// put writes a line, in which SEQ stands for its number; fields are what its record must have, besides.
func (l *ownLines) put(line string, fields map[string]any) error {
	number := strconv.FormatUint(l.seq, 10)
	e := ledger.Entry{Stream: l.stream, Seq: l.seq}
	l.seq++
	if fields != nil {
		want, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		e.Expect = []byte(strings.ReplaceAll(string(want), "SEQ", number))
	}
	if _, err := l.f.WriteString(strings.ReplaceAll(line, "SEQ", number) + "\n"); err != nil {
		return err
	}
	e.WrittenNS = time.Now().UnixNano()
	l.r.live.Wrote(l.stream, e.Seq, e.Seq, e.WrittenNS)
	return l.ledger.Append(e)
}

// overlong is more than tail's Buffer_Max_Size, which a line has to fit in.
const overlong = 1536 << 10

// poison is a line that asks for trouble. Its record is known by SEQ, in the field seq or behind "seq=" in the message.
type poison struct {
	name   string
	line   string
	fields map[string]any // that must be in its record; nil where that is the host's business, or where there is none
	limit  string         // which refuses it; "" for none
}

const (
	overBuffer  = "tail's Buffer_Max_Size"
	overMessage = "the topic's max.message.bytes"
)

// poisons are all kinds, made once: some are long.
func poisons() []poison {
	head := `{"time":"2026-11-20T20:31:00.5Z","level":"info","seq":SEQ,"msg":"seq=SEQ`
	letters := rand.New(rand.NewPCG(7, 1))
	noise := make([]byte, 520_000)
	for i := range noise {
		noise[i] = byte(letters.Uint32())
	}
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, `,"key_%d":%d`, i, i)
	}
	message := func(s string) map[string]any { return map[string]any{"message": s} }
	deep := func(open, closing string) string {
		return strings.Repeat(open, 1000) + "1" + strings.Repeat(closing, 1000)
	}
	return []poison{
		{name: "invalid UTF-8", line: head + " \xff\xfe\xc0\xaf\xed\xa0\x80 end\"}"},
		{name: "an escaped NUL", line: head + ` \u0000 end"}`},
		{name: "a NUL byte", line: head + " \x00 end\"}"},
		{name: "NUL bytes for a line", line: "\x00\x00\x00\x00seq=SEQ\x00\x00"},
		{name: "control characters", line: head + " \x01\x1b[31m\x7f end\"}"},
		{name: "maps 1,000 deep", line: head + `","deep":` + deep(`{"a":`, `}`) + `}`},
		{name: "arrays 1,000 deep", line: head + `","deep":` + deep(`[`, `]`) + `}`},
		{name: "10,000 keys", line: head + `"` + keys.String() + `}`, fields: map[string]any{"key_0": 0, "key_9999": 9999, "level": "INFO"}},
		{name: "numbers beyond 64 bits", line: head + `","n":123456789012345678901234567890,"m":-123456789012345678901234567890,"e":1e999,"f":-1e999,"g":0.1e-999}`},
		{name: "one key many times", line: head + `","a":1,"a":2,"a":3}`},
		{name: "an empty key and a long one", line: head + `","":1,"` + strings.Repeat("k", 70_000) + `":2}`},
		{name: "JSON that ends early", line: `{"level":"info","msg":"seq=SEQ cut`, fields: message(`{"level":"info","msg":"seq=SEQ cut`)},
		{name: "JSON that is no object", line: `["seq=SEQ",1]`, fields: message(`["seq=SEQ",1]`)},
		{name: "no JSON", line: `seq=SEQ panic: runtime error`, fields: message(`seq=SEQ panic: runtime error`)},
		{name: "900 KB that compress well", line: head + strings.Repeat(" again", 150_000) + `"}`, fields: map[string]any{"level": "INFO"}},
		{name: "700 KB that do not compress", line: head + " " + base64.StdEncoding.EncodeToString(noise) + `"}`, limit: overMessage},
		{name: "a line over 1 MB", line: head + strings.Repeat(" x", overlong/2) + `"}`, limit: overBuffer},
	}
}

// poisonFaults: input that is broken or too much.
var poisonFaults = []Fault{{
	Name: "poison-lines", Group: 7, Short: true,
	Title: "lines of 17 kinds that ask for trouble (too long, no UTF-8, NUL, deep, wide, huge numbers, cut) among good ones in one file",
	Class: Always(RefusedByLimit(overBuffer + " and " + overMessage + ": the latter are dead letters")),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		if err := r.limitMessages(ctx, 300_000); err != nil {
			return err
		}
		writing, stop := context.WithCancel(ctx)
		defer stop()
		if err := r.Write(writing, loggen.Config{Streams: jsonStreams, Seed: 71}); err != nil {
			return err
		}
		own, err := r.ownLines("zap")
		if err != nil {
			return err
		}
		rounds, limited := 3, map[string]uint64{}
		if !r.Short {
			rounds = 12
		}
		all := poisons()
		for range rounds {
			for _, p := range all {
				if err := own.put(p.line, p.fields); err != nil {
					return err
				}
				if p.limit != "" {
					limited[p.limit]++
				}
				if err := sleep(ctx, 50*time.Millisecond); err != nil {
					return err
				}
			}
		}
		r.Note("%d lines of %d kinds", rounds*len(all), len(all))
		stop()
		if err := r.Written(); err != nil {
			return err
		}
		var want uint64
		for _, n := range limited {
			want += n
		}
		// What does not come is said by counters, not by what was meant: these are only waited for.
		var dead, skipped uint64
		if err := r.await(ctx, 30*time.Second, "all but what limits refuse in Kafka", func() (ok bool, err error) {
			dead = uint64(r.account.Total("records_dead_lettered_total"))
			if skipped, err = r.counter(ctx, "fluentbit_input_long_line_skipped_total{"); !countsLongLines(r.Host) {
				skipped = limited[overBuffer]
			}
			return r.live.Progress().Missing <= want && dead+skipped >= want, err
		}); err != nil {
			r.Note("%v", err)
		}
		r.Refused("kafka_batch_records_dead_lettered_total", dead)
		counter := "fluentbit_input_long_line_skipped_total"
		if !countsLongLines(r.Host) {
			counter = "longer than Buffer_Max_Size (this host counts none)"
		}
		r.Refused(counter, skipped)
		if dead != limited[overMessage] || skipped != limited[overBuffer] {
			r.Fail("%d dead letters for %d lines, %d skipped of %d", dead, limited[overMessage], skipped, limited[overBuffer])
		}
		return nil
	},
}}

// countsLongLines tells whether the host counts the lines that Skip_Long_Lines skips.
func countsLongLines(h fluentbit.Host) bool { return h.AtLeast(5, 0) }

// limitMessages makes the topic refuse batches that are larger.
func (r *Run) limitMessages(ctx context.Context, bytes int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	limit := strconv.Itoa(bytes)
	_, err = kadm.NewClient(cl).AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, r.Topic)
	return err
}
