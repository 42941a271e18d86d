package batch

import "testing"

func TestBufferClasses(t *testing.T) {
	f := func(n, want int) {
		t.Helper()
		b := getBuffer(n)
		if len(b) != 0 || cap(b) != want {
			t.Errorf("for %d bytes: %d, want %d", n, cap(b), want)
		}
		putBuffer(b)
	}
	f(0, 4<<10)
	f(4<<10, 4<<10)
	f(4<<10+1, 16<<10)
	f(16<<10, 16<<10)
	f(16<<10+1, 64<<10)
	f(1_000_000, 1<<20)
	f(1<<20+1, 4<<20)
	f(4<<20, 4<<20)
	f(4<<20+2, (4<<20+2)*3/2) // not pooled, with room to grow

	// A buffer of a size between two classes serves the smaller one.
	for range 100 {
		putBuffer(make([]byte, 0, 5<<10))
		if b := getBuffer(4 << 10); cap(b) < 4<<10 {
			t.Fatalf("a buffer of %d bytes", cap(b))
		}
	}
	putBuffer(nil)
	putBuffer(make([]byte, 10))
}

func TestGrow(t *testing.T) {
	var b []byte
	for i := range 3 << 20 {
		b = append(grow(b, 1), byte(i))
	}
	for i := range b {
		if b[i] != byte(i) {
			t.Fatalf("byte %d is %d", i, b[i])
		}
	}
}

func TestMemory(t *testing.T) {
	m := memory{max: 100}
	if !m.reserve(60) || m.reserve(60) || !m.reserve(40) || !m.full() {
		t.Fatal("the bound does not hold")
	}
	m.release(100)
	if m.full() || !m.reserve(500) || m.reserve(1) {
		t.Fatal("what is larger than the bound goes alone")
	}
}
