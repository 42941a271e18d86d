package fieldmetrics

import (
	"hash/maphash"
	"sync"
)

// seed of all tables' hashes. It differs from process to process, so that nobody can write records whose label values
// all fall on one another.
var seed = maphash.MakeSeed()

// table finds series by the bytes of their keys. It is an open-addressing hash table of 8 bytes a slot over series that
// stand in blocks: at 100,000 series an update costs three cache misses, which a loop over independent keys overlaps.
// Its lock is held for as long as a chunk is counted and, a few hundred series at a time, while they are shown.
type table struct {
	max    int // how many series, the folded one not counted
	bounds int // of a histogram

	mu     sync.Mutex
	slots  []uint64 // tag of the key in the upper half, 1 + number of the series in the lower; 0 is empty
	shift  uint     // a tag shifted by it is the slot where the search begins
	blocks [][]series
	free   []uint32 // numbers of removed series
	next   uint32   // the number after the last one that was ever used
	n      int      // live series, the folded one not counted
	other  *series  // the folded one
	make   func(*series)

	// showing is held for reading while the series are shown and for writing while some are removed: one that goes and
	// comes back in between would be shown twice.
	showing sync.RWMutex
}

const (
	blockBits = 6 // series per block; a metric with one series should not cost much more than that one
	blockSize = 1 << blockBits
	minSlots  = 64
)

func newTable(max, bounds int, make func(*series)) *table {
	return &table{max: max, bounds: bounds, make: make, slots: newSlots(minSlots), shift: 32 - 6}
}

func newSlots(n int) []uint64 { return make([]uint64, n) }

// tagOf is what a key is looked up by.
func tagOf(key []byte) uint32 { return uint32(maphash.Bytes(seed, key) >> 32) }

func (t *table) at(number uint32) *series { return &t.blocks[number>>blockBits][number&(blockSize-1)] }

// find returns the series of a key, or nil. The caller holds the lock.
func (t *table) find(tag uint32, key []byte) *series {
	mask := uint32(len(t.slots) - 1)
	for i := tag >> t.shift; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return nil
		}
		if uint32(slot>>32) == tag {
			if s := t.at(uint32(slot) - 1); s.key == string(key) {
				return s
			}
		}
	}
}

// add makes a series, or returns nil where that would be one too many. The key is copied and must not be there yet. The
// caller holds the lock.
func (t *table) add(tag uint32, key []byte, now int64) *series {
	if t.n >= t.max {
		return nil
	}
	t.n++
	return t.insert(tag, key, now)
}

// fold returns the series that takes what max has no room for. The caller holds the lock.
func (t *table) fold(tag uint32, key []byte, now int64) *series {
	if t.other == nil {
		if s := t.find(tag, key); s != nil {
			return s // records have these very label values
		}
		t.other = t.insert(tag, key, now)
	}
	return t.other
}

func (t *table) insert(tag uint32, key []byte, now int64) *series {
	if used := int(t.next) - len(t.free); used*4 >= len(t.slots)*3 {
		t.grow()
	}
	var number uint32
	if last := len(t.free) - 1; last >= 0 {
		number, t.free = t.free[last], t.free[:last]
	} else {
		number = t.next
		t.next++
		if int(number>>blockBits) == len(t.blocks) {
			t.blocks = append(t.blocks, t.newBlock())
		}
	}
	s := t.at(number)
	// The buckets are the block's, and used again.
	buckets := s.buckets
	clear(buckets)
	*s = series{key: string(key), used: now, created: now, live: true, buckets: buckets}
	if t.make != nil {
		t.make(s)
	}
	t.place(uint64(tag)<<32 | uint64(number+1))
	return s
}

func (t *table) newBlock() []series {
	block := make([]series, blockSize)
	if t.bounds >= 0 {
		n := t.bounds + 1
		all := make([]uint64, n*blockSize)
		for i := range block {
			block[i].buckets = all[i*n : (i+1)*n : (i+1)*n]
		}
	}
	return block
}

func (t *table) place(slot uint64) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(slot>>32) >> t.shift
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slot
}

func (t *table) grow() {
	old := t.slots
	t.slots = newSlots(2 * len(old))
	t.shift--
	for _, slot := range old {
		if slot != 0 {
			t.place(slot)
		}
	}
}

// remove takes the series away that f wants gone, and returns how many. Nothing shows the series meanwhile.
func (t *table) remove(f func(*series) bool) (removed int) {
	t.showing.Lock()
	defer t.showing.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	for number := range t.next {
		s := t.at(number)
		if !s.live || !f(s) {
			continue
		}
		t.unplace(tagOf([]byte(s.key)), number)
		if s == t.other {
			t.other = nil
		} else {
			t.n--
		}
		*s = series{buckets: s.buckets}
		t.free = append(t.free, number)
		removed++
	}
	return removed
}

// unplace empties the slot of a series and moves those behind it up, so that no search ends early.
func (t *table) unplace(tag, number uint32) {
	mask := uint32(len(t.slots) - 1)
	i := tag >> t.shift
	for uint32(t.slots[i]) != number+1 {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j] != 0; j = (j + 1) & mask {
		home := uint32(t.slots[j]>>32) >> t.shift
		if (j-home)&mask >= (j-i)&mask { // it was looked for at i on its way to j
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
}

// len is how many series there are, the folded one among them.
func (t *table) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.next) - len(t.free)
}
