package loggen

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The three JSON loggers agree on the keys time (RFC 3339, nanoseconds),
// level, msg, logger, seq, user_id, duration_ms, traceparent, order and error.
// They differ where they differ by themselves: in the spelling of levels, in
// escaping, in the order of keys and in how they write a number.

// zapZone is where the zap stream says it is, so that one format carries an
// offset other than Z.
var zapZone = time.FixedZone("", 2*60*60)

type zapFormat struct {
	log *zap.Logger
	now time.Time // what the logger's clock says
	buf []zap.Field
}

func newZap(out *bytes.Buffer) *zapFormat {
	f := &zapFormat{}
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", MessageKey: "msg", NameKey: "logger",
		EncodeTime:  zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel: zapcore.LowercaseLevelEncoder,
	})
	// AddSync alone does not buffer, and the logger does not sample.
	f.log = zap.New(zapcore.NewCore(enc, zapcore.AddSync(out), zapcore.DebugLevel), zap.WithClock(f)).Named("zap")
	return f
}

// Now and NewTicker are zapcore.Clock.
func (f *zapFormat) Now() time.Time                         { return f.now }
func (f *zapFormat) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

func (f *zapFormat) write(e *event) error {
	f.now = e.time.In(zapZone)
	fields := append(f.buf[:0], zap.Uint64("seq", e.seq), zap.String("user_id", e.userID), zap.Float64("duration_ms", e.durationMS))
	if e.traceparent != "" {
		fields = append(fields, zap.String("traceparent", e.traceparent))
	}
	if e.order != nil {
		fields = append(fields, zap.Object("order", zapcore.ObjectMarshalerFunc(e.order.zap)))
	}
	if e.err != nil {
		fields = append(fields, zap.Error(e.err))
	}
	f.buf = fields
	f.log.Log([...]zapcore.Level{zap.DebugLevel, zap.InfoLevel, zap.WarnLevel, zap.ErrorLevel}[e.level], e.msg, fields...)
	return nil
}

func (o *order) zap(enc zapcore.ObjectEncoder) error {
	enc.AddInt64("id", o.ID)
	enc.AddFloat64("amount", o.Amount)
	enc.AddString("currency", o.Currency)
	zap.Strings("items", o.Items).AddTo(enc)
	return nil
}

type slogFormat struct {
	h     slog.Handler
	attrs []slog.Attr
}

func newSlog(out *bytes.Buffer) *slogFormat {
	h := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})
	return &slogFormat{h: h.WithAttrs([]slog.Attr{slog.String("logger", "slog")})}
}

func (f *slogFormat) write(e *event) error {
	attrs := append(f.attrs[:0], slog.Uint64("seq", e.seq), slog.String("user_id", e.userID), slog.Float64("duration_ms", e.durationMS))
	if e.traceparent != "" {
		attrs = append(attrs, slog.String("traceparent", e.traceparent))
	}
	if o := e.order; o != nil {
		attrs = append(attrs, slog.Group("order", "id", o.ID, "amount", o.Amount, "currency", o.Currency, "items", o.Items))
	}
	if e.err != nil {
		attrs = append(attrs, slog.Any("error", e.err))
	}
	f.attrs = attrs
	// A slog.Logger takes its time from the clock; the handler takes it from
	// the record.
	rec := slog.NewRecord(e.time.UTC(), [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[e.level], e.msg, 0)
	rec.AddAttrs(attrs...)
	return f.h.Handle(context.Background(), rec)
}

type logrusFormat struct{ log *logrus.Entry }

func newLogrus(out *bytes.Buffer) *logrusFormat {
	l := logrus.New()
	l.SetOutput(out)
	l.SetLevel(logrus.DebugLevel)
	l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	return &logrusFormat{l.WithField("logger", "logrus")}
}

func (f *logrusFormat) write(e *event) error {
	fields := logrus.Fields{"seq": e.seq, "user_id": e.userID, "duration_ms": e.durationMS}
	if e.traceparent != "" {
		fields["traceparent"] = e.traceparent
	}
	if e.order != nil {
		fields["order"] = e.order
	}
	entry := f.log.WithFields(fields).WithTime(e.time.UTC())
	if e.err != nil {
		entry = entry.WithError(e.err)
	}
	entry.Log([...]logrus.Level{logrus.DebugLevel, logrus.InfoLevel, logrus.WarnLevel, logrus.ErrorLevel}[e.level], e.msg)
	return nil
}
