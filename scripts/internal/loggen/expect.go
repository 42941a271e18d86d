package loggen

import (
	"encoding/json"
	"time"
)

// Expect is what the record of an event must hold when it has come through
// the pipeline: one schema for all streams. Fields that a stream does not have
// are left out. For an app event the fields seq to error are the logger's own
// and come through unchanged.
type Expect struct {
	Timestamp string `json:"timestamp"` // RFC 3339, UTC, at the precision that the line carries
	Level     string `json:"level"`     // DEBUG, INFO, WARN, ERROR; access logs: by status
	// Message is the text. For access logs it is the request as the line has
	// it: `GET /path?seq=1 HTTP/1.1` of nginx, `GET      "/path?seq=1"` of
	// gin. For Java it has the lines of the stack trace behind it, joined by
	// newlines, without a last one.
	Message string `json:"message"`
	LogType string `json:"log_type"` // app or access

	TraceID    string `json:"trace_id,omitempty"`
	SpanID     string `json:"span_id,omitempty"`
	TraceFlags string `json:"trace_flags,omitempty"`

	SourceIP   string   `json:"source_ip,omitempty"`
	Method     string   `json:"method,omitempty"`
	Path       string   `json:"path,omitempty"` // with the query
	Status     int      `json:"status,omitempty"`
	DurationMS *float64 `json:"duration_ms,omitempty"`

	Seq    uint64 `json:"seq,omitempty"`
	UserID string `json:"user_id,omitempty"`
	Order  *order `json:"order,omitempty"`
	Error  string `json:"error,omitempty"`
}

func appendExpect(dst []byte, stream string, e *event) ([]byte, error) {
	x := Expect{Level: e.level.String(), Message: e.msg, LogType: "app"}
	precision := time.Nanosecond
	access := func() {
		x.LogType = "access"
		x.SourceIP, x.Method, x.Path, x.Status = e.ip, e.method, e.path, e.status
		precision = time.Second
	}
	ms := func(d time.Duration) *float64 {
		f := float64(d) / float64(time.Millisecond)
		return &f
	}
	switch stream {
	case "gin":
		access()
		x.DurationMS = ms(e.latency)
	case "nginx":
		access()
		x.Message = e.method + " " + e.path + " HTTP/1.1"
		x.DurationMS = ms(e.latency.Truncate(time.Millisecond))
	case "pipe":
		precision = time.Millisecond
	case "java":
		precision = time.Millisecond
		for _, line := range e.stack {
			x.Message += "\n" + line
		}
	default:
		x.Seq, x.UserID, x.Order, x.DurationMS = e.seq, e.userID, e.order, &e.durationMS
		if e.err != nil {
			x.Error = e.err.Error()
		}
		if tp := e.traceparent; tp != "" {
			x.TraceID, x.SpanID, x.TraceFlags = tp[3:35], tp[36:52], tp[53:]
		}
	}
	x.Timestamp = e.time.UTC().Truncate(precision).Format(time.RFC3339Nano)
	b, err := json.Marshal(&x)
	return append(dst, b...), err
}
