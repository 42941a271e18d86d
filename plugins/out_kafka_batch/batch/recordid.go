package batch

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// A record id is 128 bits, sent as 32 hex digits: two XXH64 of the same input with the seeds idSeeds, big endian, the
// first one in front. The input, with every integer big endian and every text preceded by its length as a UINT32, is
//
//	UINT8 1, host name, path, INT64 offset, INT64 seconds, UINT32 ns, body     where the record says which file it is from
//	UINT8 2, tag, INT64 seconds, UINT32 ns, body                               elsewhere; then INT32 n, if n > 0
//
// with body the members of the record's raw msgpack map, keys and values, without the map's head and without the members
// that record_id_ignore names (of duplicate keys the last one), and n the number of records before it in its chunk for
// which all of that is equal. What is ignored is what enrich says about the service: it may be another after an upgrade,
// when the same line is read again.
//
// In the first form path is the file's name without what rotation appends (app.log.1 and app.log-20261120 are app.log),
// and body is without the value of the path field, too: a file that was renamed while the host was down is read again
// under its new name, and its records must keep their ids. Event time and body are part of it because the offset starts
// over in the file that is created anew.
//
// Ids are compared across processes, versions and machines, so all of this is a format: changing it makes every record
// that is sent again a new one. XXH64 is fast and no cryptographic hash; whoever writes the logs can make ids collide.
var idSeeds = [2]uint64{0x6b61666b61, 0x6261746368}

const (
	idFromFile byte = 1
	idFromTime byte = 2
)

const idTextLen = 32

// maxIgnored bounds record_id_ignore.
const maxIgnored = 16

// identifier makes record ids. Not for concurrent use; reset before each chunk.
type identifier struct {
	host    string
	tag     string
	ignored []string // names of fields
	input   []byte
	cuts    []span // of the body, in its order; what is left out
	digest  xxhash.Digest
	seen    idCounts // in this chunk; only ids from time
}

// reset starts a chunk.
func (x *identifier) reset(tag string) {
	x.tag = tag
	x.seen.reset()
}

// append appends the id of the chunk's next record as text. path and offset are those fields inside body, empty where it
// has none; the fields to ignore begin with the number first in fields.
func (x *identifier) append(dst []byte, sec int64, nsec uint32, body []byte, path, offset record.Value, fields *record.Finder, first int) []byte {
	x.cuts = x.cuts[:0]
	for i, name := range x.ignored {
		if v, ok := fields.Value(first + i); ok {
			x.cut(body, v, name)
		}
	}
	form := idFromTime
	x.input = append(x.input[:0], form)
	if file, ok := path.Text(); ok {
		if at, ok := offset.Int(); ok {
			form = idFromFile
			x.input[0] = form
			x.input = appendText(x.input, x.host)
			file = beforeRotation(file)
			x.input = append(binary.BigEndian.AppendUint32(x.input, uint32(len(file))), file...)
			x.input = binary.BigEndian.AppendUint64(x.input, uint64(at))
			x.cut(body, path, "")
		}
	}
	if form == idFromTime {
		x.input = appendText(x.input, x.tag)
	}
	x.input = binary.BigEndian.AppendUint64(x.input, uint64(sec))
	x.input = binary.BigEndian.AppendUint32(x.input, nsec)
	_, from, _ := chunk.MapHeader(body)
	for _, c := range x.cuts {
		if c.from > from {
			x.input = append(x.input, body[from:c.from]...)
		}
		from = max(from, c.to)
	}
	x.input = append(x.input, body[from:]...)
	id := x.sum()
	if form == idFromTime {
		if n := x.seen.next(id); n > 0 {
			x.input = binary.BigEndian.AppendUint32(x.input, uint32(n))
			id = x.sum()
		}
	}
	return hex.AppendEncode(dst, id[:])
}

// cut leaves a value out, which is a part of body, and before it its key, unless name is "".
func (x *identifier) cut(body []byte, v record.Value, name string) {
	// v is a part of body, so their distance is its place.
	at := int(uintptr(unsafe.Pointer(unsafe.SliceData(v))) - uintptr(unsafe.Pointer(unsafe.SliceData(body))))
	c := span{at, at + len(v)}
	if n := len(name); n > 0 {
		c.from -= n
		switch {
		case n < 32 && body[c.from-1] == 0xa0|byte(n): // the short form of a string
			c.from--
		case body[c.from-2] == 0xd9: // the form that senders without a short one use
			c.from -= 2
		}
	}
	x.cuts = append(x.cuts, c)
	for i := len(x.cuts) - 1; i > 0 && x.cuts[i-1].from > c.from; i-- {
		x.cuts[i-1], x.cuts[i] = c, x.cuts[i-1]
	}
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

// sum hashes the input.
func (x *identifier) sum() (id [16]byte) {
	for i, seed := range idSeeds {
		x.digest.ResetWithSeed(seed)
		_, _ = x.digest.Write(x.input)
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
