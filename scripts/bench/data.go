package main

import (
	"bufio"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

// dataSet is the file that every run reads.
type dataSet struct {
	path  string
	lines int
	bytes int64
}

func (d dataSet) lineBytes() float64 { return float64(d.bytes) / float64(d.lines) }

// writeData writes n lines as fast as a service that logs 100,000 of them a second would have written them until now.
// What they say is a function of their number; their time is the clock's, because brokers delete old records.
func writeData(path string, n int) (dataSet, error) {
	f, err := os.Create(path)
	if err != nil {
		return dataSet{}, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	var g generator
	var line []byte
	d := dataSet{path: path, lines: n}
	const step = 10 * time.Microsecond
	t := time.Now().Add(-time.Duration(n) * step)
	for seq := range n {
		line = g.append(line[:0], seq, t)
		d.bytes += int64(len(line))
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

// generator makes log lines of a web service: JSON of 318 bytes on average, 11 members, one of them a map, with random
// ids. Not for concurrent use.
type generator struct {
	pcg rand.PCG
	r   *rand.Rand
}

var (
	levels    = [...]string{"debug", "info", "info", "info", "info", "info", "info", "warn", "error", "info"}
	methods   = [...]string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}
	statuses  = [...]int{200, 200, 200, 200, 200, 201, 204, 301, 400, 404, 500, 503}
	endpoints = [...]string{"order accepted by payment", "cache miss, reading from store", "request handled", "user logged in with token", "retrying after a time-out", "stock reserved for checkout"}
	currency  = [...]string{"EUR", "USD", "JPY", "GBP"}
)

// append appends the line with this number, newline included.
func (g *generator) append(b []byte, seq int, t time.Time) []byte {
	if g.r == nil {
		g.r = rand.New(&g.pcg)
	}
	g.pcg.Seed(1, uint64(seq)*0x9e3779b97f4a7c15)
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
	b = strconv.AppendFloat(b, float64(int(r.ExpFloat64()*40_000))/1000, 'f', 3, 64)
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
	return append(b, "\"}}\n"...)
}

// hex appends n random bytes, in which no byte is zero, so that no trace id is invalid.
func (g *generator) hex(b []byte, n int) []byte {
	var raw [16]byte
	for i := 0; i < n; i += 8 {
		for j, v := i, g.r.Uint64(); j < min(i+8, n); j, v = j+1, v>>8 {
			raw[j] = byte(v) | 1
		}
	}
	return hex.AppendEncode(b, raw[:n])
}
