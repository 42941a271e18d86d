package benchdata

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
	"flbgo/shared/testkit/chunks"
)

// Every line is JSON with its number, of the size that is promised.
func TestWrite(t *testing.T) {
	f := func(size Size, members int, from, to float64) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "data.log")
		d, err := Write(path, size, 2000)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || int64(len(b)) != d.Bytes {
			t.Fatalf("%d bytes, not %d; %v", len(b), d.Bytes, err)
		}
		if got := d.LineBytes(); got < from || got > to {
			t.Errorf("%s: %.1f bytes a line", size, got)
		}
		seq := 0
		for line := range bytes.Lines(b) {
			var rec map[string]any
			if err := json.Unmarshal(line, &rec); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if len(rec) != members || rec["seq"] != float64(seq) {
				t.Fatalf("line %d, %d members: %s", seq, len(rec), line)
			}
			seq++
		}
	}
	f(Normal, 11, 314, 322)
	f(Small, 5, 95, 105)
	f(Large, 13, 2000, 2100)
}

// What a line says depends on its number alone.
func TestGeneratorIsAFunction(t *testing.T) {
	for _, size := range []Size{Normal, Small, Large} {
		g, h := Generator{Size: size}, Generator{Size: size}
		h.Append(nil, 1, Clock)
		if a, b := g.Append(nil, 7, Clock), h.Append(nil, 7, Clock); !bytes.Equal(a, b) {
			t.Errorf("%s\n%s", a, b)
		}
	}
}

// A chunk's records say what the lines say.
func TestChunk(t *testing.T) {
	for _, size := range []Size{Normal, Small, Large} {
		data, err := Chunk(size, 5, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		g := Generator{Size: size}
		seq := 5
		var r chunk.Reader
		r.Reset(data)
		for k := r.Next(); k != chunk.End; k = r.Next() {
			if k != chunk.Record {
				t.Fatalf("%s: %v", size, k)
			}
			at := Clock.Add(time.Duration(seq) * 10 * time.Microsecond)
			var want, got map[string]any
			if err := json.Unmarshal(g.Append(nil, seq, at), &want); err != nil {
				t.Fatal(err)
			}
			delete(want, "time")
			if err := json.Unmarshal(record.AppendJSON(nil, r.Body), &got); err != nil {
				t.Fatal(err)
			}
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(got)
			if !bytes.Equal(a, b) {
				t.Errorf("%s\n%s", a, b)
			}
			seq++
		}
		if seq != 8 {
			t.Errorf("%s: %d records", size, seq-5)
		}
	}
	changed, err := Chunk(Normal, 0, 1, func(_ int, members chunks.Pairs) { members[1] = "other" })
	if err != nil || !bytes.Contains(changed, []byte("other")) {
		t.Errorf("%q, %v", changed, err)
	}
}
