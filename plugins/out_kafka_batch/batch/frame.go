package batch

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// codec is how the records of a batch are compressed. Its value is what stands in the batch's attributes.
type codec uint16

const (
	codecNone codec = 0
	codecLZ4  codec = 3
)

var codecs = map[string]codec{"none": codecNone, "lz4": codecLZ4}

// String names the codec as the option does.
func (c codec) String() string {
	if c == codecLZ4 {
		return "lz4"
	}
	return "none"
}

// An LZ4 frame is written here, block by block, rather than by lz4.Writer: the compressor then reads the records where
// they are and writes where they are sent from. Blocks are independent, as Kafka demands, and no checksum is written
// but the header's, which is a constant: the batch has its own. Readers allocate by the block size, so a small batch
// says 64 KiB; a large one compresses better and faster in blocks of 256 KiB.
const (
	smallBlock  = 64 << 10
	largeBlock  = 256 << 10
	smallHeader = "\x04\x22\x4d\x18\x60\x40\x82"
	largeHeader = "\x04\x22\x4d\x18\x60\x50\xfb"
	endMark     = "\x00\x00\x00\x00"
	storedBlock = 1 << 31 // in the size of a block that is not compressed
)

// compressors are 136 KB each.
var compressors = sync.Pool{New: func() any { return new(lz4.Compressor) }}

// bound is an upper limit of what compress appends for n bytes.
func (c codec) bound(n int) int {
	if c == codecNone {
		return n
	}
	blocks := n/smallBlock + 1
	return len(smallHeader) + len(endMark) + n + n/255 + blocks*(16+4)
}

// compress appends src as the codec writes it to dst, which has room for the bound.
func (c codec) compress(dst, src []byte) []byte {
	if c == codecNone {
		return append(dst, src...)
	}
	block, header := smallBlock, smallHeader
	if len(src) > smallBlock {
		block, header = largeBlock, largeHeader
	}
	dst = append(dst, header...)
	z := compressors.Get().(*lz4.Compressor)
	for len(src) > 0 {
		n := min(block, len(src))
		at := len(dst) + 4
		room := dst[at : at+lz4.CompressBlockBound(n)]
		// With that much room there is no error; a size of 0 or above n says that storing is better.
		size, err := z.CompressBlock(src[:n], room)
		if err != nil || size == 0 || size >= n {
			size = copy(room, src[:n])
			binary.LittleEndian.PutUint32(dst[at-4:at], uint32(size)|storedBlock)
		} else {
			binary.LittleEndian.PutUint32(dst[at-4:at], uint32(size))
		}
		dst = dst[:at+size]
		src = src[n:]
	}
	compressors.Put(z)
	return append(dst, endMark...)
}

// expand is the reverse, into a buffer of its own. Rare: a batch is opened only to be written anew.
func (c codec) expand(src []byte) ([]byte, error) {
	if c == codecNone {
		return append(getBuffer(len(src)), src...), nil
	}
	var out bytes.Buffer
	_, err := io.Copy(&out, lz4.NewReader(bytes.NewReader(src)))
	return out.Bytes(), err
}
