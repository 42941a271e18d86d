package chunk

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// body is {"a": 1}, meta is {"m": true}.
var (
	body = []byte{0x81, 0xa1, 'a', 0x01}
	meta = []byte{0x81, 0xa1, 'm', 0xc3}
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestReaderForms reads every form of an event, each alone in its chunk.
func TestReaderForms(t *testing.T) {
	var r Reader
	f := func(event []byte, sec int64, nsec uint32, metadata []byte, modern bool) {
		t.Helper()
		r.Reset(event)
		if k := r.Next(); k != Record {
			t.Fatalf("% x: %v (%v), want a record", event, k, r.Reason)
		}
		if r.Sec != sec || r.Nsec != nsec || r.Modern != modern || r.Reason != None {
			t.Errorf("% x: time %d and %d ns, modern %v; want %d, %d, %v", event, r.Sec, r.Nsec, r.Modern, sec, nsec, modern)
		}
		if !bytes.Equal(r.Metadata, metadata) || (r.Metadata == nil) != (metadata == nil) {
			t.Errorf("% x: metadata % x, want % x", event, r.Metadata, metadata)
		}
		if !bytes.Equal(r.Body, body) {
			t.Errorf("% x: body % x, want % x", event, r.Body, body)
		}
		if !bytes.Equal(r.Raw, event) || !bytes.Equal(join(r.Head, r.Body), event) || r.Offset() != 0 {
			t.Errorf("% x: raw % x, head % x, offset %d", event, r.Raw, r.Head, r.Offset())
		}
		for range 2 {
			if k := r.Next(); k != End || r.Raw != nil || r.Body != nil || r.Offset() != len(event) {
				t.Errorf("% x: then %v with % x at %d, want the end", event, k, r.Raw, r.Offset())
			}
		}
	}
	old := func(time ...byte) []byte { return join([]byte{0x92}, time, body) }
	modern := func(time ...byte) []byte { return join([]byte{0x92, 0x92}, time, meta, body) }
	both := func(sec int64, nsec uint32, time ...byte) {
		t.Helper()
		f(old(time...), sec, nsec, nil, false)
		f(modern(time...), sec, nsec, meta, true)
	}

	// The host's own times.
	both(1700000000, 999999999, 0xd7, 0, 0x65, 0x53, 0xf1, 0x00, 0x3b, 0x9a, 0xc9, 0xff)
	both(1700000000, 999999999, 0xc7, 8, 0, 0x65, 0x53, 0xf1, 0x00, 0x3b, 0x9a, 0xc9, 0xff)
	both(math.MaxUint32-2, 0, 0xd7, 0, 0xff, 0xff, 0xff, 0xfd, 0, 0, 0, 0)
	both(math.MaxUint32, 1, 0xd7, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1)
	both(math.MaxUint32-1, 1, 0xd7, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 1)

	// Integers of every width, floats, as old senders and other tools write them.
	both(0, 0, 0x00)
	both(127, 0, 0x7f)
	both(255, 0, 0xcc, 0xff)
	both(65535, 0, 0xcd, 0xff, 0xff)
	both(1700000000, 0, 0xce, 0x65, 0x53, 0xf1, 0x00)
	both(math.MaxUint32, 0, 0xce, 0xff, 0xff, 0xff, 0xff) // no marker: only an ext time is one
	both(math.MaxInt64, 0, 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	both(127, 0, 0xd0, 0x7f)
	both(32767, 0, 0xd1, 0x7f, 0xff)
	both(math.MaxInt32, 0, 0xd2, 0x7f, 0xff, 0xff, 0xff)
	both(1700000000, 0, 0xd3, 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0x00)
	both(2, 500000000, binary.BigEndian.AppendUint32([]byte{0xca}, math.Float32bits(2.5))...)
	both(1700000000, 250000000, binary.BigEndian.AppendUint64([]byte{0xcb}, math.Float64bits(1700000000.25))...)
	both(0, 999999999, binary.BigEndian.AppendUint64([]byte{0xcb}, math.Float64bits(math.Nextafter(1, 0)))...)

	// Longer heads than needed, of the event and of its header.
	f(join([]byte{0xdc, 0, 2, 0x05}, body), 5, 0, nil, false)
	f(join([]byte{0xdd, 0, 0, 0, 2, 0x05}, body), 5, 0, nil, false)
	f(join([]byte{0xdc, 0, 2, 0xdd, 0, 0, 0, 2, 0x05}, meta, body), 5, 0, meta, true)
	f(join([]byte{0x92, 0xdc, 0, 2, 0x05, 0x80}, body), 5, 0, []byte{0x80}, true)

	// Group times in the old form mean nothing: there were no groups then.
	f(old(0xd7, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), math.MaxUint32, 0, nil, false)
}

// TestReaderGroups follows groups through a chunk: which group a record is in, and that markers are no records.
func TestReaderGroups(t *testing.T) {
	g1, g2 := []byte{0x81, 0xa2, 'g', '1', 0xc0}, []byte{0x81, 0xa2, 'g', '2', 0xc0}
	rec := AppendEvent(nil, 1, 2, nil, body, true)
	var data []byte
	var want []string
	f := func(event []byte, line string) {
		data = append(data, event...)
		want = append(want, line)
	}
	f(AppendGroupEnd(nil), "group end -")
	f(rec, "record -")
	f(AppendGroupStart(nil, meta, g1), "group start g1")
	f(rec, "record g1")
	f([]byte{0xc0}, "damaged g1") // the group outlives damage
	f(AppendEvent(nil, 1, 2, nil, body, false), "record g1")
	f(AppendGroupEnd(nil), "group end -")
	f(rec, "record -")
	f(AppendGroupStart(nil, nil, g1), "group start g1")
	f(AppendGroupStart(nil, nil, g2), "group start g2") // the first one was never closed
	f(rec, "record g2")

	var r Reader
	var got []string
	for r.Reset(data); ; {
		k := r.Next()
		if k == End {
			break
		}
		group := "-"
		if r.InGroup {
			group = string(r.GroupBody[2:4])
		} else if r.GroupBody != nil || r.GroupMetadata != nil {
			t.Errorf("%v at %d: the group's attributes are left over", k, r.Offset())
		}
		got = append(got, k.String()+" "+group)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	r.Reset(AppendGroupStart(nil, meta, g1))
	if r.Next() != GroupStart || !bytes.Equal(r.Metadata, meta) || !bytes.Equal(r.GroupMetadata, meta) || !bytes.Equal(r.Body, g1) {
		t.Errorf("group start: metadata % x and % x, body % x", r.Metadata, r.GroupMetadata, r.Body)
	}
	r.Reset(rec)
	if r.Next(); r.InGroup || r.GroupBody != nil {
		t.Error("the group of the last chunk reaches into the next")
	}
}

// TestReaderSlices appends to everything that Next hands out: none of it may write into the chunk, which is memory of
// the host.
func TestReaderSlices(t *testing.T) {
	data := AppendGroupStart(nil, meta, body)
	data = AppendEvent(data, 1, 2, meta, body, true)
	data = AppendEvent(append(data, 0xc0), 1, 2, meta, body, true)
	before := bytes.Clone(data)
	var r Reader
	for r.Reset(data); r.Next() != End; {
		for _, s := range [][]byte{r.Raw, r.Head, r.Metadata, r.Body, r.GroupMetadata, r.GroupBody} {
			if len(s) != cap(s) {
				t.Errorf("offset %d: %d bytes with a capacity of %d", r.Offset(), len(s), cap(s))
			}
			_ = append(s, 0xc1)
		}
	}
	if !bytes.Equal(data, before) {
		t.Error("the chunk was written to")
	}
}

// TestReaderFromMsgp reads what an independent writer wrote.
func TestReaderFromMsgp(t *testing.T) {
	var data []byte
	for i := range 100 {
		data = msgp.AppendArrayHeader(data, 2)
		data = msgp.AppendArrayHeader(data, 2)
		ext := msgp.RawExtension{Type: 0, Data: binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(i)), 7)}
		var err error
		if data, err = msgp.AppendExtension(data, &ext); err != nil {
			t.Fatal(err)
		}
		if data, err = msgp.AppendMapStrIntf(data, nil); err != nil {
			t.Fatal(err)
		}
		if data, err = msgp.AppendMapStrIntf(data, map[string]any{"n": i, "nested": map[string]any{"x": []any{1.5, nil}}}); err != nil {
			t.Fatal(err)
		}
	}
	var r Reader
	r.Reset(data)
	for i := range 100 {
		if k := r.Next(); k != Record || r.Sec != int64(i) || r.Nsec != 7 {
			t.Fatalf("event %d: %v (%v), time %d and %d ns", i, k, r.Reason, r.Sec, r.Nsec)
		}
		m, rest, err := msgp.ReadMapStrIntfBytes(r.Body, nil)
		if err != nil || len(rest) != 0 || m["n"] != int64(i) {
			t.Fatalf("event %d: body %v, %d bytes over, %v", i, m, len(rest), err)
		}
	}
	if k := r.Next(); k != End {
		t.Errorf("then %v, want the end", k)
	}
}

func TestReaderAllocs(t *testing.T) {
	var data []byte
	for i := range 100 {
		data = AppendEvent(data, int64(i), 1, meta, body, i%2 == 0)
	}
	data = AppendGroupEnd(append(AppendGroupStart(data, meta, body), 0xc1, 0xc0))
	var r Reader
	if n := testing.AllocsPerRun(100, func() {
		for r.Reset(data); r.Next() != End; {
		}
	}); n != 0 {
		t.Errorf("%v allocations in a walk over a chunk, want none", n)
	}
}
