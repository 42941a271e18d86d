package batch

import (
	"bytes"
	"testing"
)

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
	f(4<<10+1, 8<<10)
	f(8<<10, 8<<10)
	f(16<<10+1, 32<<10)
	f(1_000_000, 1<<20)
	f(1<<20+1, 2<<20)
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

func TestFit(t *testing.T) {
	for _, n := range []int{0, 100, 5000, 1 << 20, 4<<20 + 1} {
		b := make([]byte, n, max(8*n, 64<<10))
		for i := range b {
			b[i] = byte(i)
		}
		want := append([]byte(nil), b...)
		if f := fit(b); !bytes.Equal(f, want) || n <= 4<<20 && cap(f) > max(2*n, 8<<10) {
			t.Errorf("%d bytes: the same %v, in a buffer of %d", n, bytes.Equal(f, want), cap(f))
		}
	}
}

// What waits for a broker that hangs is accounted by its buffers, however small the batches: a thousand partitions with a
// record each hold 4 KiB each, not 100 bytes.
func TestMemoryIsThatOfBuffers(t *testing.T) {
	var n faultNet
	c := broker(t, 1000, n.option())
	o, _ := output(t, c.ListenAddrs(), "message_key_field", "chunk", "flush_timeout", "300ms")
	flush(t, o, keyedChunk("warm", 10), "app")
	release := n.holdAll()
	_ = o.Flush(keyedChunk("a", 2000), "app", false)
	if used := o.memory.used.Load(); used < 3<<20 {
		t.Errorf("%d bytes are accounted to some 860 partitions", used)
	}
	release()
	flush(t, o, keyedChunk("a", 2000), "app")
	eventually(t, "nothing is held", func() bool { return o.memory.used.Load() == 0 })
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
