package benchdata

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"flbgo/shared/chunk"
	"flbgo/shared/testkit/chunks"
)

// Clock is the time of line 0 in a chunk: chunks are the same bytes always.
var Clock = time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC)

// Chunk is what tail and the JSON parser make of lines: the members in their order without the time, which is the event's.
// Integers are integers and other numbers doubles, as there. set, if not nil, may change the members of a line.
func Chunk(size Size, from, lines int, set func(seq int, members chunks.Pairs)) ([]byte, error) {
	g := Generator{Size: size}
	var line, out []byte
	for seq := from; seq < from+lines; seq++ {
		at := Clock.Add(time.Duration(seq) * 10 * time.Microsecond)
		line = g.Append(line[:0], seq, at)
		body, err := decode(json.NewDecoder(bytes.NewReader(line)))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", seq, err)
		}
		members := body.(chunks.Pairs)[2:] // the first is the time
		if set != nil {
			set(seq, members)
		}
		out = chunk.AppendEvent(out, at.Unix(), uint32(at.Nanosecond()), nil, chunks.Map(members...), true)
	}
	return out, nil
}

// decode reads one value of a kind that the lines have.
func decode(d *json.Decoder) (any, error) {
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		pairs := chunks.Pairs{}
		for d.More() {
			v, err := decode(d)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, v)
		}
		_, err := d.Token()
		return pairs, err
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return n, nil
		}
		return t.Float64()
	}
	return t, nil
}
