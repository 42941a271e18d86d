package loggen

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

type level uint8

const (
	debug level = iota
	info
	warn
	failure
)

func (l level) String() string { return [...]string{"DEBUG", "INFO", "WARN", "ERROR"}[l] }

// event is what happened; a format turns it into bytes. Which fields are set
// depends on the kind of the stream.
type event struct {
	seq  uint64
	time time.Time

	// application streams
	level       level
	msg         string // pipe and java: with " seq=N" behind it; gin: the request as printed
	traceparent string // W3C; "" for about a third of the events
	userID      string
	durationMS  float64
	order       *order // nil for most
	err         error  // JSON streams: set on ERROR

	// access logs
	ip, method, path string // path with the query "?seq=N"
	status, size     int
	referer, agent   string
	user             string
	latency          time.Duration

	// java
	thread, logger string
	stack          []string // without newlines; nil for a single line
}

// order is the nested map of JSON events.
type order struct {
	ID       int64    `json:"id"` // now and then above 2^53
	Amount   float64  `json:"amount"`
	Currency string   `json:"currency"`
	Items    []string `json:"items"`
}

// drawer makes the events of one stream. Not for concurrent use.
type drawer struct {
	kind kind
	salt uint64
	pcg  rand.PCG
	r    *rand.Rand
	ev   event
}

type kind uint8

const (
	kindJSON kind = iota
	kindAccess
	kindPipe
	kindJava
)

func newDrawer(stream string, seed uint64) *drawer {
	h := fnv.New64a()
	h.Write([]byte(stream))
	d := &drawer{salt: h.Sum64() ^ seed}
	switch stream {
	case "gin", "nginx":
		d.kind = kindAccess
	case "pipe":
		d.kind = kindPipe
	case "java":
		d.kind = kindJava
	}
	d.r = rand.New(&d.pcg)
	return d
}

// draw returns the event with this sequence number. It is valid until the
// next draw.
func (d *drawer) draw(seq uint64, now time.Time) *event {
	// One generator state per event, not one stream of numbers: an event's
	// content does not depend on where the run began. The odd factor keeps
	// neighbours apart.
	d.pcg.Seed(d.salt, seq*0x9e3779b97f4a7c15)
	d.ev = event{seq: seq, time: now}
	e := &d.ev
	switch d.kind {
	case kindJSON:
		d.json(e)
	case kindAccess:
		d.access(e)
	case kindPipe:
		e.level = d.level()
		e.msg = fmt.Sprintf("%s seq=%d", pick(d.r, pipeMessages), seq)
	case kindJava:
		d.java(e)
	}
	return e
}

func (d *drawer) level() level {
	switch n := d.r.IntN(100); {
	case n < 10:
		return debug
	case n < 80:
		return info
	case n < 93:
		return warn
	default:
		return failure
	}
}

func (d *drawer) json(e *event) {
	r := d.r
	e.level = d.level()
	e.msg = pick(r, messages)
	if r.IntN(8) == 0 {
		e.msg = pick(r, oddMessages)
	}
	if r.IntN(3) != 0 {
		e.traceparent = traceparent(r)
	}
	e.userID = fmt.Sprintf("u-%05d", r.IntN(100000))
	e.durationMS = round3(r.ExpFloat64() * 40)
	if r.IntN(4) == 0 {
		e.order = &order{
			ID:       1000 + r.Int64N(1_000_000),
			Amount:   round3(r.Float64() * 500),
			Currency: pick(r, currencies),
			Items:    items[r.IntN(len(items))],
		}
		if r.IntN(4) == 0 {
			// No float64 holds these: a pipeline that goes through one
			// changes them.
			e.order.ID = 1<<53 + 1 + 2*r.Int64N(1<<40)
		}
	}
	if e.level == failure {
		e.err = pick(r, failures)
	}
}

func (d *drawer) access(e *event) {
	r := d.r
	e.ip = fmt.Sprintf("%s%d", pick(r, networks), 1+r.IntN(250))
	e.method = pick(r, methods)
	e.path = fmt.Sprintf("%s?seq=%d", pick(r, paths), e.seq)
	e.status = pick(r, statuses)
	e.size = r.IntN(20_000)
	e.referer, e.agent, e.user = pick(r, referers), pick(r, agents), pick(r, users)
	// Log-normal around 8 ms, as latencies are: most are short, some take
	// seconds.
	e.latency = time.Duration(math.Exp(r.NormFloat64()*1.6+math.Log(8)) * float64(time.Millisecond))
	switch {
	case e.status >= 500:
		e.level = failure
	case e.status >= 400:
		e.level = warn
	default:
		e.level = info
	}
}

func (d *drawer) java(e *event) {
	r := d.r
	e.level = d.level()
	e.thread, e.logger = pick(r, threads), pick(r, javaLoggers)
	e.msg = fmt.Sprintf("%s seq=%d", pick(r, messages), e.seq)
	if e.level < warn || e.level == warn && r.IntN(2) == 0 {
		return
	}
	frames := func(n int) {
		for range n {
			e.stack = append(e.stack, fmt.Sprintf("\tat %s(%s.java:%d)", pick(r, frames), pick(r, sources), 10+r.IntN(400)))
		}
	}
	e.stack = append(e.stack, pick(r, exceptions))
	frames(2 + r.IntN(6))
	if r.IntN(2) == 0 {
		e.stack = append(e.stack, "Caused by: "+pick(r, exceptions))
		frames(1 + r.IntN(3))
		e.stack = append(e.stack, fmt.Sprintf("\t... %d more", 3+r.IntN(20)))
	}
}

// traceparent returns a W3C traceparent of version 00, sampled or not. All
// zeros would be invalid: the last byte of both ids is never 0.
func traceparent(r *rand.Rand) string {
	var raw [24]byte
	for i := 0; i < len(raw); i += 8 {
		for j, v := 0, r.Uint64(); j < 8; j, v = j+1, v>>8 {
			raw[i+j] = byte(v)
		}
	}
	raw[15] |= 1
	raw[23] |= 1
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, raw[:16])
	b = append(b, '-')
	b = hex.AppendEncode(b, raw[16:])
	if r.IntN(5) == 0 {
		return string(append(b, "-00"...))
	}
	return string(append(b, "-01"...))
}

func round3(f float64) float64 { return math.Round(f*1000) / 1000 }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
