package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"flbgo/scripts/internal/loggen"
)

// diskSize is the disk of the buffer: STATE_DIR as a whole, offsets included.
const diskSize = 16 << 20

// diskFaults: the disk of the buffer is full.
var diskFaults = []Fault{{
	Name: "disk-small", Group: 8, Short: true, Needs: []Need{needTmpfs},
	Title: "a buffer disk of 16 MB and Kafka away for longer than it lasts: inputs pause before it is full",
	Class: Always(NoneLost),
	Run: func(ctx context.Context, r *Run) error {
		// Two chunks of 2 MB, and two seconds for each, in which they come near that size. The third limit is about as
		// many times the first as it is in what is shipped: a read may make a chunk larger, and hosts before 2.2 write
		// what they read twice. On 1.8.15, with chunks for 6 MB on a disk of 8, the first read after the pause found no
		// room: 4,331 of 29,140 lines were lost.
		if err := r.beginOnDisk(ctx, setting("Flush", "0.2", "2"), setting("storage.max_chunks_up", "128", "2"),
			setting("storage.total_limit_size", "1G", "15M")); err != nil {
			return err
		}
		writing, stop := context.WithCancel(ctx)
		defer stop()
		if err := r.Write(writing, loggen.Config{Streams: jsonStreams, Seed: 81, Rate: 3000}); err != nil {
			return err
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		r.StopBroker()
		if err := r.Pipeline.Host().WaitFor("paused (storage buf overlimit", 30*time.Second); err != nil {
			return err
		}
		outage := r.long(8*time.Second, 30*time.Second)
		if err := sleep(ctx, outage); err != nil {
			return err
		}
		used, size, err := diskUse(r.State)
		if err != nil {
			return err
		}
		r.Note("%d %% of the disk in use after a pause of %v, %d chunks", used*100/size, outage, len(r.chunks()))
		if err := r.StartBroker(ctx); err != nil {
			return err
		}
		r.Mended()
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
		stop()
		return nil
	},
}, {
	Name: "disk-full", Group: 8, Needs: []Need{needTmpfs},
	Title: "the same disk with storage.pause_on_chunks_overlimit Off: it gets full",
	Class: Always(HostBound("tail reads on, and what finds no room is dropped")),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.beginOnDisk(ctx, setting("storage.pause_on_chunks_overlimit", "On", "Off")); err != nil {
			return err
		}
		return r.fillDisk(ctx, func() error { r.StopBroker(); return nil }, func() error { return r.StartBroker(ctx) })
	},
}, {
	Name: "disk-taken", Group: 8, Needs: []Need{needTmpfs},
	Title: "something else fills the disk of the buffer for a while; Kafka is there",
	Class: Always(HostBound("no chunk can be made while the disk is full, and inputs do not pause for that")),
	Run: func(ctx context.Context, r *Run) error {
		if err := r.beginOnDisk(ctx); err != nil {
			return err
		}
		other := filepath.Join(r.State, "other")
		return r.fillDisk(ctx, func() error {
			f, err := os.Create(other)
			if err != nil {
				return err
			}
			defer f.Close()
			for zeros := make([]byte, 64<<10); err == nil; {
				_, err = f.Write(zeros)
			}
			return nil // full is what was wanted
		}, func() error { return os.Remove(other) })
	},
}}

// beginOnDisk starts the sidecar with STATE_DIR on a small disk.
func (r *Run) beginOnDisk(ctx context.Context, changes ...[2]string) error {
	setup := sidecar(changes...)
	setup.NoHost = true
	if err := r.Begin(ctx, setup); err != nil {
		return err
	}
	if err := r.mount(r.State, diskSize); err != nil {
		return err
	}
	return r.StartHost()
}

// fillDisk writes lines until the disk is full and for a while longer, mends it, and writes more. What was written before
// the disk was full and after it was mended has to arrive; what was not is put down to the disk.
func (r *Run) fillDisk(ctx context.Context, begin, mend func() error) error {
	const perSecond = 3000
	cfg := loggen.Config{Streams: jsonStreams, Seed: 82, Rate: perSecond}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	if err := r.Write(writing, cfg); err != nil {
		return err
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	if err := r.await(ctx, 40*time.Second, "the disk full", func() (bool, error) {
		used, size, err := diskUse(r.State)
		return used > size-64<<10, err
	}); err != nil {
		return err
	}
	full := time.Now()
	if err := sleep(ctx, r.long(3*time.Second, 10*time.Second)); err != nil {
		return err
	}
	stop() // before it is mended: what is read then, and what not, would be a matter of moments
	if err := r.Written(); err != nil {
		return err
	}
	if err := sleep(ctx, time.Second); err != nil { // read, and dropped
		return err
	}
	r.alive(r.Pipeline.Host())
	if err := mend(); err != nil {
		return err
	}
	r.Mended()
	if err := r.quieted(ctx); err != nil {
		return err
	}
	lost := r.live.Progress().Missing
	// Up to a flush and a read before the moment at which it was seen that the disk is full.
	if oldest := r.live.Oldest(); oldest != 0 && oldest < full.Add(-time.Second).UnixNano() {
		r.Fail("a line is lost that was written %v before the disk was full", full.Sub(time.Unix(0, oldest)).Round(time.Millisecond))
	}
	r.Attribute(fmt.Sprintf("read while the disk was full; the host says %d times that it cannot write", r.said("error writing data")+r.said("no available chunk")), lost)

	cfg.StartSeq, cfg.Duration = 1_000_001, 3*time.Second
	if err := r.Write(ctx, cfg); err != nil {
		return err
	}
	return r.Written()
}
