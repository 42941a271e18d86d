package loggen

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// counting makes ids that are the same on every run.
type counting struct{ n uint64 }

func (c *counting) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	c.n++
	binary.BigEndian.PutUint64(id[:8], c.n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], c.n*0xbf58476d1ce4e5b9)
	return id, c.NewSpanID(ctx, id)
}

func (c *counting) NewSpanID(context.Context, trace.TraceID) (span trace.SpanID) {
	c.n++
	binary.BigEndian.PutUint64(span[:], c.n*0x94d049bb133111eb)
	return span
}

// spanHandler puts the span of the context into records, as slog handlers for OpenTelemetry do.
type spanHandler struct{ slog.Handler }

func (h spanHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()), slog.String("trace_flags", sc.TraceFlags().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// spanHook does the same for logrus.
type spanHook struct{}

func (spanHook) Levels() []logrus.Level { return logrus.AllLevels }

func (spanHook) Fire(e *logrus.Entry) error {
	if sc := trace.SpanContextFromContext(e.Context); sc.IsValid() {
		e.Data["trace_id"], e.Data["span_id"] = sc.TraceID().String(), sc.SpanID().String()
	}
	return nil
}

// The lines that zap, slog and logrus write inside spans of OpenTelemetry's SDK, in JSON and as text, beside the ids of
// these spans: testdata/trace, by which enrich is tested.
func TestTraceSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 20, 20, 31, 0, 123456789, time.UTC)))
		ids := &counting{}
		sampled := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(ids), sdktrace.WithSampler(sdktrace.AlwaysSample()))
		recorded := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(ids), sdktrace.WithSampler(sdktrace.NeverSample()))
		defer sampled.Shutdown(context.Background())
		defer recorded.Shutdown(context.Background())

		for _, lib := range []string{"zap", "slog", "logrus", "slog-text", "logrus-text", "zap-console"} {
			var out, want bytes.Buffer
			write := traceLogger(lib, &out)
			for i := range 12 {
				provider := sampled
				if i%4 == 3 {
					provider = recorded
				}
				ctx, span := provider.Tracer("shop").Start(context.Background(), "order")
				inner := ctx
				if i%3 == 1 { // a span in a span: the same trace
					inner, span = provider.Tracer("shop").Start(ctx, "pay")
				}
				sc := trace.SpanContextFromContext(inner)
				if i%6 == 5 { // outside of any span
					inner, sc = context.Background(), trace.SpanContext{}
				}
				write(inner, i)
				span.End()
				if sc.IsValid() {
					fmt.Fprintf(&want, "%s %s\n", sc.TraceID(), sc.SpanID())
				} else {
					fmt.Fprintln(&want, "- -")
				}
				time.Sleep(time.Second / 3)
			}
			for name, got := range map[string][]byte{lib + ".log": out.Bytes(), lib + ".ids": want.Bytes()} {
				path := filepath.Join("..", "..", "..", "testdata", "trace", name)
				if *update {
					if err := os.WriteFile(path, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if file, err := os.ReadFile(path); err != nil || !bytes.Equal(file, got) {
					t.Errorf("%s is not what the logger writes (%v); if that is meant, run this test with -update", path, err)
				}
			}
		}
	})
}

// traceLogger is a logger as applications with tracing set it up.
func traceLogger(lib string, out *bytes.Buffer) func(ctx context.Context, i int) {
	levels := []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError, slog.LevelDebug}
	message := func(i int) string { return fmt.Sprintf("order %d placed", 8120+i) }
	switch lib {
	case "slog", "slog-text":
		opt := &slog.HandlerOptions{Level: slog.LevelDebug}
		var h slog.Handler = slog.NewJSONHandler(out, opt)
		if lib == "slog-text" {
			h = slog.NewTextHandler(out, opt)
		}
		l := slog.New(spanHandler{h})
		return func(ctx context.Context, i int) { l.Log(ctx, levels[i%4], message(i), "seq", i) }
	case "logrus", "logrus-text":
		l := logrus.New()
		l.SetOutput(out)
		l.SetLevel(logrus.DebugLevel)
		l.AddHook(spanHook{})
		l.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
		if lib == "logrus" {
			l.SetFormatter(&logrus.JSONFormatter{})
		}
		return func(ctx context.Context, i int) {
			l.WithContext(ctx).WithField("seq", i).Log([]logrus.Level{logrus.InfoLevel, logrus.WarnLevel, logrus.ErrorLevel, logrus.DebugLevel}[i%4], message(i))
		}
	default:
		cfg := zap.NewProductionEncoderConfig()
		cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
		encoder := zapcore.NewJSONEncoder(cfg)
		if lib == "zap-console" {
			encoder = zapcore.NewConsoleEncoder(cfg)
		}
		l := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(out), zapcore.DebugLevel))
		return func(ctx context.Context, i int) {
			with := l
			if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
				// Stringers, as they are mostly passed on.
				with = l.With(zap.Stringer("trace_id", sc.TraceID()), zap.Stringer("span_id", sc.SpanID()), zap.Stringer("trace_flags", sc.TraceFlags()))
			}
			with.Log([]zapcore.Level{zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel, zapcore.DebugLevel}[i%4], message(i), zap.Int("seq", i))
		}
	}
}
