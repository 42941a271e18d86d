package chunk

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

func seeds(f *testing.F) {
	events := join(
		AppendGroupStart(nil, meta, body),
		AppendEvent(nil, 1700000000, 5, meta, benchBody(), true),
		AppendGroupEnd(nil),
		AppendEvent(nil, 1700000000, 5, nil, benchBody(), false),
	)
	f.Add(events)
	f.Add(events[:len(events)-3])
	f.Add(join(events[3:], []byte{0xc1}, events))
	f.Add(join([]byte("\x93\x01\x02\x03"), events))
	for _, data := range hostile(256) {
		f.Add(data)
	}
}

// FuzzReader holds the walk over any bytes to what it promises: all bytes come back in order, and an event is one complete
// value that reads the same alone.
func FuzzReader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r, alone Reader
		at := 0
		for r.Reset(data); ; {
			k := r.Next()
			if r.Offset() != at || !bytes.Equal(r.Raw, data[at:at+len(r.Raw)]) {
				t.Fatalf("%v: raw % x at %d, want what is at %d", k, r.Raw, r.Offset(), at)
			}
			at += len(r.Raw)
			switch k {
			case End:
				if at != len(data) {
					t.Fatalf("the end at %d of %d", at, len(data))
				}
				return
			case Damaged:
				if len(r.Raw) == 0 || r.Reason == None {
					t.Fatalf("damaged: % x, %v", r.Raw, r.Reason)
				}
			default:
				if n, ok := Skip(r.Raw); !ok || n != len(r.Raw) {
					t.Fatalf("%v: % x is not one value", k, r.Raw)
				}
				if n, ok := Skip(r.Body); !ok || n != len(r.Body) || !bytes.Equal(join(r.Head, r.Body), r.Raw) {
					t.Fatalf("%v: head % x, body % x, raw % x", k, r.Head, r.Body, r.Raw)
				}
				if _, _, ok := MapHeader(r.Body); !ok {
					t.Fatalf("%v: body % x", k, r.Body)
				}
				if _, _, ok := MapHeader(r.Metadata); ok != r.Modern || k != Record && !r.Modern {
					t.Fatalf("%v: modern %v, metadata % x", k, r.Modern, r.Metadata)
				}
				alone.Reset(r.Raw)
				if l := alone.Next(); l != k || alone.Sec != r.Sec || alone.Nsec != r.Nsec || !bytes.Equal(alone.Body, r.Body) {
					t.Fatalf("%v of % x reads as %v alone", k, r.Raw, l)
				}
			}
		}
	})
}

// FuzzNextOpen reads a chunk by NextOpen and Close: it must be what Next reads.
func FuzzNextOpen(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var plain, open Reader
		plain.Reset(data)
		open.Reset(data)
		for {
			want, got := plain.Next(), open.NextOpen()
			if got == Record && open.Raw == nil {
				if n, ok := Skip(open.Body); ok {
					open.Close(n)
				} else {
					got = open.Next()
				}
			}
			if got != want || open.Offset() != plain.Offset() || !bytes.Equal(open.Raw, plain.Raw) || !bytes.Equal(open.Head, plain.Head) ||
				!bytes.Equal(open.Body, plain.Body) || !bytes.Equal(open.Metadata, plain.Metadata) || open.Modern != plain.Modern ||
				open.Sec != plain.Sec || open.Nsec != plain.Nsec || open.InGroup != plain.InGroup || open.Reason != plain.Reason {
				t.Fatalf("%v at %d: % x\nwant %v at %d: % x", got, open.Offset(), open.Raw, want, plain.Offset(), plain.Raw)
			}
			if want == End {
				return
			}
		}
	})
}

// FuzzSkip compares with an independent reader, and rewrites what it can as events.
func FuzzSkip(f *testing.F) {
	seeds(f)
	for _, s := range []string{"", "\xc1", "\x05", "\xdf\xff\xff\xff\xff", "\xc7\x03\x01abc", "\xd9\x02ab", "\x91\x91\x91\xc0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, ok := Skip(data)
		rest, err := msgp.Skip(data)
		tooDeep := errors.Is(err, msgp.ErrRecursion) // a limit of msgp's own
		if !tooDeep && (ok != (err == nil) || ok && n != len(data)-len(rest)) {
			t.Fatalf("Skip = %d, %v; msgp leaves %d bytes, %v", n, ok, len(rest), err)
		}
		if !ok {
			return
		}
		if m, ok := Skip(data[:n:n]); !ok || m != n {
			t.Fatalf("alone %d, %v; want %d", m, ok, n)
		}
		if pairs, size, ok := MapHeader(data); ok {
			if b := AppendMapHeader(nil, pairs); len(b) > size {
				t.Fatalf("the head % x was written as % x", data[:size], b)
			}
			var r Reader
			r.Reset(AppendEvent(nil, 1, 2, data[:n], data[:n], true))
			if k := r.Next(); k != Record || !bytes.Equal(r.Body, data[:n]) || !bytes.Equal(r.Metadata, data[:n]) {
				t.Fatalf("%v (%v): metadata % x, body % x, want % x twice", k, r.Reason, r.Metadata, r.Body, data[:n])
			}
		}
	})
}
