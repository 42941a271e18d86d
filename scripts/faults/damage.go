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
	do   func(c *chunkFile) []byte // the new content
	// keeps is how many of its events are whole behind it.
	keeps func(c *chunkFile) int
}

var damages = []damage{
	{"cut in the middle of an event", func(c *chunkFile) []byte { return c.bytes[:c.middle()] },
		func(c *chunkFile) int { return c.before(c.middle()) }},
	{"of zeros from the middle of an event on, as a power cut leaves them", func(c *chunkFile) []byte {
		return append(c.bytes[:c.middle():c.middle()], make([]byte, len(c.bytes)-c.middle())...)
	}, func(c *chunkFile) int { return c.before(c.middle()) }},
	{"with 64 bytes of an event overwritten", func(c *chunkFile) []byte {
		b := bytes.Clone(c.bytes)
		n := len(c.events) / 2
		copy(b[c.ends[n-1]:], bytes.Repeat([]byte{0xc1}, 64))
		return b
	}, func(c *chunkFile) int { return len(c.events) - 1 }},
	{"cut within its head", func(c *chunkFile) []byte { return c.bytes[:15] }, func(*chunkFile) int { return 0 }},
	{"emptied", func(*chunkFile) []byte { return nil }, func(*chunkFile) int { return 0 }},
}

// damageFaults: files of the buffer are broken.
var damageFaults = []Fault{{
	Name: "chunk-damaged", Group: 7, Short: true,
	Title: "Fluent Bit killed in an outage, five of its chunks damaged, started again",
	// The host reads what it finds before any plugin does.
	Class: Always(HostBound("at its start the host keeps of a chunk what stands before the damage, or nothing of it").WithCopies()),
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
		for i, d := range damages {
			// What follows zeros may be read as small numbers: a valid record, of which the end is missing.
			c := files[paths[i]]
			r.Damaged(c.events[len(c.events)/2])
			if err := os.WriteFile(paths[i], d.do(c), 0o600); err != nil {
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
			r.Note("chunk %s: %d lines, %d were whole, %d arrived", d.name, len(c.events), d.keeps(c), arrived)
			r.Attribute("chunk "+d.name, uint64(len(c.events)-arrived))
		}
		r.Note("kafka_batch counted %v damaged stretches, and went on behind them", r.account.Total("damaged_events_total"))
		return nil
	},
}}
