package enrich

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"flbgo/shared/chunk"
)

// modelNames are few, so that they meet.
var modelNames = []string{"a", "b", "c", "level", "status", "traceparent", "trace_id", "span_id", "trace_flags", "http", "ms"}

func randomModel(r *rand.Rand) *model {
	name := func() string { return modelNames[r.IntN(len(modelNames))] }
	pairs := func(value func() string) (p [][2]string) {
		for range r.IntN(3) {
			p = append(p, [2]string{name(), value()})
		}
		return p
	}
	m := &model{
		attributes: pairs(func() string { return []string{"v", "info", "$TAG", "x$TAG"}[r.IntN(4)] }),
		rename:     pairs(name),
		durations:  pairs(name),
		overwrite:  r.IntN(2) == 0,
		keep:       r.IntN(4) == 0,
	}
	for range r.IntN(2) {
		m.remove = append(m.remove, name())
	}
	m.trace = r.IntN(4) > 0
	if r.IntN(4) > 0 {
		m.level = "level"
		if r.IntN(2) == 0 {
			m.severity = "b"
		}
		if r.IntN(2) == 0 {
			m.status = "status"
		}
	}
	return m
}

func randomBody(r *rand.Rand) []byte {
	n := r.IntN(8)
	if r.IntN(4) == 0 {
		n += 10
	}
	b := chunk.AppendMapHeader(nil, n)
	for range n {
		switch name := modelNames[r.IntN(len(modelNames))]; r.IntN(12) {
		case 0:
			b = msgp.AppendBytes(b, []byte(name))
		case 1:
			b = msgp.AppendInt(b, r.IntN(300))
		case 2:
			b = msgp.AppendArrayHeader(b, 1)
			b = msgp.AppendString(b, name)
		case 3:
			b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(len(name)))
			b = append(b, name...)
		case 4:
			b = msgp.AppendString(b, strings.Repeat("long", r.IntN(80)))
		default:
			b = msgp.AppendString(b, name)
		}
		b = appendRandomValue(b, r, 3)
	}
	return b
}

var modelTexts = []string{"", "-", "0", "null", "N/A", "info", "Warning", " error ", "audit", "200", "404", "500", "99", "1s", "1.5ms", "1m2.5s",
	"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
	"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
	"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "4bf92f3577b34da6a3ce929d0e0e4736", "v", "INFO", "app"}

func appendRandomValue(b []byte, r *rand.Rand, depth int) []byte {
	switch r.IntN(14) {
	case 0:
		return msgp.AppendNil(b)
	case 1:
		return msgp.AppendBool(b, r.IntN(2) == 0)
	case 2:
		return msgp.AppendInt64(b, int64(r.Uint64())>>(r.IntN(50)+13))
	case 3:
		return msgp.AppendInt(b, []int{0, 200, 404, 503, 1}[r.IntN(5)])
	case 4:
		return msgp.AppendFloat64(b, float64(r.IntN(64))/8)
	case 5:
		return append(b, 0xc7, 3, 9, 1, 2, 3) // ext
	case 6:
		return msgp.AppendBytes(b, []byte(modelTexts[r.IntN(len(modelTexts))]))
	case 7:
		if depth == 0 {
			return msgp.AppendNil(b)
		}
		n := r.IntN(4)
		b = msgp.AppendArrayHeader(b, uint32(n))
		for range n {
			b = appendRandomValue(b, r, depth-1)
		}
		return b
	case 8:
		if depth == 0 {
			return msgp.AppendNil(b)
		}
		n := r.IntN(4)
		b = msgp.AppendMapHeader(b, uint32(n))
		for range n {
			b = appendRandomValue(msgp.AppendString(b, modelNames[r.IntN(len(modelNames))]), r, depth-1)
		}
		return b
	default:
		return msgp.AppendString(b, modelTexts[r.IntN(len(modelTexts))])
	}
}
