package batch

import (
	"encoding/binary"
	"hash/crc32"
)

// The record batch of Kafka's message format v2 (KIP-98), all integers big endian. A sealed batch has four bytes more
// in front: its own length, with which a record set stands in a produce request; kafka-go's raw produce copies the set
// as it is and leaves them to the caller.
const (
	atLength     = 4 + 8  // INT32, of what follows it
	atMagic      = 4 + 16 // INT8, 2
	atCRC        = 4 + 17 // UINT32, CRC-32C from atAttributes to the end
	atAttributes = 4 + 21 // INT16, the codec in the low three bits
	atLastOffset = 4 + 23 // INT32, number of records - 1
	atFirstTime  = 4 + 27 // INT64, ms
	atMaxTime    = 4 + 35 // INT64, ms
	atProducer   = 4 + 43 // INT64 id, INT16 epoch, INT32 sequence of the first record
	atCount      = 4 + 57 // INT32
	atRecords    = 4 + 61
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// producerID is what a broker knows a sequence of batches by. The zero value is none: the batch is not idempotent.
type producerID struct {
	id    int64 // 0 is a valid id, so valid tells
	epoch int16
	valid bool
}

// recordSet is records as they stand in a batch, before compression; of a large one for LZ4 the last block of them.
type recordSet struct {
	bytes     []byte
	count     int32
	firstTime int64 // ms; the timestamps of all records are written relative to it
	maxTime   int64

	packed     []byte // the batch with the blocks before bytes, without its end; nil where there are none
	packedSize int    // of the records in them
}

// size is that of all records, before compression.
func (s *recordSet) size() int { return s.packedSize + len(s.bytes) }

// held is how much memory it takes.
func (s *recordSet) held() int { return cap(s.bytes) + cap(s.packed) }

// room compresses what there is where a record of that size, which comes next, does not fit into the same LZ4 block: while
// the bytes are in the cache, and so that a batch that waits takes little memory.
func (s *recordSet) room(c codec, size int) {
	if c.id != idLZ4 || len(s.bytes) == 0 || len(s.bytes)+size <= largeBlock {
		return
	}
	if s.packed == nil {
		s.packed = getBuffer(largeBlock / 2)[:atRecords]
		clear(s.packed)
		s.packed = append(s.packed, largeHeader...)
	}
	s.pack(c)
}

// pack moves the records to the compressed ones.
func (s *recordSet) pack(c codec) {
	for src := s.bytes; len(src) > 0; {
		n := min(len(src), largeBlock)
		block := appendLZ4Block(getBuffer(4+lz4BlockBound(n)), src[:n], c.level)
		s.packed = append(grow(s.packed, len(block)+len(endMark)), block...)
		putBuffer(block)
		src = src[n:]
	}
	s.packedSize += len(s.bytes)
	s.bytes = s.bytes[:0]
}

// add appends a record at the time ms. An empty key is no key. headers is as in the record: a varint of their number,
// then for each one the length of its key as a varint, its key, the length of its value, its value; empty is none. The
// bytes move to a larger buffer when they have to.
func (s *recordSet) add(ms int64, key, value, headers []byte) {
	size := s.recordSize(ms, key, value, headers)
	s.bytes = s.begin(ms, size, uvarintLen(uint64(size)<<1)+size)
	if len(key) == 0 {
		s.bytes = append(s.bytes, 1) // length -1: null
	} else {
		s.bytes = append(binary.AppendVarint(s.bytes, int64(len(key))), key...)
	}
	s.bytes = append(binary.AppendVarint(s.bytes, int64(len(value))), value...)
	if len(headers) == 0 {
		s.bytes = append(s.bytes, 0)
		return
	}
	s.bytes = append(s.bytes, headers...)
}

// addTail appends a record from what follows the offset delta of another one: key, value and headers.
func (s *recordSet) addTail(ms int64, tail []byte) {
	if s.count == 0 {
		s.firstTime, s.maxTime = ms, ms
	}
	size := 1 + varintLen(ms-s.firstTime) + varintLen(int64(s.count)) + len(tail)
	s.bytes = append(s.begin(ms, size, uvarintLen(uint64(size)<<1)+size), tail...)
}

// begin writes a record's length, attributes and deltas, in a buffer that has room for all of it.
func (s *recordSet) begin(ms int64, size, total int) []byte {
	b := binary.AppendVarint(grow(s.bytes, total), int64(size))
	b = append(b, 0) // attributes: none are defined
	b = binary.AppendVarint(b, ms-s.firstTime)
	b = binary.AppendVarint(b, int64(s.count))
	s.maxTime = max(s.maxTime, ms)
	s.count++
	return b
}

// recordSize is the length of the record as it stands in its own prefix. The first record of a set gives it its time.
func (s *recordSet) recordSize(ms int64, key, value, headers []byte) int {
	if s.count == 0 {
		s.firstTime, s.maxTime = ms, ms
	}
	n := 1 + varintLen(ms-s.firstTime) + varintLen(int64(s.count)) + varintLen(int64(len(value))) + len(value)
	if len(key) == 0 {
		n++
	} else {
		n += varintLen(int64(len(key))) + len(key)
	}
	return n + max(len(headers), 1)
}

func varintLen(n int64) int { return uvarintLen(uint64(n<<1) ^ uint64(n>>63)) }

func uvarintLen(u uint64) int {
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}

// recordReader walks a record set that this package wrote.
type recordReader struct {
	rest      []byte
	firstTime int64

	ms   int64
	tail []byte // key, value and headers as they stand
}

// next steps to the next record; false at the end, and at bytes that are no record.
func (r *recordReader) next() bool {
	size, n := binary.Varint(r.rest)
	if n <= 0 || size < 1 || size > int64(len(r.rest)-n) {
		return false
	}
	b := r.rest[n+1 : n+int(size)]
	r.rest = r.rest[n+int(size):]
	delta, n := binary.Varint(b)
	if n <= 0 {
		return false
	}
	_, m := binary.Varint(b[n:])
	if m <= 0 {
		return false
	}
	r.ms, r.tail = r.firstTime+delta, b[n+m:]
	return true
}

// seal writes the set as a batch into a buffer of its own, without a producer: stamp completes it. A set with compressed
// blocks is none any more.
func (s *recordSet) seal(c codec) []byte {
	var b []byte
	if s.packed != nil {
		s.pack(c)
		b = append(s.packed, endMark...)
		s.packed = nil
	} else {
		b = getBuffer(atRecords + c.bound(len(s.bytes)))[:atRecords]
		clear(b)
		b = c.compress(b, s.bytes)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-atLength-4))
	binary.BigEndian.PutUint32(b[atLength+4:], 1<<32-1) // leader epoch: not known
	b[atMagic] = 2
	binary.BigEndian.PutUint16(b[atAttributes:], c.attributes())
	binary.BigEndian.PutUint32(b[atLastOffset:], uint32(s.count-1))
	binary.BigEndian.PutUint64(b[atFirstTime:], uint64(s.firstTime))
	binary.BigEndian.PutUint64(b[atMaxTime:], uint64(s.maxTime))
	binary.BigEndian.PutUint32(b[atCount:], uint32(s.count))
	return b
}

// stamp writes producer and sequence into a sealed batch, and its checksum.
func stamp(b []byte, p producerID, sequence int32) {
	if !p.valid {
		p.id, p.epoch, sequence = -1, -1, -1
	}
	binary.BigEndian.PutUint64(b[atProducer:], uint64(p.id))
	binary.BigEndian.PutUint16(b[atProducer+8:], uint16(p.epoch))
	binary.BigEndian.PutUint32(b[atProducer+10:], uint32(sequence))
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
}

// unseal returns the records of a sealed batch in a buffer of their own.
func unseal(b []byte) (recordSet, error) {
	c := codecOf(binary.BigEndian.Uint16(b[atAttributes:]))
	bytes, err := c.expand(b[atRecords:])
	return recordSet{
		bytes:     bytes,
		count:     int32(binary.BigEndian.Uint32(b[atCount:])),
		firstTime: int64(binary.BigEndian.Uint64(b[atFirstTime:])),
		maxTime:   int64(binary.BigEndian.Uint64(b[atMaxTime:])),
	}, err
}
