package batch

import (
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipEncoder is a writer and the slice that it appends to.
type gzipEncoder struct {
	w   *gzip.Writer
	out []byte
}

// gzipEncoders by level; each has the buffers of its level, up to 1 MB.
var gzipEncoders [10]sync.Pool

// compressGzip appends src as one member.
func compressGzip(dst, src []byte, level uint8) []byte {
	z, ok := gzipEncoders[level].Get().(*gzipEncoder)
	if !ok {
		n := int(level)
		if level == 0 {
			n = gzip.DefaultCompression
		}
		w, err := gzip.NewWriterLevel(nil, n)
		if err != nil {
			panic(err) // codecOption lets only the levels through that there are
		}
		z = &gzipEncoder{w: w}
	}
	z.out = dst
	z.w.Reset(z)
	_, _ = z.w.Write(src) // what it writes to gives no error
	_ = z.w.Close()
	dst, z.out = z.out, nil
	gzipEncoders[level].Put(z)
	return dst
}

// Write appends p.
func (z *gzipEncoder) Write(p []byte) (int, error) {
	z.out = append(z.out, p...)
	return len(p), nil
}
