package batch

import (
	"encoding/binary"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// LZ4 is the default codec, and its compressor is ours (lz4block.go), chosen by measurement. On records of JSON logs it is
// faster than the C library at the same ratio, and than the Go ones by more:
//
//	MB/s (ratio)      blocks of 64 KiB   of 256 KiB      what it is
//	this              2,130 (2.69)       2,130 (2.74)
//	C lz4 -1          1,390 (2.76)       1,700 (2.73)    liblz4 1.9.4
//	pierrec as C      1,050 (2.76)       1,220 (2.73)    CompressorCCompat, the same algorithm in Go
//	pierrec             960 (2.73)         570 (2.78)    Compressor
//	pierrec HC          210 (3.05)         110 (3.25)    CompressorHC, any level
//
// So there is no C library to build, link and ship for each platform. testdata/bench/lz4.md has all sizes, what else was
// tried, and the commands. With a level it is pierrec's HC.

// An LZ4 frame is written here, block by block, rather than by lz4.Writer: the compressor then reads the records where
// they are and writes where they are sent from. Blocks are independent, as Kafka's readers demand, and no checksum is
// written but the header's, which is a constant: the batch has its own. Readers allocate by the block size, so a small
// batch says 64 KiB. A large one has blocks of 256 KiB: 2 % smaller than with 64, and half a percent larger than with
// 4 MiB, which is also all that looking across blocks could win.
const (
	smallBlock  = 64 << 10
	largeBlock  = 256 << 10
	smallHeader = "\x04\x22\x4d\x18\x60\x40\x82"
	largeHeader = "\x04\x22\x4d\x18\x60\x50\xfb"
	endMark     = "\x00\x00\x00\x00"
	storedBlock = 1 << 31 // in the size of a block that is not compressed
)

var (
	lz4Tables = sync.Pool{New: func() any { return new(lz4Table) }}         // 32 KiB each
	lz4Highs  = sync.Pool{New: func() any { return new(lz4.CompressorHC) }} // 0.75 MiB each
)

// lz4Bound is an upper limit of what compressLZ4 appends for n bytes.
func lz4Bound(n int) int {
	blocks := n/smallBlock + 1
	return len(smallHeader) + blocks*(4+lz4BlockBound(0)) + n + n/255 + len(endMark)
}

// compressLZ4 appends src as one frame.
func compressLZ4(dst, src []byte, level uint8) []byte {
	block, header := smallBlock, smallHeader
	if len(src) > smallBlock {
		block, header = largeBlock, largeHeader
	}
	dst = append(dst, header...)
	for len(src) > 0 {
		n := min(block, len(src))
		dst = appendLZ4Block(dst, src[:n], level)
		src = src[n:]
	}
	return append(dst, endMark...)
}

// appendLZ4Block appends src as a block of a frame. dst has room for its bound and four bytes more.
func appendLZ4Block(dst, src []byte, level uint8) []byte {
	at := len(dst) + 4
	room := dst[at : at+lz4BlockBound(len(src))]
	var size int
	if level == 0 {
		table := lz4Tables.Get().(*lz4Table)
		size = lz4Block(room, src, table)
		lz4Tables.Put(table)
	} else {
		high := lz4Highs.Get().(*lz4.CompressorHC)
		high.Level = lz4.Level1 << (min(level, 9) - 1) // librdkafka has 12, pierrec 9
		size, _ = high.CompressBlock(src, room)        // with that much room there is no error
		lz4Highs.Put(high)
	}
	head := uint32(size)
	if size == 0 || size >= len(src) {
		size = copy(room, src)
		head = uint32(size) | storedBlock
	}
	dst = dst[:at+size]
	binary.LittleEndian.PutUint32(dst[at-4:], head)
	return dst
}
