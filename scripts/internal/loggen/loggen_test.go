package loggen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flbgo/scripts/internal/ledger"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // gin's lines have no zone
	goleak.VerifyTestMain(m)
}

func generate(t *testing.T, cfg Config) *Generator {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// events returns the events of all files of a stream in the order of writing,
// rotated files first. A file must end with its last event.
func events(t *testing.T, dir, stream string) []string {
	t.Helper()
	var all []string
	path := filepath.Join(dir, stream+".log")
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s.%d", path, n)
		if _, err := os.Stat(name); err != nil {
			name = path
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Errorf("%s does not end with a newline", name)
		}
		first := true
		for line := range strings.Lines(string(b)) {
			if stream == "java" && !javaLine.MatchString(line) {
				if first {
					t.Errorf("%s begins in the middle of an event: %q", name, line)
				} else {
					all[len(all)-1] += line
				}
				continue
			}
			first = false
			all = append(all, line)
		}
		if name == path {
			return all
		}
	}
}

func TestRotationLosesAndSplitsNothing(t *testing.T) {
	dir := t.TempDir()
	g := generate(t, Config{Dir: dir, Count: 7 * 1000, RotateEvery: 90})
	for _, s := range g.Stats() {
		if s.Written != 1000 || s.LastSeq != 1000 || s.Rotations != 11 {
			t.Errorf("%+v, want 1000 lines and 11 rotations", s)
		}
		evs := events(t, dir, s.Stream)
		if len(evs) != 1000 {
			t.Errorf("%s: %d events in the files, want 1000", s.Stream, len(evs))
		}
		for i, ev := range evs {
			if got := seqOf(ev); got != uint64(i)+1 {
				t.Fatalf("%s: event %d has seq %d: %q", s.Stream, i+1, got, ev)
			}
		}
		if n, _ := filepath.Glob(filepath.Join(dir, s.Stream+".log*")); len(n) != 12 {
			t.Errorf("%s: %d files, want 12", s.Stream, len(n))
		}
	}
}

// A second run in the same folder goes on where the first ended: it appends,
// and its rotated files do not replace those of the first.
func TestSecondRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [b]*") // no pattern
	cfg := Config{Dir: dir, Streams: []string{"java"}, Count: 50, RotateEvery: 20}
	generate(t, cfg)
	cfg.StartSeq = 51
	generate(t, cfg)
	evs := events(t, dir, "java")
	for i, ev := range evs {
		if seqOf(ev) != uint64(i)+1 {
			t.Fatalf("event %d is %q", i+1, ev)
		}
	}
	if len(evs) != 100 {
		t.Errorf("%d events, want 100", len(evs))
	}
}

func TestRotationByTime(t *testing.T) {
	dir := t.TempDir()
	g := generate(t, Config{Dir: dir, Streams: []string{"pipe"}, Rate: 500, Duration: 300 * time.Millisecond, RotateInterval: 50 * time.Millisecond})
	s := g.Stats()[0]
	if s.Rotations < 2 || s.Rotations > 6 {
		t.Errorf("%d rotations in 300 ms, one every 50", s.Rotations)
	}
	if evs := events(t, dir, "pipe"); uint64(len(evs)) != s.Written {
		t.Errorf("%d events in the files, %d counted", len(evs), s.Written)
	}
}

// Somebody else renames the file, or deletes it: what is written from the next
// batch on is in a new one.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe.log")
	var moved, gone uint64 // last events of the renamed and of the deleted file
	cfg := Config{Dir: dir, Streams: []string{"pipe"}, Rate: 2000, Count: 300, Reopen: true, OnBatch: func(b Batch) {
		switch {
		case moved == 0 && b.Last >= 100:
			moved = b.Last
			if err := os.Rename(path, path+".1"); err != nil {
				t.Error(err)
			}
		case gone == 0 && b.Last >= 200:
			gone = b.Last
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
	}}
	if s := generate(t, cfg).Stats()[0]; s.Written != 300 || s.Rotations != 2 {
		t.Errorf("%+v, want 300 lines and 2 new files", s)
	}
	evs := events(t, dir, "pipe")
	if uint64(len(evs)) != moved+300-gone || seqOf(evs[moved-1]) != moved || seqOf(evs[moved]) != gone+1 {
		t.Errorf("%d events; the first file ends at %d, the second was deleted with %d", len(evs), moved, gone)
	}
}

// At the moment an event is announced, in the ledger and by the callback, its
// bytes are in the file: no logger, no library and no buffer holds it.
func TestAnnouncedEventsAreInTheFile(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full=%v", full), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "ledger.jsonl")
			var mu sync.Mutex
			sizes := map[string]uint64{}
			cfg := Config{Dir: dir, Count: 7 * 300, Ledger: path, LedgerFull: full, OnBatch: func(b Batch) {
				data, err := os.ReadFile(filepath.Join(dir, b.Stream+".log"))
				if err != nil || !bytes.HasSuffix(data, []byte("\n")) {
					t.Errorf("%s: %v, or the file ends in the middle of a line", b.Stream, err)
				}
				evs := events(t, dir, b.Stream)
				if len(evs) == 0 || seqOf(evs[len(evs)-1]) != b.Last {
					t.Errorf("%s: seq %d is announced, the file ends elsewhere", b.Stream, b.Last)
				}
				if full && uint64(len(b.Expect)) != b.Last-b.First+1 {
					t.Errorf("%s: %d expectations for seq %d to %d", b.Stream, len(b.Expect), b.First, b.Last)
				}
				// The ledger has it too.
				var last uint64
				if err := ledger.ReadFile(path, func(e ledger.Entry) error {
					if e.Stream == b.Stream {
						last = max(last, e.Seq)
					}
					return nil
				}); err != nil || last != b.Last {
					t.Errorf("%s: ledger ends at %d (%v), announced %d", b.Stream, last, err, b.Last)
				}
				mu.Lock()
				defer mu.Unlock()
				sizes[b.Stream] += b.Last - b.First + 1
			}}
			g := generate(t, cfg)
			for _, s := range g.Stats() {
				if sizes[s.Stream] != 300 {
					t.Errorf("%s: %d events announced, want 300", s.Stream, sizes[s.Stream])
				}
			}
			if g.Written() != 7*300 {
				t.Errorf("%d written", g.Written())
			}
		})
	}
}

func TestContentIsAFunctionOfSeedStreamAndSeq(t *testing.T) {
	content := func(seed, start, n uint64) map[string][]string {
		dir := t.TempDir()
		generate(t, Config{Dir: dir, Seed: seed, StartSeq: start, Count: 7 * n})
		out := map[string][]string{}
		for _, s := range Streams {
			for _, ev := range events(t, dir, s) {
				out[s] = append(out[s], timeless(s, ev))
			}
		}
		return out
	}
	all, tail, other := content(7, 1, 200), content(7, 101, 100), content(8, 1, 200)
	for _, s := range Streams {
		if !slices.Equal(all[s][100:], tail[s]) {
			t.Errorf("%s: events 101 to 200 differ when the run begins there", s)
		}
		if slices.Equal(all[s], other[s]) {
			t.Errorf("%s: another seed writes the same", s)
		}
	}
}

func TestCountIsExact(t *testing.T) {
	for _, n := range []uint64{1, 6, 7, 8, 1000} {
		if got := generate(t, Config{Dir: t.TempDir(), Count: n}).Written(); got != n {
			t.Errorf("%d lines written, want %d", got, n)
		}
	}
}

func TestRateAndStop(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	g, err := New(Config{Dir: t.TempDir(), Rate: 700})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(ctx); err != nil {
		t.Errorf("a stop is no error, got %v", err)
	}
	// Never more than the rate; how much less is the machine's business.
	if n := g.Written(); n == 0 || n > 700 {
		t.Errorf("%d lines in half a second at 700/s", n)
	}
}

// A disk that is full ends the run with an error that names the stream, stops
// the other streams, and is in no ledger.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(dir, "slog.log")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger.jsonl")
	g, err := New(Config{Dir: dir, Rate: 1000, Ledger: path})
	if err != nil {
		t.Fatal(err)
	}
	err = g.Run(t.Context())
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "slog") {
		t.Errorf("error %v, want no space and the stream's name", err)
	}
	ledger.ReadFile(path, func(e ledger.Entry) error {
		if e.Stream == "slog" {
			t.Errorf("the ledger claims %s seq %d", e.Stream, e.Seq)
		}
		return nil
	})
}

func TestConfigErrors(t *testing.T) {
	local := time.Local
	defer func() { time.Local = local }()
	for name, c := range map[string]struct {
		cfg  Config
		want []string
	}{
		"all at once":  {Config{Streams: []string{"zap", "log4j", "zap"}, Rate: -1}, []string{"dir", `"log4j"`, `"zap" is given twice`, "rate: -1"}},
		"empty name":   {Config{Dir: "x", Streams: []string{""}}, []string{`""`}},
		"no ledger":    {Config{Dir: "x", LedgerFull: true}, []string{"-ledger FILE"}},
		"negative":     {Config{Dir: "x", Duration: -1}, []string{"duration"}},
		"ledger's dir": {Config{Dir: t.TempDir(), Ledger: "/nonexistent/ledger"}, []string{"/nonexistent/ledger"}},
	} {
		_, err := New(c.cfg)
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v does not name %q", name, err, w)
			}
		}
	}
	time.Local = time.FixedZone("there", 3600)
	if _, err := New(Config{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "TZ=UTC") {
		t.Errorf("gin outside of UTC: %v", err)
	}
	if _, err := New(Config{Dir: t.TempDir(), Streams: []string{"zap"}}); err != nil {
		t.Errorf("zap outside of UTC: %v", err)
	}
}

func BenchmarkStream(b *testing.B) {
	for _, name := range Streams {
		for _, full := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/full=%v", name, full), func(b *testing.B) {
				g, err := New(Config{Dir: b.TempDir(), Streams: []string{name}, Count: uint64(b.N), LedgerFull: full, OnBatch: func(Batch) {}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				if err := g.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(g.Stats()[0].Bytes) / int64(b.N))
			})
		}
	}
}
