package host

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// maxQueued bounds the lines that wait for a call from the host; what comes on top is counted and said.
const maxQueued = 512

// maxLine keeps a line below the 4 KB buffer in which the host builds it.
const maxLine = 3000

// logger collects the lines of one instance. Any goroutine may log; only threads of the host can print, so lines wait
// for the next call from the host, which drains them before it returns. Safe for concurrent use.
type logger struct {
	prefix string // "[output:kafka_batch:kafka_batch.0] "
	print  func(level int, line string)
	level  atomic.Int64

	mu     sync.Mutex
	queue  []queued
	missed int
}

type queued struct {
	level int
	text  string
}

func newLogger(kind, plugin, instance string) *logger {
	l := &logger{prefix: fmt.Sprintf("[%s:%s:%s] ", kind, plugin, instance), print: printLine}
	l.level.Store(int64(slog.LevelInfo))
	return l
}

func (l *logger) slog() *slog.Logger { return slog.New(&handler{logger: l}) }

// atLevel takes the host's level (0 off … 5 trace); -1, where the thread does not know it, changes nothing.
func (l *logger) atLevel(host int) {
	switch {
	case host < 0:
	case host == 0:
		l.level.Store(int64(slog.LevelError) + 100)
	case host == 1:
		l.level.Store(int64(slog.LevelError))
	case host == 2:
		l.level.Store(int64(slog.LevelWarn))
	case host == 3:
		l.level.Store(int64(slog.LevelInfo))
	default:
		l.level.Store(int64(slog.LevelDebug))
	}
}

// drain prints what waits. Only on a thread of the host.
func (l *logger) drain() {
	l.mu.Lock()
	queue, missed := l.queue, l.missed
	l.queue, l.missed = nil, 0
	l.mu.Unlock()
	for _, q := range queue {
		l.print(q.level, l.prefix+q.text)
	}
	if missed > 0 {
		l.print(2, fmt.Sprintf("%s%d more log lines were not kept", l.prefix, missed))
	}
}

func (l *logger) add(level slog.Level, text string) {
	host := 4
	switch {
	case level >= slog.LevelError:
		host = 1
	case level >= slog.LevelWarn:
		host = 2
	case level >= slog.LevelInfo:
		host = 3
	}
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= maxQueued {
		l.missed++
		return
	}
	l.queue = append(l.queue, queued{host, text})
}

// handler is the slog.Handler over a logger: "message key=value …", values quoted only where they need it.
type handler struct {
	*logger
	attrs string // of With, formatted
	group string // prefix of keys
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return int64(level) >= h.level.Load()
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool { writeAttr(&b, h.group, a); return true })
	// One call is one line: the host's log is read by line.
	h.add(r.Level, strings.ReplaceAll(b.String(), "\n", " | "))
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, h.group, a)
	}
	return &handler{h.logger, b.String(), h.group}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.logger, h.attrs, h.group + name + "."}
}

func writeAttr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, sub := range v.Group() {
			writeAttr(b, group+a.Key+".", sub)
		}
		return
	}
	text := v.String()
	if text == "" || strings.ContainsFunc(text, unclear) {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + group + a.Key + "=" + text)
}

// unclear are the characters that make a value hard to tell from what stands around it, and those that move a terminal's
// cursor: tags and brokers' messages are written by others.
func unclear(r rune) bool { return r == '"' || r == '=' || unicode.IsSpace(r) || unicode.IsControl(r) }

// lines splits a text for the log, which is read by line.
func lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }
