package host

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// printed collects what a logger prints. Safe for concurrent use.
type printed struct {
	mu    sync.Mutex
	lines []string
}

func (p *printed) print(level int, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, fmt.Sprintf("%d %s", level, line))
}

// take returns the lines so far and forgets them.
func (p *printed) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.lines
	p.lines = nil
	return lines
}

// testLogger returns a logger and what it prints.
func testLogger() (*logger, *printed) {
	var out printed
	l := newLogger("output", "kafka_batch", "orders")
	l.print = out.print
	return l, &out
}

func TestLogLines(t *testing.T) {
	f := func(say func(*slog.Logger), want string) {
		t.Helper()
		l, out := testLogger()
		l.atLevel(5)
		say(l.slog())
		l.drain()
		if got := out.take(); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(func(s *slog.Logger) { s.Error("lost") }, "1 [output:kafka_batch:orders] lost")
	f(func(s *slog.Logger) { s.Warn("slow") }, "2 [output:kafka_batch:orders] slow")
	f(func(s *slog.Logger) { s.Info("started", "version", "v1.2.0") }, "3 [output:kafka_batch:orders] started version=v1.2.0")
	f(func(s *slog.Logger) { s.Debug("sent") }, "4 [output:kafka_batch:orders] sent")

	// Values are quoted where a reader could not tell where they end.
	f(func(s *slog.Logger) { s.Info("m", "a", "two words", "b", `say "x"`, "c", "k=v", "d", "") },
		`3 [output:kafka_batch:orders] m a="two words" b="say \"x\"" c="k=v" d=""`)
	f(func(s *slog.Logger) { s.Info("m", "n", 200, "d", 1500*time.Millisecond, "ok", true) },
		"3 [output:kafka_batch:orders] m n=200 d=1.5s ok=true")
	f(func(s *slog.Logger) { s.Info("m", "err", errors.New("dial tcp: refused")) },
		`3 [output:kafka_batch:orders] m err="dial tcp: refused"`)
	f(func(s *slog.Logger) { s.Info("m", slog.Group("broker", "id", 1, "host", "k1")) },
		"3 [output:kafka_batch:orders] m broker.id=1 broker.host=k1")
	f(func(s *slog.Logger) { s.With("topic", "logs").WithGroup("p").Info("m", "id", 3) },
		"3 [output:kafka_batch:orders] m topic=logs p.id=3")

	// A tag that would start a line of its own, or clear the screen.
	f(func(s *slog.Logger) { s.Info("m", "tag", "a\r[error]", "b", "\x1b[2J") },
		`3 [output:kafka_batch:orders] m tag="a\r[error]" b="\x1b[2J"`)

	// The host's log is read by line: what comes in several is still one.
	f(func(s *slog.Logger) { s.Info("first\nsecond", "a", "x\ny") },
		`3 [output:kafka_batch:orders] first | second a="x\ny"`)
}

func TestLogLevels(t *testing.T) {
	all := func(s *slog.Logger) { s.Error("e"); s.Warn("w"); s.Info("i"); s.Debug("d") }
	f := func(host, lines int) {
		t.Helper()
		l, out := testLogger()
		l.atLevel(host)
		all(l.slog())
		l.drain()
		if got := out.take(); len(got) != lines {
			t.Errorf("level %d: %q, want %d lines", host, got, lines)
		}
	}
	f(0, 0)  // off
	f(1, 1)  // error
	f(2, 2)  // warn
	f(3, 3)  // info
	f(4, 4)  // debug
	f(5, 4)  // trace
	f(-1, 3) // unknown: as at the start

	l, out := testLogger()
	l.atLevel(1)
	l.atLevel(-1) // a thread that does not know the level changes nothing
	all(l.slog())
	l.drain()
	if got := out.take(); len(got) != 1 {
		t.Errorf("%q, want one line", got)
	}
}

// An output that nobody calls keeps its lines within a bound, and says how many were lost.
func TestLogQueueIsBounded(t *testing.T) {
	l, out := testLogger()
	for i := range maxQueued + 7 {
		l.slog().Info("line", "n", i)
	}
	l.drain()
	got := out.take()
	if len(got) != maxQueued+1 {
		t.Fatalf("%d lines, want %d", len(got), maxQueued+1)
	}
	if want := "2 [output:kafka_batch:orders] 7 more log lines were not kept"; got[maxQueued] != want {
		t.Errorf("last line %q, want %q", got[maxQueued], want)
	}
	l.slog().Info("again")
	l.drain()
	if got := out.take(); len(got) != 1 {
		t.Errorf("after the drain: %q", got)
	}
}

// The host builds a line in 4 KB and cuts what is longer without a sign; and not in the middle of a character.
func TestLongLinesAreCut(t *testing.T) {
	l, out := testLogger()
	l.slog().Info("x" + strings.Repeat("ö", 3000))
	l.drain()
	got := out.take()
	if len(got) != 1 || len(got[0]) > 4000 || !strings.HasSuffix(got[0], "ö…") || !utf8.ValidString(got[0]) {
		t.Errorf("%d lines, the first ends in %q", len(got), got[0][len(got[0])-8:])
	}
}

// Goroutines log while the host's threads drain: every line comes out once.
func TestLogConcurrently(t *testing.T) {
	l, out := testLogger()
	const writers, each = 8, 50
	var writing, draining sync.WaitGroup
	stop := make(chan struct{})
	draining.Add(1)
	go func() {
		defer draining.Done()
		for {
			select {
			case <-stop:
				return
			default:
				l.drain()
			}
		}
	}()
	for w := range writers {
		writing.Add(1)
		go func() {
			defer writing.Done()
			for i := range each {
				l.slog().Info("line", "w", w, "i", i)
				l.atLevel(3)
			}
		}()
	}
	writing.Wait()
	close(stop)
	draining.Wait()
	l.drain()
	seen := map[string]bool{}
	for _, line := range out.take() {
		seen[line] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d different lines, want %d", len(seen), writers*each)
	}
}

func TestLines(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		if got := lines(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("one", "one")
	f("one\ntwo\n", "one", "two")
}
