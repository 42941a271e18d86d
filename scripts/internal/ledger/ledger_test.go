package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	want := []Entry{
		{Stream: "zap", From: 1, Seq: 128, WrittenNS: 1795208446878597507},
		{Stream: "gin", Seq: 1, WrittenNS: -1},
		{Stream: "java", Seq: 1<<64 - 1, WrittenNS: 2, Expect: json.RawMessage(`{"message":"a\nb ü"}`)},
	}
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Append(want[:2]...), w.Append(want[2]), w.Close()); err != nil {
		t.Fatal(err)
	}
	var got []Entry
	if err := ReadFile(path, func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range got {
		again, err := ReadAt(f, got[i].Offset)
		if err != nil || !reflect.DeepEqual(again, got[i]) {
			t.Errorf("at offset %d: %+v, %v; want %+v", got[i].Offset, again, err, got[i])
		}
		got[i].Offset = 0
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	if got[0].First() != 1 || got[1].First() != 1 || got[2].First() != 1<<64-1 {
		t.Errorf("first sequence numbers %d %d %d", got[0].First(), got[1].First(), got[2].First())
	}
	// What append writes by hand is what encoding/json would write.
	for _, e := range want {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if line := string(appendEntry(nil, &e)); line != string(b)+"\n" {
			t.Errorf("line %s, want %s", line, b)
		}
	}
}

// The writer is in the middle of a line when the reader comes.
func TestPollWaitsForTheWholeLine(t *testing.T) {
	text := `{"stream":"zap","seq":1,"t_written_ns":5}` + "\n" + `{"stream":"zap","seq":2,"t_written_ns":6}` + "\n"
	var r bytes.Buffer
	rd := NewReader(&r)
	var got []uint64
	poll := func(more string, want int) {
		t.Helper()
		r.WriteString(more)
		if err := rd.Poll(func(e Entry) error { got = append(got, e.Seq); return nil }); err != nil || len(got) != want {
			t.Fatalf("%d entries, %v; want %d", len(got), err, want)
		}
	}
	poll("", 0)
	poll(text[:20], 0)
	poll(text[20:50], 1)
	poll(text[50:], 2)
	poll("", 2)
}

func TestPollErrors(t *testing.T) {
	ok := `{"stream":"zap","seq":1,"t_written_ns":5}` + "\n"
	for _, bad := range []string{"nonsense", `{"seq":1}`, `{"stream":"zap","from":3,"seq":2}`, `{"stream":"zap","seq":-1}`} {
		err := NewReader(strings.NewReader(ok + bad + "\n")).Poll(func(Entry) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: error %v, want one that names line 2", bad, err)
		}
	}
	stop := errors.New("enough")
	if err := NewReader(strings.NewReader(ok)).Poll(func(Entry) error { return stop }); err != stop {
		t.Errorf("error %v, want the callback's", err)
	}
	if err := ReadFile(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Create(t.TempDir()); err == nil {
		t.Error("a folder is taken for a ledger")
	}
}

// Several streams append at once; entries of one call stay together.
func TestConcurrentAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, stream := range []string{"a", "b", "c"} {
		wg.Go(func() {
			for seq := uint64(1); seq < 400; seq += 2 {
				if err := w.Append(Entry{Stream: stream, Seq: seq}, Entry{Stream: stream, Seq: seq + 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.Close()
	last := map[string]uint64{}
	var before Entry
	err = ReadFile(path, func(e Entry) error {
		if e.Seq != last[e.Stream]+1 {
			t.Errorf("%s: %d after %d", e.Stream, e.Seq, last[e.Stream])
		}
		if e.Seq%2 == 0 && before.Stream != e.Stream {
			t.Errorf("%s %d came between the two entries of one call", before.Stream, before.Seq)
		}
		last[e.Stream], before = e.Seq, e
		return nil
	})
	if err != nil || len(last) != 3 || last["a"] != 400 {
		t.Errorf("last %v, %v", last, err)
	}
}
