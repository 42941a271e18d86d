package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
)

// chunkFile is a file of the host's buffer: a head of 24 bytes, the last two of which are the length of what is between it
// and the events. https://github.com/fluent/chunkio describes it.
type chunkFile struct {
	path   string
	bytes  []byte
	events []event
	ends   []int // where in bytes each event ends
}

// Where newer hosts keep the length of the events; older ones take it from the size of the file.
const chunkLengthAt = 10

// eventHead is how the events of a host begin: an array with a time of 8 bytes, behind another one where events have
// metadata.
func eventHead(metadata bool) []byte {
	if metadata {
		return []byte{0x92, 0x92, 0xd7, 0x00}
	}
	return []byte{0x92, 0xd7, 0x00}
}

// readChunk reads a file whose events are JSON lines of loggen's that tail has read: text without those bytes.
func readChunk(name string, metadata bool) (*chunkFile, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	const head = 24
	if len(b) < head || b[0] != 0xc1 || b[1] != 0 {
		return nil, fmt.Errorf("%s: is no chunk", name)
	}
	at := head + int(binary.BigEndian.Uint16(b[head-2:]))
	end := len(b)
	if n := int(binary.BigEndian.Uint32(b[chunkLengthAt:])); n > 0 && at+n <= end {
		end = at + n
	}
	c := &chunkFile{path: name, bytes: b}
	begin := eventHead(metadata)
	for rest := b[min(at, end):end]; bytes.HasPrefix(rest, begin); {
		n := bytes.Index(rest[1:], begin) + 1
		if n == 0 {
			n = len(bytes.TrimRight(rest, "\x00")) // what a process that was killed had not cut off
		}
		e, err := eventOf(rest[:n])
		if err != nil {
			return nil, fmt.Errorf("%s at %d: %w", name, end-len(rest), err)
		}
		c.events = append(c.events, e)
		c.ends = append(c.ends, end-len(rest)+n)
		rest = rest[n:]
	}
	return c, nil
}

// eventOf finds the path that tail added and the line's own number.
func eventOf(b []byte) (e event, err error) {
	_, number, ok := bytes.Cut(b, []byte("\xa3seq"))
	_, file, okFile := bytes.Cut(b, []byte("\xa4file"))
	if !ok || !okFile || len(number) < 9 || len(file) < 2 {
		return e, errors.New("an event without seq or file")
	}
	switch number[0] {
	case 0xcc:
		e.seq = uint64(number[1])
	case 0xcd, 0xd1:
		e.seq = uint64(binary.BigEndian.Uint16(number[1:]))
	case 0xce, 0xd2:
		e.seq = uint64(binary.BigEndian.Uint32(number[1:]))
	case 0xcf, 0xd3:
		e.seq = binary.BigEndian.Uint64(number[1:])
	default:
		e.seq = uint64(number[0])
	}
	log := bytes.Index(file, []byte(".log"))
	if log < 0 {
		return e, errors.New("an event of another file")
	}
	e.stream = path.Base(string(file[:log]))
	return e, nil
}

// before is how many events end at or before a place in the file.
func (c *chunkFile) before(at int) (n int) {
	for n < len(c.ends) && c.ends[n] <= at {
		n++
	}
	return n
}

// at is the event that has a place in the file.
func (c *chunkFile) at(place int) event { return c.events[min(c.before(place), len(c.events)-1)] }
