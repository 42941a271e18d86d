package loggen

import (
	"bytes"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// ginFormat drives a gin engine in process, without a socket, and has its
// logger middleware write the access log in gin's own default text format.
// Time and latency are what gin measured; write reads them back from the line
// into the event, with the text of the request, so that the ledger says what
// the line says.
type ginFormat struct {
	buf    *bytes.Buffer
	engine *gin.Engine
	max    time.Duration
	ev     *event // the request being served
}

func newGin(buf *bytes.Buffer, maxLatency time.Duration) *ginFormat {
	gin.SetMode(gin.ReleaseMode) // the default prints every route to stdout
	f := &ginFormat{buf: buf, engine: gin.New(), max: maxLatency}
	f.engine.Use(gin.LoggerWithConfig(gin.LoggerConfig{Output: buf}))
	f.engine.Any("/*path", func(c *gin.Context) {
		if d := min(f.ev.latency, f.max); d > 0 {
			time.Sleep(d)
		}
		c.Status(f.ev.status)
	})
	return f
}

func (f *ginFormat) write(e *event) error {
	f.ev = e
	req := httptest.NewRequest(e.method, e.path, nil)
	req.RemoteAddr = net.JoinHostPort(e.ip, "40000")
	start := f.buf.Len()
	f.engine.ServeHTTP(httptest.NewRecorder(), req)
	line := string(f.buf.Bytes()[start:])
	if err := parseGin(line, e); err != nil {
		return fmt.Errorf("gin: %w in line %q", err, line)
	}
	return nil
}

// parseGin reads time, latency and the request, which begins with the method,
// out of a line such as
//
//	[GIN] 2026/11/20 - 20:31:00 | 200 |    1.23ms |     203.0.113.9 | GET     "/path?seq=1"
func parseGin(line string, e *event) error {
	parts := strings.SplitN(line, "|", 5)
	if len(parts) != 5 {
		return fmt.Errorf("%d columns, not 5", len(parts))
	}
	t, err := time.ParseInLocation("[GIN] 2006/01/02 - 15:04:05 ", parts[0], time.Local)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(strings.TrimSpace(parts[2]))
	if err != nil {
		return err
	}
	e.time, e.latency, e.msg = t, d, strings.TrimSpace(parts[4])
	return nil
}
