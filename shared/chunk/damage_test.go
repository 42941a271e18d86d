package chunk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// walkAll lists what is in a chunk, one short text per Next, and holds Raw and Offset to the chunk itself.
func walkAll(t *testing.T, data []byte) (list []string) {
	t.Helper()
	var r Reader
	at := 0
	for r.Reset(data); ; {
		k := r.Next()
		if r.Offset() != at || !bytes.Equal(r.Raw, data[at:at+len(r.Raw)]) {
			t.Fatalf("%v: raw % x at %d, want the bytes at %d", k, r.Raw, r.Offset(), at)
		}
		at += len(r.Raw)
		switch k {
		case End:
			if at != len(data) {
				t.Fatalf("the end at %d of %d", at, len(data))
			}
			return list
		case Damaged:
			if r.Reason == None || r.Body != nil || r.Head != nil || r.Metadata != nil {
				t.Fatalf("damaged: %v, body % x, head % x, metadata % x", r.Reason, r.Body, r.Head, r.Metadata)
			}
			list = append(list, fmt.Sprintf("%d bytes: %v", len(r.Raw), r.Reason))
		default:
			if r.Reason != None {
				t.Fatalf("%v with the reason %v", k, r.Reason)
			}
			list = append(list, fmt.Sprintf("%v %d", k, r.Sec))
		}
	}
}

// TestDamageIsSteppedOver puts one damaged thing between two records: both must be read, and the reason must be right.
func TestDamageIsSteppedOver(t *testing.T) {
	f := func(damage []byte, want Reason) {
		t.Helper()
		for _, modern := range []bool{false, true} {
			first, last := AppendEvent(nil, 1, 2, nil, body, modern), AppendEvent(nil, 3, 4, nil, body, modern)
			got := walkAll(t, join(first, damage, last))
			if exp := []string{"record 1", fmt.Sprintf("%d bytes: %v", len(damage), want), "record 3"}; !slices.Equal(got, exp) {
				t.Errorf("% x: got %q, want %q", damage, got, exp)
			}
		}
	}
	ext := []byte{0xd7, 0, 0, 0, 0, 5, 0, 0, 0, 0}

	// Complete values that are no event: the next one begins where they end, whatever is in them.
	f([]byte{0xc0}, NotAnEvent)
	f([]byte("\xa5hello"), NotAnEvent)
	f([]byte("hello"), NotAnEvent)                                   // five small integers: one stretch
	f(join([]byte{0x01}, []byte("\xa3abc"), body), NotAnEvent)       // the remains of one event
	f(join([]byte{0x82, 0x01, 0xc0, 0x02}, body), NotAnEvent)        // a map
	f([]byte{0x90}, NotAnEvent)                                      // arrays of any other length
	f([]byte{0x91, 0x05}, NotAnEvent)                                //
	f(join([]byte{0x93, 0x05}, body, body), NotAnEvent)              //
	f(join([]byte{0xdc, 0, 3, 0x05}, body, body), NotAnEvent)        //
	f(join([]byte{0xc4, 9, 0x92, 0x05}, body, body[:3]), NotAnEvent) // an event inside binary data is not looked at
	f(join([]byte{0x92}, ext, []byte("\xa4text")), NotAMap)
	f(join([]byte{0x92}, ext, []byte{0xc0}), NotAMap)
	f(join([]byte{0x92, 0x92}, ext, []byte{0x80, 0x90}), NotAMap)
	f(join([]byte{0x92, 0x92}, ext, meta, []byte{0x01}), NotAMap)
	f(join([]byte{0x92, 0x92}, ext, []byte{0xc0}, body), BadMetadata)
	f(join([]byte{0x92, 0x92}, ext, []byte{0x90}, body), BadMetadata)
	f(join([]byte{0x92, 0x91}, ext, body), BadMetadata)
	f(join([]byte{0x92, 0x93}, ext, meta, meta, body), BadMetadata)
	f(join([]byte{0x92, 0x92, 0x90}, meta, body), BadTime)
	f(join([]byte{0x92, 0xc0}, body), BadTime)
	f(join([]byte("\x92\xa3now"), body), BadTime)
	f(join([]byte{0x92, 0xff}, body), BadTime)                                            // -1
	f(join([]byte{0x92, 0xd0, 0x80}, body), BadTime)                                      // -128
	f(join([]byte{0x92, 0xd1, 0x80, 0}, body), BadTime)                                   //
	f(join([]byte{0x92, 0xd2, 0x80, 0, 0, 0}, body), BadTime)                             //
	f(join([]byte{0x92, 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}, body), BadTime)                 //
	f(join([]byte{0x92, 0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0}, body), BadTime)                 // past int64
	f(join([]byte{0x92, 0xca, 0xbf, 0x80, 0, 0}, body), BadTime)                          // -1.0
	f(join([]byte{0x92, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0}, body), BadTime)              // NaN
	f(join([]byte{0x92, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0}, body), BadTime)              // +Inf
	f(join([]byte{0x92, 0xcb, 0x43, 0xe0, 0, 0, 0, 0, 0, 0}, body), BadTime)              // 2^63
	f(join([]byte{0x92, 0xd7, 1, 0, 0, 0, 5, 0, 0, 0, 0}, body), BadTime)                 // ext of another type
	f(join([]byte{0x92, 0xc7, 8, 1, 0, 0, 0, 5, 0, 0, 0, 0}, body), BadTime)              //
	f(join([]byte{0x92, 0xc7, 12, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0}, body), BadTime) // or of another length
	f(join([]byte{0x92, 0xd6, 0, 0, 0, 0, 5}, body), BadTime)                             //

	// Bytes that are no msgpack: the next record is found behind them.
	f([]byte{0xc1}, Malformed)
	f([]byte{0x92, 0xc1}, Malformed)
	f(join([]byte{0x92}, ext, []byte{0x81, 0xa1, 'a', 0xc1}), Malformed)
	f(join([]byte{0x92, 0x92}, ext, []byte{0x81, 0xa1, 'm', 0xc1}), Malformed)
	f(join([]byte{0x92}, ext, []byte{0xdf, 0xff, 0xff, 0xff, 0xff}, body[1:]), Malformed) // 2^32-1 pairs
	f(join([]byte{0x92}, ext, []byte{0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, 'a'}), Malformed)
	f([]byte{0xdb, 0x7f, 0xff, 0xff, 0xff}, Malformed)
	f([]byte{0xdd, 0xff, 0xff, 0xff, 0xff}, Malformed)
	f(append([]byte{0xc1}, strings.Repeat("lorem \x92 ipsum \xdc\x00\x02 \xdd\x00\x00\x00\x02 ", 50)...), Malformed)
	f(join([]byte{0xc1, 0x92, 0x05}, body), Malformed) // a small integer is no time to go on with
}

// TestTruncated cuts a chunk at every byte: all whole events are read, and the rest is one stretch that says so.
func TestTruncated(t *testing.T) {
	for _, modern := range []bool{false, true} {
		event := AppendEvent(nil, 1, 2, meta, benchBody(), modern)
		data := join(event, event)
		for cut := range len(event) {
			got := walkAll(t, data[:len(event)+cut])
			want := []string{"record 1"}
			if cut > 0 {
				want = append(want, fmt.Sprintf("%d bytes: %v", cut, Truncated))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("cut %d bytes into the second event: got %q, want %q", cut, got, want)
			}
		}
	}
}

// TestDamageCostsOneEvent overwrites single bytes of one event. The events before it are read always, and so are those
// behind it, but for one neighbour that a grown length may have swallowed: a chunk has nothing by which to tell. (What
// has become the head of an array or a map can swallow as many as it promises, and is left out here.)
func TestDamageCostsOneEvent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	event := func(sec int64) []byte { return AppendEvent(nil, sec, 2, nil, benchBody(), true) }
	data := join(event(1), event(2), event(3), event(4), event(5))
	size := len(data) / 5
	for at := size; at < 2*size; at++ {
		for _, c := range []byte{0xc1, 0x00, 0xdf, 0xdb, 0xff, byte(rnd.IntN(0x80)), byte(0xa0 + rnd.IntN(0x3c))} {
			broken := bytes.Clone(data)
			broken[at] = c
			got := walkAll(t, broken)
			if got[0] != "record 1" || !slices.Contains(got, "record 4") || !slices.Contains(got, "record 5") {
				t.Fatalf("byte %d of the second event set to %#02x: %q", at-size, c, got)
			}
		}
	}
}

// TestStrayIsBounded reads a chunk of nothing but small integers: few stretches, each of a bounded number of values.
func TestStrayIsBounded(t *testing.T) {
	got := walkAll(t, make([]byte, 10*(maxStray+1)))
	if len(got) != 10 {
		t.Errorf("%d stretches: %q", len(got), got[:2])
	}
}

func TestNames(t *testing.T) {
	for k := End; k <= Damaged+1; k++ {
		if (k.String() == "unknown kind") != (k > Damaged) {
			t.Errorf("kind %d is %q", k, k)
		}
	}
	for r := None; r <= NotAMap+1; r++ {
		if (r.String() == "unknown reason") != (r > NotAMap) {
			t.Errorf("reason %d is %q", r, r)
		}
	}
}
