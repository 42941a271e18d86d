package chunk

import (
	"bytes"
	"testing"
)

// body is {"a": 1}.
var body = []byte{0x81, 0xa1, 'a', 0x01}

// TestReaderForms reads each form of an event alone.
func TestReaderForms(t *testing.T) {
	meta := []byte{0x81, 0xa1, 'm', 0xc3}
	var r Reader
	f := func(event []byte, want Kind, sec int64, nsec uint32, metadata []byte, modern bool) {
		t.Helper()
		r.Reset(event)
		got := r.Next()
		if got != want || r.Sec != sec || r.Nsec != nsec || !bytes.Equal(r.Metadata, metadata) || r.Modern != modern {
			t.Fatalf("% x: %v (%v) sec %d nsec %d metadata % x modern %v", event, got, r.Reason, r.Sec, r.Nsec, r.Metadata, r.Modern)
		}
		if !bytes.Equal(r.Raw, event) || r.Offset() != 0 {
			t.Fatalf("% x: raw % x at %d", event, r.Raw, r.Offset())
		}
		if want != Damaged && !bytes.Equal(append(bytes.Clone(r.Head), r.Body...), event) {
			t.Fatalf("% x: head % x and body % x are not the event", event, r.Head, r.Body)
		}
		if k := r.Next(); k != End || r.Raw != nil || r.Offset() != len(event) {
			t.Fatalf("% x: then %v, want the end", event, k)
		}
	}
	f(AppendEvent(nil, 1700000000, 5, nil, body, false), Record, 1700000000, 5, nil, false)
	f(AppendEvent(nil, 1700000000, 5, nil, body, true), Record, 1700000000, 5, []byte{0x80}, true)
	f(AppendEvent(nil, 1700000000, 5, meta, body, true), Record, 1700000000, 5, meta, true)
}
