package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// chunkOf makes a file as a host writes it, with these events; length says whether its head has the length.
func chunkOf(length bool, padding int, events ...[]byte) []byte {
	b := append([]byte{0xc1, 0}, make([]byte, 20)...)
	b = append(b, 0, 8)
	b = append(b, "\xf1\x77\x00app."...)
	b = append(b, 'x')
	body := bytes.Join(events, nil)
	if length {
		binary.BigEndian.PutUint32(b[chunkLengthAt:], uint32(len(body)))
	}
	return append(append(b, body...), make([]byte, padding)...)
}

// eventWith is an event of a file, with seq as these bytes.
func eventWith(metadata bool, file, seq string) []byte {
	head := string(eventHead(metadata))
	if metadata {
		head += "\x01\x02\x03\x04\x05\x06\x07\x08\x80"
	} else {
		head += "\x01\x02\x03\x04\x05\x06\x07\x08"
	}
	return []byte(head + "\x83\xa4file" + string([]byte{0xa0 + byte(len(file))}) + file + "\xa3seq" + seq + "\xa3msg\xa9some text")
}

func TestReadChunk(t *testing.T) {
	f := func(name string, metadata, length bool, padding int) {
		t.Run(name, func(t *testing.T) {
			want := []event{{"zap", 7}, {"slog", 200}, {"zap", 40_000}, {"zap", 1_000_001}}
			path := filepath.Join(t.TempDir(), "1-2.flb")
			b := chunkOf(length, padding,
				eventWith(metadata, "/logs/zap.log", "\x07"), eventWith(metadata, "/logs/slog.log.3", "\xcc\xc8"),
				eventWith(metadata, "/logs/zap.log", "\xcd\x9c\x40"), eventWith(metadata, "/logs/zap.log", "\xce\x00\x0f\x42\x41"))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := readChunk(path, metadata)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.events, want) {
				t.Errorf("events %v, want %v", c.events, want)
			}
			if last := c.ends[len(c.ends)-1]; last != len(b)-padding {
				t.Errorf("the last event ends at %d of %d with %d of padding", last, len(b), padding)
			}
			inThird := (c.ends[1] + c.ends[2]) / 2
			if c.before(inThird) != 2 || c.at(inThird) != want[2] || c.before(c.ends[3]) != 4 || c.before(c.ends[0]-1) != 0 {
				t.Errorf("%d events before the third, %d before the end; in the third is %v", c.before(inThird), c.before(c.ends[3]), c.at(inThird))
			}
		})
	}
	f("old", false, false, 0)
	f("old, killed", false, false, 300)
	f("new", true, true, 0)
	f("new, killed", true, true, 300)

	path := filepath.Join(t.TempDir(), "1-2.flb")
	for _, b := range [][]byte{nil, []byte("\xc1"), []byte("no chunk at all, but long enough"), chunkOf(true, 0, []byte("\x92\x92\xd7\x00nothing"))} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := readChunk(path, true); err == nil {
			t.Errorf("%q is read as %v", b, c.events)
		}
	}
}
