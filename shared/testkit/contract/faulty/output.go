package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"

	"flbgo/shared/chunk"
)

// outputLogic does what the first word of the tag says: "panic.anything" panics.
type outputLogic struct{ log *slog.Logger }

var errPermanent = permanent{errors.New("asked to drop")}

type permanent struct{ error }

func (permanent) Permanent() bool { return true }

func (o *outputLogic) Flush(data []byte, tag string, onEngine bool) error {
	what, _, _ := strings.Cut(tag, ".")
	switch what {
	case "ok":
		return nil
	case "retry":
		return errors.New("asked to retry")
	case "permanent":
		return fmt.Errorf("wrapped: %w", errPermanent)
	case "read":
		return read(data)
	case "panic":
		panic("asked to")
	case "nil":
		var p *outputLogic
		p.log.Info("never said")
	case "divide":
		zero := len(what) - len("divide")
		return fmt.Errorf("%d", 1/zero)
	case "gate":
		gate.pass()
		return nil
	case "late":
		gate.pass()
		return read(data)
	case "levels":
		o.log.Error("an error")
		o.log.Warn("a warning", "count", 2)
		o.log.Info("an info", "text", "two words")
		o.log.Debug("a debug")
	case "goroutine":
		said := make(chan struct{})
		go func() {
			o.log.Info("from a goroutine, in time")
			close(said)
		}()
		<-said
	case "afterwards":
		go func() {
			gate.pass()
			o.log.Info("from a goroutine, afterwards")
			gate.said.Add(1)
		}()
	case "garbage":
		collect()
	case "spin":
		spin()
	case "walk":
		return walk(data)
	case "deep":
		deep()
	default:
		return fmt.Errorf("unknown tag %q", tag)
	}
	return nil
}

func (o *outputLogic) Close() { o.log.Info("closed") }

// isolator is an output that can go through a chunk record by record: a chunk with poison in it panics until it does.
type isolator struct{ *outputLogic }

func (i *isolator) Flush(data []byte, tag string, onEngine bool) error {
	if bytes.Contains(data, []byte("poison")) {
		panic("poison")
	}
	return nil
}

func (i *isolator) FlushIsolated(data []byte, tag string, onEngine bool) error {
	i.log.Warn("record by record")
	return nil
}

// read touches every byte.
func read(data []byte) error {
	var sum int
	for _, b := range data {
		sum += int(b)
	}
	if sum == -1 {
		return errors.New("impossible")
	}
	return nil
}

// walk goes through the chunk until it is stopped. All that it calls is Next.
func walk(data []byte) error {
	var r chunk.Reader
	for stop := stopped(); atomic.LoadInt32(stop) == 0; {
		r.Reset(data)
		for k := r.Next(); k != chunk.End; k = r.Next() {
			if k == chunk.Damaged {
				return errors.New("damaged")
			}
		}
	}
	return nil
}

// spin calls nothing until it is stopped: only a signal could interrupt it.
func spin() {
	for stop := stopped(); atomic.LoadInt32(stop) == 0; {
	}
}

// collect makes garbage and has it collected.
func collect() {
	var keep [][]byte
	for range 64 {
		keep = append(keep, bytes.Repeat([]byte{1}, 1<<12))
	}
	runtime.GC()
	runtime.KeepAlive(keep)
}
