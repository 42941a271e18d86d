package chunk

import "math"

// Walking a value that turns out broken is work in vain, and a chunk made for it could have one such value start at
// every few bytes, each promising just enough to be walked to the end of the chunk. So the work in vain is counted.
// Up to the budget any event is walked to its end; beyond it no event of more than smallEvent values is looked for.
// The total stays below (budgetPerByte + smallEvent) steps per byte of chunk, about 0.1 s per megabyte at the worst.
const (
	budgetPerByte = 8
	budgetFloor   = 4096
	smallEvent    = 128
	maxStray      = 1024 // values that are joined to one damaged stretch
)

// walk steps over one value within the Reader's budget. values is what that cost; where the walk was in vain it has been
// counted.
func (r *Reader) walk(b []byte) (n int, values uint64, ok bool) {
	limit := uint64(math.MaxUint64)
	if r.spent > budgetFloor && r.spent > budgetPerByte*uint64(len(r.chunk)) {
		limit = smallEvent
	}
	n, values, s := walk(b, limit)
	if s != walked {
		r.spent += values + 1
	}
	return n, values, s == walked
}

// damage finds how far the damage at the start of b reaches, and steps over it.
func (r *Reader) damage(b []byte, why Reason) {
	n, _, ok := r.walk(b)
	switch {
	case !ok:
		n = r.findEvent(b)
		why = Malformed
		if n == len(b) {
			if _, _, s := walk(b, math.MaxUint64); s == short {
				why = Truncated
			}
		}
	case !isArray(b[0]):
		for range maxStray {
			if n == len(b) || isArray(b[n]) {
				break
			}
			size, _, ok := r.walk(b[n:])
			if !ok {
				break
			}
			n += size
		}
	}
	r.next += n
	r.Raw = b[:n:n]
	r.Reason = why
}

// findEvent is the offset in b of the first complete event that could be one of the host's, len(b) where there is none.
// It does not look at the start of b, where malformed bytes begin.
//
// The header of a modern event is an array of a time and a map too: behind the head of another pair that is what it is,
// not an event of the old form. Otherwise a chunk cut between header and body would end in a record that nobody wrote.
func (r *Reader) findEvent(b []byte) int {
	inner := pairHeader(b)
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case 0x92, 0xdc, 0xdd:
			n := pairHeader(b[i:])
			if n == 0 {
				continue
			}
			if isOld := pairHeader(b[i+n:]) == 0; !(isOld && i == inner) && r.plausible(b[i:]) {
				return i
			}
			inner = i + n
		}
	}
	return len(b)
}

// plausible says whether a complete event begins at b, with a time and a first key as senders write them. In the middle
// of broken bytes, text or numbers may have the form of an event; a small integer as time, say, proves nothing.
//
// Like Next it is not inlined, so that a long search can be interrupted.
//
//go:noinline
func (r *Reader) plausible(b []byte) bool {
	at := pairHeader(b)
	if at == 0 {
		return false
	}
	at += pairHeader(b[at:])
	if at >= len(b) {
		return false
	}
	switch b[at] {
	case 0xd7, 0xc7, 0xca, 0xcb, 0xce, 0xcf, 0xd2, 0xd3:
	default:
		return false
	}
	var e event
	if r.parse(b, &e) != None {
		return false
	}
	pairs, size, _ := MapHeader(b[e.body:])
	if e.nsec < 1e9 && (pairs == 0 || isText(b[e.body+size])) {
		return true
	}
	r.spent += e.values
	return false
}

func isText(c byte) bool { return c&0xe0 == 0xa0 || c >= 0xd9 && c <= 0xdb }
