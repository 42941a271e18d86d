// Package benchdata is what the benchmarks read: log lines of three sizes, and the chunks that Fluent Bit makes of them.
package benchdata

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// Size is a shape of lines. All have the members time, level, seq, status and duration_ms, and no other number or key
// depends on the size.
type Size string

const (
	// Normal is a web service's: JSON of 318 bytes on average, 11 members, one of them a map, with random ids.
	Normal Size = ""
	// Small is 101 bytes: 6 members, no trace.
	Small Size = "small"
	// Large is 2,050 bytes: a normal line with headers and a stack trace of 16 frames, whose line ends are escaped.
	Large Size = "large"
)

// File is lines in a file.
type File struct {
	Path  string
	Lines int
	Bytes int64
}

// LineBytes is the average, newline included.
func (f File) LineBytes() float64 { return float64(f.Bytes) / float64(f.Lines) }

// Write writes n lines as fast as a service that logs 100,000 of them a second would have written them until now. What
// they say is a function of their number; their time is the clock's, because brokers delete old records.
func Write(path string, size Size, n int) (File, error) {
	f, err := os.Create(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	g := Generator{Size: size}
	var line []byte
	d := File{Path: path, Lines: n}
	const step = 10 * time.Microsecond
	t := time.Now().Add(-time.Duration(n) * step)
	for seq := range n {
		line = g.Append(line[:0], seq, t)
		d.Bytes += int64(len(line))
		if _, err := w.Write(line); err != nil {
			return d, err
		}
		t = t.Add(step)
	}
	if err := w.Flush(); err != nil {
		return d, err
	}
	return d, f.Close()
}

// Generator makes lines. The zero value makes normal ones. Not for concurrent use.
type Generator struct {
	Size Size
	pcg  rand.PCG
	r    *rand.Rand
}

var (
	levels    = [...]string{"debug", "info", "info", "info", "info", "info", "info", "warn", "error", "info"}
	methods   = [...]string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
	statuses  = [...]int{200, 200, 200, 200, 200, 201, 204, 301, 400, 404, 500, 503}
	endpoints = [...]string{"order accepted by payment", "cache miss, reading from store", "request handled", "user logged in with token", "retrying after a time-out", "stock reserved for checkout"}
	currency  = [...]string{"EUR", "USD", "JPY", "GBP"}
)

// Append appends the line with this number, newline included.
func (g *Generator) Append(b []byte, seq int, t time.Time) []byte {
	if g.r == nil {
		g.r = rand.New(&g.pcg)
	}
	g.pcg.Seed(1, uint64(seq)*0x9e3779b97f4a7c15)
	if g.Size == Small {
		return g.small(b, seq, t)
	}
	r := g.r
	b = append(b, `{"time":"`...)
	b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
	b = append(b, `","level":"`...)
	b = append(b, levels[r.IntN(len(levels))]...)
	b = append(b, `","logger":"http","msg":"`...)
	b = append(b, endpoints[r.IntN(len(endpoints))]...)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, int64(seq), 10)
	b = append(b, `,"user_id":"u-`...)
	b = g.hex(b, 4)
	b = append(b, `","method":"`...)
	b = append(b, methods[r.IntN(len(methods))]...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(statuses[r.IntN(len(statuses))]), 10)
	b = append(b, `,"duration_ms":`...)
	b = g.duration(b)
	b = append(b, `,"traceparent":"00-`...)
	b = g.hex(b, 16)
	b = append(b, '-')
	b = g.hex(b, 8)
	b = append(b, `-01","order":{"id":`...)
	b = strconv.AppendInt(b, 1_000_000+r.Int64N(9_000_000), 10)
	b = append(b, `,"amount":`...)
	b = strconv.AppendFloat(b, float64(r.IntN(50_000))/100, 'f', 2, 64)
	b = append(b, `,"currency":"`...)
	b = append(b, currency[r.IntN(len(currency))]...)
	b = append(b, `"}`...)
	if g.Size == Large {
		b = g.large(b)
	}
	return append(b, "}\n"...)
}

// small has a time in milliseconds and no text.
func (g *Generator) small(b []byte, seq int, t time.Time) []byte {
	b = append(b, `{"time":"`...)
	b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","level":"`...)
	b = append(b, levels[g.r.IntN(len(levels))]...)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, int64(seq), 10)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(statuses[g.r.IntN(len(statuses))]), 10)
	b = append(b, `,"duration_ms":`...)
	b = g.duration(b)
	return append(b, "}\n"...)
}

// frames is what follows the message of an exception.
var frames = func() string {
	var b strings.Builder
	for i := range 16 {
		fmt.Fprintf(&b, `\n\tat com.example.checkout.%s.handle%d(%s.java:%d)`, []string{"payment.PaymentGateway", "stock.StockService", "http.RequestFilter", "order.OrderService"}[i%4],
			i, []string{"PaymentGateway", "StockService", "RequestFilter", "OrderService"}[i%4], 100+i*37)
	}
	return b.String()
}()

// large appends two members more.
func (g *Generator) large(b []byte) []byte {
	b = append(b, `,"headers":{"host":"shop.example.com","user-agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","accept":"text/html,application/json;q=0.9","x-request-id":"`...)
	b = g.hex(b, 16)
	b = append(b, `","cookie":"session=`...)
	for range 5 {
		b = g.hex(b, 16)
	}
	b = append(b, `"},"exception":"java.lang.IllegalStateException: order is \"locked\" by `...)
	b = g.hex(b, 8)
	b = append(b, frames...)
	return append(b, '"')
}

// duration appends milliseconds, 40 on average.
func (g *Generator) duration(b []byte) []byte {
	return strconv.AppendFloat(b, float64(int(g.r.ExpFloat64()*40_000))/1000, 'f', 3, 64)
}

// hex appends n random bytes, in which no byte is zero, so that no trace id is invalid.
func (g *Generator) hex(b []byte, n int) []byte {
	var raw [16]byte
	for i := 0; i < n; i += 8 {
		for j, v := i, g.r.Uint64(); j < min(i+8, n); j, v = j+1, v>>8 {
			raw[j] = byte(v) | 1
		}
	}
	return hex.AppendEncode(b, raw[:n])
}
