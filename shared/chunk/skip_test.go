package chunk

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// TestSkip steps over one value of every form, alone, with bytes behind it, and cut at every length.
func TestSkip(t *testing.T) {
	f := func(v []byte) {
		t.Helper()
		for _, b := range [][]byte{v, append(bytes.Clone(v), 0xc1), append(bytes.Clone(v), v...)} {
			if n, ok := Skip(b); !ok || n != len(v) {
				t.Errorf("Skip(% .20x…) = %d, %v; want %d", b, n, ok, len(v))
			}
		}
		for n := range v {
			if m, ok := Skip(v[:n:n]); ok || m != 0 {
				t.Errorf("Skip of %d of the %d bytes % .20x… = %d, %v", n, len(v), v, m, ok)
			}
		}
	}
	fill := func(n int, head ...byte) []byte { return append(head, bytes.Repeat([]byte{0x01}, n)...) }
	for c := 0; c <= 0x7f; c++ {
		f([]byte{byte(c)})
	}
	for c := 0xe0; c <= 0xff; c++ {
		f([]byte{byte(c)})
	}
	for n := range 16 {
		f(fill(2*n, 0x80+byte(n)))
		f(fill(n, 0x90+byte(n)))
	}
	for n := range 32 {
		f(fill(n, 0xa0+byte(n)))
	}
	for _, c := range []byte{0xc0, 0xc2, 0xc3} {
		f([]byte{c})
	}
	for _, c := range []byte{0xc4, 0xd9} {
		f(fill(0, c, 0))
		f(fill(255, c, 255))
	}
	for _, c := range []byte{0xc5, 0xda} {
		f(fill(0, c, 0, 0))
		f(fill(0x102, c, 1, 2))
	}
	for _, c := range []byte{0xc6, 0xdb} {
		f(fill(0, c, 0, 0, 0, 0))
		f(fill(0x10203, c, 0, 1, 2, 3)[:0x10208])
	}
	f(fill(1, 0xc7, 0))
	f(fill(256, 0xc7, 255))
	f(fill(0x103, 0xc8, 1, 2))
	f(fill(0x103, 0xc9, 0, 0, 1, 2))
	f(fill(4, 0xca))
	f(fill(8, 0xcb))
	for i := range 4 {
		f(fill(1<<i, 0xcc+byte(i)))
		f(fill(1<<i, 0xd0+byte(i)))
	}
	for i := range 5 {
		f(fill(1+1<<i, 0xd4+byte(i)))
	}
	f(fill(3, 0xdc, 0, 3))
	f(fill(3, 0xdd, 0, 0, 0, 3))
	f(fill(6, 0xde, 0, 3))
	f(fill(6, 0xdf, 0, 0, 0, 3))
	f([]byte{0x82, 0xa1, 'a', 0x92, 0xc0, 0x81, 0x01, 0x02, 0xa1, 'b', 0xc3})
}

// TestSkipHostile takes lengths that reach past the end, or past what an integer can hold.
func TestSkipHostile(t *testing.T) {
	f := func(b []byte) {
		t.Helper()
		if n, ok := Skip(b); ok || n != 0 {
			t.Errorf("Skip(% .20x…) = %d, %v", b, n, ok)
		}
	}
	f(nil)
	f([]byte{0xc1})
	f([]byte{0x91, 0xc1})
	for _, c := range []byte{0xc6, 0xc9, 0xdb, 0xdd, 0xdf} {
		f([]byte{c, 0xff, 0xff, 0xff, 0xff})
		f([]byte{c, 0x80, 0, 0, 0, 0, 0})
		f([]byte{0x92, 0xc0, c, 0xff, 0xff, 0xff, 0xff, 0xc0})
	}
	f(bytes.Repeat([]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, 1000))
	f(bytes.Repeat([]byte{0xdd, 0x00, 0x00, 0x00, 0x01}, 1000)) // no value at the bottom
	f(bytes.Repeat([]byte{0x91}, 1<<20))
	deep := append(bytes.Repeat([]byte{0x91}, 1<<20), 0xc0)
	if n, ok := Skip(deep); !ok || n != len(deep) {
		t.Errorf("Skip of %d arrays in each other = %d, %v", len(deep)-1, n, ok)
	}
}

func TestMapHeader(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 255, 256, math.MaxUint16, math.MaxUint16 + 1, math.MaxUint32} {
		b := AppendMapHeader([]byte("x"), n)[1:]
		if want := msgp.AppendMapHeader(nil, uint32(n)); !bytes.Equal(b, want) {
			t.Errorf("head of %d pairs: % x, want % x", n, b, want)
		}
		for cut := range b {
			if _, _, ok := MapHeader(b[:cut:cut]); ok {
				t.Errorf("%d of the %d bytes of a head were enough", cut, len(b))
			}
		}
		if pairs, size, ok := MapHeader(append(b, 0xc0)); !ok || pairs != n || size != len(b) {
			t.Errorf("% x: %d pairs, %d bytes, %v; want %d, %d", b, pairs, size, ok, n, len(b))
		}
	}
	for c := range 256 {
		_, _, ok := MapHeader([]byte{byte(c), 0, 0, 0, 0})
		if want := msgp.NextType([]byte{byte(c)}) == msgp.MapType; ok != want {
			t.Errorf("%#02x begins a map: %v, want %v", c, ok, want)
		}
	}
	for _, n := range []int{-1, math.MaxUint32 + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a head of %d pairs was written", n)
				}
			}()
			AppendMapHeader(nil, n)
		}()
	}
}

// TestAppendEvent reads back what AppendEvent wrote, and compares with the bytes that the host writes.
func TestAppendEvent(t *testing.T) {
	var r Reader
	f := func(sec int64, nsec uint32, wantSec int64, wantNsec uint32) {
		t.Helper()
		for _, modern := range []bool{false, true} {
			b := AppendEvent([]byte("x"), sec, nsec, meta, body, modern)[1:]
			r.Reset(b)
			if k := r.Next(); k != Record || r.Modern != modern || r.Sec != wantSec || r.Nsec != wantNsec || !bytes.Equal(r.Body, body) {
				t.Errorf("time %d and %d: % x: %v, %d and %d, modern %v, body % x", sec, nsec, b, k, r.Sec, r.Nsec, r.Modern, r.Body)
			}
			if modern != bytes.Equal(r.Metadata, meta) {
				t.Errorf("modern %v: metadata % x", modern, r.Metadata)
			}
		}
	}
	f(0, 0, 0, 0)
	f(1700000000, 999999999, 1700000000, 999999999)
	f(math.MaxUint32-2, 0, math.MaxUint32-2, 0)
	f(math.MaxUint32-1, 0, math.MaxUint32-1, 0) // would be the end of a group
	f(math.MaxUint32, 0, math.MaxUint32, 0)     // would be the start of one
	f(math.MaxUint32, 7, math.MaxUint32, 7)
	f(math.MaxUint32+1, 7, math.MaxUint32+1, 0)
	f(math.MaxInt64, 7, math.MaxInt64, 0)
	f(-1, 7, 0, 7)

	be := binary.BigEndian
	want := []byte{0x92, 0x92, 0xd7, 0x00}
	want = be.AppendUint32(be.AppendUint32(want, 0x65), 0x07)
	if got := AppendEvent(nil, 0x65, 7, nil, nil, true); !bytes.Equal(got, append(want, 0x80, 0x80)) {
		t.Errorf("% x, want % x", got, want)
	}
	if got, want := AppendGroupEnd(nil), []byte("\x92\x92\xd7\x00\xff\xff\xff\xfe\x00\x00\x00\x00\x80\x80"); !bytes.Equal(got, want) {
		t.Errorf("group end: % x, want % x", got, want)
	}
	if got, want := AppendGroupStart(nil, nil, body), []byte("\x92\x92\xd7\x00\xff\xff\xff\xff\x00\x00\x00\x00\x80\x81\xa1a\x01"); !bytes.Equal(got, want) {
		t.Errorf("group start: % x, want % x", got, want)
	}
}
