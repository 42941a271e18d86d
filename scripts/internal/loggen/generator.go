package loggen

import (
	"context"
	"errors"
	"os"
	"sync"

	"flbgo/scripts/internal/ledger"
)

// Generator writes the streams of one Config.
type Generator struct {
	cfg     Config
	streams []*stream
	ledger  *ledger.Writer
}

// New checks the configuration; the error names everything that is wrong. It
// creates the folder and the ledger, and no log file yet.
func New(cfg Config) (*Generator, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	g := &Generator{cfg: cfg}
	if cfg.Ledger != "" {
		if g.ledger, err = ledger.Create(cfg.Ledger); err != nil {
			return nil, err
		}
	}
	n := uint64(len(cfg.Streams))
	for i, name := range cfg.Streams {
		s := newStream(name, &g.cfg, g.ledger)
		s.rate = cfg.Rate / float64(n)
		s.count = cfg.Count / n
		if uint64(i) < cfg.Count%n {
			s.count++
		}
		if cfg.Count > 0 && s.count == 0 {
			continue // fewer events than streams
		}
		g.streams = append(g.streams, s)
	}
	return g, nil
}

// Run writes until the count or the duration of the configuration is reached
// or ctx is done; none of them is an error. It stops between events, never
// within one. The first stream that fails ends the others. Run may be called
// once.
func (g *Generator) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if g.cfg.Duration > 0 {
		ctx, cancel = context.WithTimeout(ctx, g.cfg.Duration)
		defer cancel()
	}
	var wg sync.WaitGroup
	errs := make([]error, len(g.streams))
	for i, s := range g.streams {
		wg.Go(func() {
			if errs[i] = s.run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	if g.ledger != nil {
		errs = append(errs, g.ledger.Close())
	}
	return errors.Join(errs...)
}

// Stats are the counters of one stream. Every counted event is in its file.
type Stats struct {
	Stream    string
	Written   uint64 // events
	Bytes     uint64
	LastSeq   uint64 // StartSeq-1 as long as nothing is written
	Rotations uint64
}

// Stats returns the counters of every stream; safe while Run runs.
func (g *Generator) Stats() []Stats {
	out := make([]Stats, len(g.streams))
	for i, s := range g.streams {
		out[i] = Stats{s.name, s.written.Load(), s.bytes.Load(), s.lastSeq.Load(), s.rotations.Load()}
	}
	return out
}

// Written returns the number of events in all files; safe while Run runs.
func (g *Generator) Written() (n uint64) {
	for _, s := range g.streams {
		n += s.written.Load()
	}
	return n
}
