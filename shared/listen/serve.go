package listen

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// serveHTTP answers what the members have at the moment of the request.
func (s *server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	own := r.URL.Path == metricsPath || r.URL.Path == healthPath
	if own && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	switch r.URL.Path {
	case metricsPath:
		s.page.ServeHTTP(w, r)
		return
	case healthPath:
		s.serveHealth(w)
		return
	}
	for _, m := range s.current() {
		if h := m.config.Handlers[r.URL.Path]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

func (s *server) serveHealth(w http.ResponseWriter) {
	var wrong strings.Builder
	for _, m := range s.current() {
		if m.config.Health == nil {
			continue
		}
		if err := m.config.Health(); err != nil {
			fmt.Fprintf(&wrong, "%s: %v\n", m.config.Owner, err)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if wrong.Len() > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, wrong.String())
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// Gather puts the members' metrics together; it makes server a prometheus.Gatherer.
func (s *server) Gather() ([]*dto.MetricFamily, error) {
	var all prometheus.Gatherers
	for _, m := range s.current() {
		if m.config.Metrics != nil {
			all = append(all, guarded{m})
		}
	}
	return all.Gather()
}

// guarded makes a panic of one member's metrics an error, so that the others are shown.
type guarded struct{ *Listener }

func (g guarded) Gather() (families []*dto.MetricFamily, err error) {
	defer func() {
		if p := recover(); p != nil {
			families, err = nil, fmt.Errorf("metrics of %s: panic: %v", g.config.Owner, p)
		}
	}()
	return g.config.Metrics.Gather()
}

// current is a copy of the members: what they run must not hold the lock.
func (s *server) current() []*Listener {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.members)
}

// logger writes to the log of whichever member has been there longest: the one that opened the listener may be gone.
func (s *server) logger() *slog.Logger {
	return slog.New(&logHandler{server: s, with: func(h slog.Handler) slog.Handler { return h }})
}

type logHandler struct {
	server *server
	with   func(slog.Handler) slog.Handler // what WithAttrs and WithGroup added
}

func (h *logHandler) target() slog.Handler {
	h.server.mu.RLock()
	defer h.server.mu.RUnlock()
	if len(h.server.members) == 0 || h.server.members[0].config.Log == nil {
		return slog.DiscardHandler
	}
	return h.server.members[0].config.Log.Handler()
}

// quieter makes the toolkit's news (listening, TLS disabled) debug lines: a plugin says in one line of its own where it
// listens.
func quieter(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.target().Enabled(ctx, quieter(level))
}

// Handle implements slog.Handler. The toolkit reads its file again for each request, and what is wrong with it by then
// repeats parts of it.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, quieter(r.Level), r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			a.Value = slog.StringValue(withoutValues(a.Value.String()))
		}
		clean.AddAttrs(a)
		return true
	})
	return h.with(h.target()).Handle(ctx, clean)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.server, func(base slog.Handler) slog.Handler { return h.with(base).WithAttrs(attrs) }}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.server, func(base slog.Handler) slog.Handler { return h.with(base).WithGroup(name) }}
}
