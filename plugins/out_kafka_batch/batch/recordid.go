package batch

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"flbgo/shared/record"
)

// A record id is 128 bits, sent as 32 hex digits: two XXH64 of the same input with the seeds idSeeds, big endian, the
// first one in front. The input, with every integer big endian and every text preceded by its length as a UINT32, is
//
//	UINT8 1, host name, path, INT64 offset, INT64 seconds, UINT32 ns, body     where the record says which file it is from
//	UINT8 2, tag, INT64 seconds, UINT32 ns, body                               elsewhere; then INT32 n, if n > 0
//
// with body the record's raw msgpack and n the number of records before it in its chunk for which all of that is equal.
//
// In the first form path is the file's name without what rotation appends (app.log.1 and app.log-20261120 are app.log),
// and body is without the value of the path field: a file that was renamed while the host was down is read again under
// its new name, and its records must keep their ids. Event time and body are part of it because the offset starts over
// in the file that is created anew.
//
// Ids are compared across processes, versions and machines, so all of this is a format: changing it makes every record
// that is sent again a new one. XXH64 is fast and no cryptographic hash; whoever writes the logs can make ids collide.
var idSeeds = [2]uint64{0x6b61666b61, 0x6261746368}

const (
	idFromFile byte = 1
	idFromTime byte = 2
)

const idTextLen = 32

// identifier makes record ids. Not for concurrent use; reset before each chunk.
type identifier struct {
	host   string
	tag    string
	prefix []byte
	digest xxhash.Digest
	seen   idCounts // in this chunk; only ids from time
}

// reset starts a chunk.
func (x *identifier) reset(tag string) {
	x.tag = tag
	x.seen.reset()
}

// append appends the id of the chunk's next record as text. p and o are the fields of path and offset inside body, empty
// where it has none.
func (x *identifier) append(dst []byte, sec int64, nsec uint32, body []byte, p, o record.Value) []byte {
	if path, ok := p.Text(); ok {
		if offset, ok := o.Int(); ok {
			path = beforeRotation(path)
			b := appendText(append(x.prefix[:0], idFromFile), x.host)
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(path))), path...)
			b = binary.BigEndian.AppendUint64(b, uint64(offset))
			b = binary.BigEndian.AppendUint64(b, uint64(sec))
			x.prefix = binary.BigEndian.AppendUint32(b, nsec)
			// p is a part of body, so their distance is its place.
			at := int(uintptr(unsafe.Pointer(unsafe.SliceData(p))) - uintptr(unsafe.Pointer(unsafe.SliceData(body))))
			id := x.sum(body[:at], body[at+len(p):], 0)
			return hex.AppendEncode(dst, id[:])
		}
	}
	b := appendText(append(x.prefix[:0], idFromTime), x.tag)
	b = binary.BigEndian.AppendUint64(b, uint64(sec))
	x.prefix = binary.BigEndian.AppendUint32(b, nsec)
	id := x.sum(body, nil, 0)
	if n := x.seen.next(id); n > 0 {
		id = x.sum(body, nil, n)
	}
	return hex.AppendEncode(dst, id[:])
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// beforeRotation takes off what log rotation appends to a file's name: a dot with digits, or with a date in digits and
// hyphens (.1, .2.1, .2026-11-20), or a hyphen with six digits and more (-20261120, -1795208745). A short number behind a
// hyphen is left: worker-1 and worker-2 are two files.
func beforeRotation(path []byte) []byte {
	for {
		digits := len(path)
		for digits > 0 && isDigit(path[digits-1]) {
			digits--
		}
		from := digits
		for from > 0 && (isDigit(path[from-1]) || path[from-1] == '-' && isDigit(path[from])) {
			from--
		}
		switch {
		case from > 1 && from < len(path) && path[from-1] == '.' && path[from-2] != '/':
			path = path[:from-1]
		case digits > 1 && len(path)-digits >= 6 && path[digits-1] == '-' && path[digits-2] != '/':
			path = path[:digits-1]
		default:
			return path
		}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// sum hashes prefix, the body in two parts and, unless it is 0, n.
func (x *identifier) sum(body, rest []byte, n int32) (id [16]byte) {
	for i, seed := range idSeeds {
		x.digest.ResetWithSeed(seed)
		_, _ = x.digest.Write(x.prefix)
		_, _ = x.digest.Write(body)
		_, _ = x.digest.Write(rest)
		if n > 0 {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], uint32(n))
			_, _ = x.digest.Write(b[:])
		}
		binary.BigEndian.PutUint64(id[8*i:], x.digest.Sum64())
	}
	return id
}

// idCounts counts equal ids within a chunk. Ids are hashes already, so this is a table with linear probing; a slot
// belongs to the chunk whose number it has, so that starting over costs nothing however large the table has grown.
type idCounts struct {
	slots []idCount // a power of two, at most half full
	used  int
	round uint32
}

type idCount struct {
	id    [16]byte
	round uint32
	n     int32
}

// idMix keeps whoever writes the logs from choosing slots. It has no influence on ids.
var idMix = rand.Uint64() | 1

func (t *idCounts) reset() {
	t.used = 0
	if t.round++; t.round == 0 {
		clear(t.slots)
		t.round = 1
	}
}

// next returns how often the id was seen before.
func (t *idCounts) next(id [16]byte) int32 {
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	s := t.slot(id)
	if s.round != t.round {
		*s = idCount{id: id, round: t.round}
		t.used++
	}
	s.n++
	return s.n - 1
}

// slot is the id's, or the free one where it belongs.
func (t *idCounts) slot(id [16]byte) *idCount {
	mask := uint64(len(t.slots) - 1)
	for i := binary.BigEndian.Uint64(id[8:]) * idMix >> 32; ; i++ {
		if s := &t.slots[i&mask]; s.round != t.round || s.id == id {
			return s
		}
	}
}

func (t *idCounts) grow() {
	old := t.slots
	t.slots = make([]idCount, max(256, 2*len(old)))
	for i := range old {
		if old[i].round == t.round {
			*t.slot(old[i].id) = old[i]
		}
	}
}
