package chunks

import (
	"bytes"
	"testing"

	"flbgo/shared/chunk"
)

// The counts beside the chunks are what every plugin's test relies on.
func TestCorpusIsWhatItSays(t *testing.T) {
	for _, c := range Corpus() {
		t.Run(c.Name, func(t *testing.T) {
			var r chunk.Reader
			var whole []byte
			records, damaged := 0, 0
			r.Reset(c.Bytes)
			for k := r.Next(); k != chunk.End; k = r.Next() {
				whole = append(whole, r.Raw...)
				switch k {
				case chunk.Record:
					records++
				case chunk.Damaged:
					damaged++
				}
			}
			if records != c.Records || damaged != c.Damaged {
				t.Errorf("%d records and %d damaged stretches, want %d and %d", records, damaged, c.Records, c.Damaged)
			}
			if !bytes.Equal(whole, c.Bytes) {
				t.Error("the events put together are not the chunk")
			}
		})
	}
}

func TestRecordsFollowOneAnother(t *testing.T) {
	var r chunk.Reader
	r.Reset(New().At(10, 20).Record("a", 1).Record("a", 2).Bytes())
	for i := range 2 {
		if k := r.Next(); k != chunk.Record || r.Sec != 10+int64(i) || r.Nsec != 20+uint32(i) || !r.Modern {
			t.Errorf("event %d: %v at %d.%09d, modern %v", i, k, r.Sec, r.Nsec, r.Modern)
		}
	}
}
