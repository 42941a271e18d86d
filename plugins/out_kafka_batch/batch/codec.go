package batch

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"flbgo/shared/option"
)

// codec is how the records of a batch are compressed: the id that stands in the batch's attributes, and the level, of
// which readers know nothing. Level 0 is the codec's own default. Safe for concurrent use; the zero value is none.
type codec struct{ id, level uint8 }

// The ids of Kafka's message format.
const (
	idNone uint8 = iota
	idGzip
	idSnappy
	idLZ4
	idZstd
)

var (
	codecNone   = codec{id: idNone}
	codecGzip   = codec{id: idGzip}
	codecSnappy = codec{id: idSnappy}
	codecLZ4    = codec{id: idLZ4}
	codecZstd   = codec{id: idZstd}
)

// codecNames are the names in the option, by id; codecLevels the highest level, from 1 on, or 0 where there is none.
var (
	codecNames  = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}
	codecLevels = [...]uint8{0, 9, 0, 12, 22}
)

// codecOption reads compression and compression_level.
func codecOption(v *option.Values) codec {
	name, level := v.Text("compression"), v.Int("compression_level")
	var c codec
	for id, n := range codecNames {
		if n == name {
			c.id = uint8(id)
		}
	}
	highest := codecLevels[c.id]
	switch {
	case level <= int64(highest):
		c.level = uint8(level)
	case highest == 0:
		v.Fail("compression_level", "compression %s has no levels; leave it out, or choose lz4, zstd or gzip, for example: compression zstd", name)
	default:
		v.Fail("compression_level", "must be from 0 to %d with compression %s, for example: compression_level 3", highest, name)
	}
	return c
}

// codecOf is the codec that a batch's attributes name, without the level.
func codecOf(attributes uint16) codec { return codec{id: uint8(attributes & 7)} }

// attributes are those of a batch that the codec has compressed.
func (c codec) attributes() uint16 { return uint16(c.id) }

// String names the codec as the option does.
func (c codec) String() string {
	if int(c.id) < len(codecNames) {
		return codecNames[c.id]
	}
	return fmt.Sprintf("codec %d", c.id)
}

// bound is an upper limit of what compress appends for n bytes.
func (c codec) bound(n int) int {
	switch c.id {
	case idLZ4:
		return lz4Bound(n)
	case idSnappy:
		return snappy.MaxEncodedLen(n)
	case idGzip, idZstd:
		// What does not compress is stored, at the cost of 5 bytes in 16 KiB at worst; header and trailer are below 32.
		return n + n>>10 + 64
	}
	return n
}

// compress appends src as the codec writes it to dst, which has room for the bound. It does not keep either, starts
// nothing that goes on after it, and allocates only where the pool of the codec's encoders is empty.
//
// Each codec writes what is read by the Java client and by the brokers, which look into every batch, by librdkafka, and
// by the Go clients. All of them read one frame or block only, so that is what there is.
func (c codec) compress(dst, src []byte) []byte {
	switch c.id {
	case idLZ4:
		return compressLZ4(dst, src, c.level)
	case idSnappy:
		// A plain block. The Java client wraps blocks of 32 KiB into a framing of its own (xerial's), and its reader
		// takes what does not begin with that framing's magic for a plain block. librdkafka and the Go clients write
		// plain blocks, and read both.
		return dst[:len(dst)+len(snappy.Encode(dst[len(dst):cap(dst)], src))]
	case idGzip:
		return compressGzip(dst, src, c.level)
	case idZstd:
		return compressZstd(dst, src, c.level)
	}
	return append(dst, src...)
}

// expand is the reverse, into a buffer of its own. Rare: a batch is opened only to be written anew.
func (c codec) expand(src []byte) ([]byte, error) {
	switch c.id {
	case idNone:
		return append(getBuffer(len(src)), src...), nil
	case idLZ4:
		return readAll(lz4.NewReader(bytes.NewReader(src)))
	case idSnappy:
		n, err := snappy.DecodedLen(src)
		if err != nil {
			return nil, err
		}
		return snappy.Decode(getBuffer(n)[:n], src)
	case idGzip:
		z, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return nil, err
		}
		return readAll(z)
	case idZstd:
		z, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return readAll(z)
	}
	return nil, fmt.Errorf("a batch with %s cannot be opened", c)
}

func readAll(r io.Reader) ([]byte, error) {
	var out bytes.Buffer
	_, err := out.ReadFrom(r)
	return out.Bytes(), err
}
