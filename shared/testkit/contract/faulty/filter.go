package main

import (
	"log/slog"
	"strings"
)

// filterLogic does what the first word of the tag says.
type filterLogic struct{ log *slog.Logger }

func (f *filterLogic) Apply(dst, data, tag []byte) (out []byte, modified bool) {
	what, _, _ := strings.Cut(string(tag), ".")
	switch what {
	case "same": // the chunk as it was, but said to be modified
		return append(dst, data...), true
	case "grow": // far more than SizeHint announced
		for range 100 {
			dst = append(dst, data...)
		}
		return dst, true
	case "shift": // a result that does not begin where dst does
		return append(dst, data...)[1:], true
	case "borrowed": // the host's own bytes, untouched
		return data, true
	case "empty":
		return dst, true
	case "panic": // half-way
		_ = append(dst, data[:len(data)/2]...)
		panic("asked to")
	case "nil":
		var p *filterLogic
		p.log.Info("never said")
	case "late":
		gate.pass()
		return append(dst, data...), true
	case "garbage":
		collect()
		return append(dst, data...), true
	}
	return nil, false
}

// SizeHint panics on request too: the chunk's size is the only thing that it is told.
func (f *filterLogic) SizeHint(n int) int {
	if n == 13 {
		panic("unlucky")
	}
	return n
}

func (f *filterLogic) Close() { f.log.Info("closed") }
