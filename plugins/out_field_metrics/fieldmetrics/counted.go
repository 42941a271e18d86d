package fieldmetrics

import (
	"hash/maphash"
	"slices"
	"sync"
)

// Fluent Bit hands a chunk out again when it was reloaded while another output still owed the chunk: its new instances
// get all of what is on disk, also what an old one had counted. So an instance notes the hashes of what it counts and
// leaves them behind when it closes; the one that makes the same metric at the same address takes them over, and what is
// in there it counts no second time.
//
// Within one instance a chunk is never handed out again after it was answered OK, but two chunks may well have equal
// bytes: lines of whole seconds without an offset. So an instance does not look at its own hashes, and one that was left
// behind stands for one chunk only.

// maxCounted is how many chunks an instance remembers, the last ones: half an hour's at 36 a second.
const maxCounted = 1 << 16

// maxLeft is how many closed instances are remembered.
const maxLeft = 64

// chunkHash is a chunk's identity: its bytes and its tag. Its pointer is none.
func chunkHash(data []byte, tag string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(tag)
	_ = h.WriteByte(0)
	_, _ = h.Write(data)
	return h.Sum64()
}

// countedNow is what an instance has counted itself: a ring of hashes. Safe for concurrent use.
type countedNow struct {
	mu     sync.Mutex
	hashes []uint64
	next   int
}

func (c *countedNow) add(hash uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hashes) < maxCounted {
		c.hashes = append(c.hashes, hash)
		return
	}
	c.hashes[c.next] = hash
	c.next = (c.next + 1) % maxCounted
}

// oldestFirst is a copy: a flush that is still running when its instance closes goes on adding.
func (c *countedNow) oldestFirst() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.hashes[c.next:], c.hashes[:c.next])
}

// countedBefore is what an instance before counted. Safe for concurrent use.
type countedBefore struct {
	mu     sync.Mutex
	hashes []uint64 // sorted
	taken  []bool
}

// take tells whether a chunk is among them, which holds once for each time that it was counted.
func (c *countedBefore) take(hash uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, _ := slices.BinarySearch(c.hashes, hash)
	for ; at < len(c.hashes) && c.hashes[at] == hash; at++ {
		if !c.taken[at] {
			c.taken[at] = true
			return true
		}
	}
	return false
}

func (c *countedBefore) rest() (hashes []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, h := range c.hashes {
		if !c.taken[i] {
			hashes = append(hashes, h)
		}
	}
	return hashes
}

// left is what one closed instance leaves behind.
type left struct {
	metrics []string // each with its address
	hashes  []uint64 // sorted
}

// leftBehind survives reloads: the Go runtime is never unloaded. The newest one stands last.
var leftBehind struct {
	sync.Mutex
	list []*left
}

// leave notes what a closing instance has counted under its metrics.
func leave(metrics []string, hashes []uint64) {
	if len(hashes) == 0 {
		return
	}
	slices.Sort(hashes)
	leftBehind.Lock()
	defer leftBehind.Unlock()
	if len(leftBehind.list) == maxLeft {
		leftBehind.list = slices.Delete(leftBehind.list, 0, 1)
	}
	leftBehind.list = append(leftBehind.list, &left{metrics, hashes})
}

// takeOver returns for each metric what an instance before it has counted, nil for nothing. Metrics that were together
// before share it.
func takeOver(metrics []string) []*countedBefore {
	leftBehind.Lock()
	defer leftBehind.Unlock()
	out := make([]*countedBefore, len(metrics))
	shared := map[*left]*countedBefore{}
	for i, m := range metrics {
		for _, l := range slices.Backward(leftBehind.list) {
			at := slices.Index(l.metrics, m)
			if at < 0 {
				continue
			}
			if shared[l] == nil {
				shared[l] = &countedBefore{hashes: l.hashes, taken: make([]bool, len(l.hashes))}
			}
			out[i] = shared[l]
			l.metrics = slices.Delete(slices.Clone(l.metrics), at, at+1)
			break
		}
	}
	leftBehind.list = slices.DeleteFunc(leftBehind.list, func(l *left) bool { return len(l.metrics) == 0 })
	return out
}
