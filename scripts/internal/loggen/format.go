package loggen

import (
	"bytes"
	"fmt"
	"time"
)

// A format appends the bytes of one event to the buffer that it was made with:
// one line or, for Java, several, newline included. Not for concurrent use.
//
// No format holds bytes back: when write returns, they are all in the buffer.
// The stream checks that.
type format interface {
	write(*event) error
}

func newFormat(stream string, buf *bytes.Buffer, maxGinLatency time.Duration) format {
	switch stream {
	case "zap":
		return newZap(buf)
	case "slog":
		return newSlog(buf)
	case "logrus":
		return newLogrus(buf)
	case "gin":
		return newGin(buf, maxGinLatency)
	case "nginx":
		return nginxFormat{buf}
	case "pipe":
		return pipeFormat{buf}
	case "java":
		return javaFormat{buf}
	}
	panic("loggen: no format for stream " + stream) // Config.resolve let only known names through
}

// nginxFormat is nginx's predefined "combined" with " $request_time" behind it:
// seconds with a resolution of milliseconds.
type nginxFormat struct{ buf *bytes.Buffer }

func (f nginxFormat) write(e *event) error {
	fmt.Fprintf(f.buf, "%s - %s [%s] \"%s %s HTTP/1.1\" %d %d \"%s\" \"%s\" %d.%03d\n",
		e.ip, e.user, e.time.UTC().Format("02/Jan/2006:15:04:05 -0700"), e.method, e.path,
		e.status, e.size, e.referer, e.agent,
		e.latency/time.Second, e.latency%time.Second/time.Millisecond)
	return nil
}

// pipeFormat is "time|level|message" with milliseconds. The message may hold
// the separator.
type pipeFormat struct{ buf *bytes.Buffer }

const pipeTime = "2006-01-02T15:04:05.000Z07:00"

func (f pipeFormat) write(e *event) error {
	fmt.Fprintf(f.buf, "%s|%s|%s\n", e.time.UTC().Format(pipeTime), e.level, e.msg)
	return nil
}

// javaFormat is what log4j and logback write with the pattern
// "%d{yyyy-MM-dd HH:mm:ss.SSS} %p [%t] %c - %m%n%ex".
type javaFormat struct{ buf *bytes.Buffer }

const javaTime = "2006-01-02 15:04:05.000"

func (f javaFormat) write(e *event) error {
	fmt.Fprintf(f.buf, "%s %s [%s] %s - %s\n", e.time.UTC().Format(javaTime), e.level, e.thread, e.logger, e.msg)
	for _, line := range e.stack {
		f.buf.WriteString(line)
		f.buf.WriteByte('\n')
	}
	return nil
}
