package devkafka

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// kfake writes what it knows of idempotent producers to this file at Close and
// reads it at the start. After a kill the file is either missing or, worse, of
// the Close before: then every producer's next batch looks like a gap and is
// refused. So the file is removed as soon as it was read, and when it is
// missing it is made anew from the batches in the log.
//
// The names and formats are those of the pinned kfake version;
// TestKilledBrokerKnowsItsProducers fails should they change.
const windowsFile = "seq_windows.json"

type windowsJSON struct {
	Version int          `json:"version"`
	Windows []windowJSON `json:"windows"`
}

type windowJSON struct {
	PID       int64        `json:"pid"`
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Entries   [5]entryJSON `json:"entries"`
	Count     uint8        `json:"count"`
	At        uint8        `json:"at"` // the entry to overwrite next
	Epoch     int16        `json:"epoch"`
	Seen      bool         `json:"seen"`
	NextSeq   int32        `json:"next_seq"`
}

type entryJSON struct {
	FirstSeq int32 `json:"first_seq"`
	NextSeq  int32 `json:"next_seq"`
	Offset   int64 `json:"offset"`
}

// restoreProducers writes windowsFile from the log when it is missing. Call it
// before kfake loads the folder.
func restoreProducers(dir string) error {
	path := filepath.Join(dir, windowsFile)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parts, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new folder
	} else if err != nil {
		return err
	}
	out := windowsJSON{Version: 1}
	for _, p := range parts {
		name := p.Name()
		i := strings.LastIndexByte(name, '-')
		if i < 0 || !p.IsDir() {
			continue
		}
		topic, err := url.PathUnescape(name[:i])
		number, nerr := strconv.ParseInt(name[i+1:], 10, 32)
		if err != nil || nerr != nil {
			continue
		}
		windows, err := partitionWindows(filepath.Join(dir, "partitions", name))
		if err != nil {
			return err
		}
		for _, w := range windows {
			w.Topic, w.Partition = topic, int32(number)
			out.Windows = append(out.Windows, *w)
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	// Straight to its name: should this be cut short, kfake says so at its
	// start and nothing is lost.
	return os.WriteFile(path, b, 0o644)
}

// forgetSavedProducers removes the file after kfake has read it, so that it is
// there only after a Close.
func forgetSavedProducers(dir string) error {
	err := os.Remove(filepath.Join(dir, windowsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// partitionWindows reads the headers of all batches of a partition, in order,
// and returns the window of every producer.
func partitionWindows(dir string) (map[int64]*windowJSON, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64 // a segment's name is its first offset
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".dat"); ok {
			if base, err := strconv.ParseInt(name, 10, 64); err == nil {
				bases = append(bases, base)
			}
		}
	}
	slices.Sort(bases)
	windows := map[int64]*windowJSON{}
	for _, base := range bases {
		name := filepath.Join(dir, strconv.FormatInt(base, 10)+".dat")
		if err := segmentWindows(name, windows); err != nil {
			return nil, fmt.Errorf("segment %s: %w", name, err)
		}
	}
	return windows, nil
}

func segmentWindows(name string, windows map[int64]*windowJSON) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Record batch v2, big endian: base offset 0, length of what follows
	// byte 12 at 8, attributes 21, producer id 43, epoch 51, base sequence
	// 53, records 57.
	var h [61]byte
	for pos := int64(0); ; {
		if _, err := f.ReadAt(h[:], pos); errors.Is(err, io.EOF) {
			return nil // the end, or a header that a kill cut
		} else if err != nil {
			return err
		}
		size := 12 + int64(binary.BigEndian.Uint32(h[8:]))
		if size < int64(len(h)) || pos+size > info.Size() {
			return nil // cut by a kill; kfake truncates here
		}
		pos += size
		const control = 0x20
		pid := int64(binary.BigEndian.Uint64(h[43:]))
		if pid < 0 || binary.BigEndian.Uint16(h[21:])&control != 0 {
			continue
		}
		w := windows[pid]
		epoch := int16(binary.BigEndian.Uint16(h[51:]))
		if w == nil || w.Epoch != epoch {
			w = &windowJSON{PID: pid, Epoch: epoch, Seen: true}
			windows[pid] = w
		}
		first := int32(binary.BigEndian.Uint32(h[53:]))
		count := int64(int32(binary.BigEndian.Uint32(h[57:])))
		w.NextSeq = int32((int64(first) + count) % math.MaxInt32) // kfake's own wrap
		w.Entries[w.At] = entryJSON{first, w.NextSeq, int64(binary.BigEndian.Uint64(h[:]))}
		w.At = (w.At + 1) % uint8(len(w.Entries))
		w.Count = min(w.Count+1, uint8(len(w.Entries)))
	}
}
