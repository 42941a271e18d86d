package batch

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Buffers come in classes of 4 KiB, 8 KiB … 4 MiB, so that a partition with a small batch does not hold the buffer
// that a large one left in the pool. What is larger is not pooled.
const (
	minClassBits = 12
	classes      = 11
)

var bufferPools [classes]sync.Pool

// class is the smallest class whose buffers hold n bytes; classes or more where none does.
func class(n int) int {
	if n <= 1<<minClassBits {
		return 0
	}
	return bits.Len(uint(n-1)) - minClassBits
}

// getBuffer returns an empty slice with room for n bytes.
func getBuffer(n int) []byte {
	c := class(n)
	if c >= classes {
		return make([]byte, 0, n+n/2) // whoever grows it does not copy it for every record
	}
	if b, ok := bufferPools[c].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<(minClassBits+c))
}

// putBuffer gives a buffer back. The caller must not use it, or anything that was cut from it, again.
func putBuffer(b []byte) {
	c := class(cap(b))
	if c >= classes {
		return
	}
	if cap(b) != 1<<(minClassBits+c) {
		c-- // holds all of a smaller class only
	}
	if c >= 0 {
		bufferPools[c].Put(&b)
	}
}

// grow returns b with room for n more bytes, in a buffer of the next fitting class.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	g := append(getBuffer(max(len(b)+n, cap(b)+1)), b...)
	putBuffer(b)
	return g
}

// fit returns b in a buffer no larger than it needs.
func fit(b []byte) []byte {
	if c := class(len(b)); c >= classes || cap(b) <= 1<<(minClassBits+c) {
		return b
	}
	f := append(getBuffer(len(b)), b...)
	putBuffer(b)
	return f
}

// memory counts the bytes of buffers with records that were taken and are not yet resolved. Safe for concurrent use.
type memory struct {
	max     int64
	used    atomic.Int64
	refused atomic.Int64 // when something did not fit first, ns since 1970; 0 once there is room again
}

// full tells that nothing more is taken.
func (m *memory) full() bool {
	if m.used.Load() < m.max {
		return false
	}
	m.refuse()
	return true
}

func (m *memory) refuse() { m.refused.CompareAndSwap(0, time.Now().UnixNano()) }

// fullSince is since when there is too little room; zero while there is enough.
func (m *memory) fullSince() time.Time {
	if ns := m.refused.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// reserve takes n bytes, or tells that they do not fit. What is larger than the whole is taken when nothing else is
// there: it could never be delivered otherwise.
func (m *memory) reserve(n int64) bool {
	for {
		used := m.used.Load()
		if used > 0 && used+n > m.max {
			m.refuse()
			return false
		}
		if m.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (m *memory) release(n int64) {
	if m.used.Add(-n) < m.max/2 {
		m.refused.Store(0)
	}
}
