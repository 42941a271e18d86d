package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"flbgo/scripts/internal/loggen"
)

// damage is done to a file of the buffer while Fluent Bit is not there.
type damage struct {
	name string
	// do returns the new content; at is a place somewhere in the events.
	do func(c *chunkFile, at int) []byte
	// whole is how many of its events are whole behind it.
	whole func(c *chunkFile, at int) int
}

// overwritten is how many bytes a damage overwrites.
const overwritten = 64

var damages = []damage{
	{"cut anywhere", func(c *chunkFile, at int) []byte { return c.bytes[:at] }, (*chunkFile).before},
	{"of zeros from anywhere on, as a power cut leaves them", func(c *chunkFile, at int) []byte {
		return append(c.bytes[:at:at], make([]byte, len(c.bytes)-at)...)
	}, (*chunkFile).before},
	{"with 64 bytes overwritten", func(c *chunkFile, at int) []byte {
		b := bytes.Clone(c.bytes)
		copy(b[at:], bytes.Repeat([]byte{0xc1}, overwritten))
		return b
	}, func(c *chunkFile, at int) int {
		hit := 1
		if c.before(at+overwritten) > c.before(at) {
			hit++
		}
		return len(c.events) - hit
	}},
	{"cut within its head", func(c *chunkFile, _ int) []byte { return c.bytes[:15] }, func(*chunkFile, int) int { return 0 }},
	{"emptied", func(*chunkFile, int) []byte { return nil }, func(*chunkFile, int) int { return 0 }},
}

// damageFaults: files of the buffer are broken.
var damageFaults = []Fault{{
	Name: "chunk-damaged", Group: 7, Short: true,
	Title: "Fluent Bit killed in an outage, five of its chunks damaged, started again",
	// The host reads what it finds before any plugin does. A line that the damage went through may be a record without
	// its number.
	Class: Always(HostBound("at its start the host keeps of a chunk what stands before the damage, or nothing of it").WithCopies().WithTorn()),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.Begin(ctx, sidecar()); err != nil {
			return err
		}
		r.StopBroker()
		if err := r.Write(ctx, loggen.Config{Streams: jsonStreams, Seed: 72, Duration: 4 * time.Second}); err != nil {
			return err
		}
		if err := r.Written(); err != nil {
			return err
		}
		if err := r.await(ctx, 20*time.Second, "everything on disk", func() (bool, error) {
			n, err := r.counter(ctx, `fluentbit_input_records_total{name="tail`)
			return n >= r.live.Progress().Written, err
		}); err != nil {
			return err
		}
		r.KillHost()
		files := map[string]*chunkFile{}
		for _, path := range slices.Sorted(maps.Keys(r.chunks())) {
			c, err := readChunk(path, r.Host.Metadata())
			if err != nil {
				return err
			}
			if len(c.events) > 2 {
				files[path] = c
			}
		}
		if len(files) < len(damages)+2 {
			return fmt.Errorf("%d chunks on disk are too few to leave some whole", len(files))
		}
		// Neither the first nor the last: each has whole neighbours.
		paths := slices.Sorted(maps.Keys(files))[1:]
		places := make([]int, len(damages))
		for i, d := range damages {
			c := files[paths[i]]
			first, last := c.ends[0], c.ends[len(c.ends)-2]
			places[i] = first + r.Rand.IntN(last-first)
			// What follows zeros may be read as small numbers: a valid record, of which the end is missing. Overwritten
			// text may be text.
			r.Damaged(c.at(places[i]))
			r.Damaged(c.at(places[i] + overwritten))
			if err := os.WriteFile(paths[i], d.do(c, places[i]), 0o600); err != nil {
				return err
			}
		}
		if err := r.StartBroker(ctx); err != nil {
			return err
		}
		if err := r.StartHost(); err != nil {
			return err
		}
		if err := r.quieted(ctx); err != nil {
			return err
		}
		there, err := r.inKafka(ctx)
		if err != nil {
			return err
		}
		for i, d := range damages {
			c, arrived := files[paths[i]], 0
			for _, e := range c.events {
				if there[e] {
					arrived++
				}
			}
			r.Note("chunk %s: %d lines, %d were whole, %d arrived", d.name, len(c.events), d.whole(c, places[i]), arrived)
			r.Attribute("chunk "+d.name, uint64(len(c.events)-arrived))
		}
		r.Note("kafka_batch counted %v damaged stretches, and went on behind them", r.account.Total("damaged_events_total"))
		return nil
	},
}}
