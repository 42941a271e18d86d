package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kgo"
)

var allCodecs = []codec{codecNone, codecGzip, codecSnappy, codecLZ4, codecZstd}

// raceDetector tells whether the tests were built with it.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// logRecords is n bytes of records as they stand in a batch: JSON lines of 350 bytes or so with random ids. The last
// one may be cut.
func logRecords(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	hex := func(n int) string { return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())[:n] }
	s := &recordSet{bytes: make([]byte, 0, n+1024)}
	for i := 0; len(s.bytes) < n; i++ {
		line := fmt.Appendf(nil, `{"@timestamp":%d.%06d,"level":"%s","logger":"checkout.http","msg":"%s","traceparent":"00-%s-%s-01","user":"u-%s",`+
			`"status":%s,"duration_ms":%.3f,"method":"POST","path":"/api/v1/orders/%d","kubernetes":{"pod":"checkout-%s","namespace":"shop"}}`,
			1700000000+i/1000, i%1000*1000+r.IntN(1000), pick("INFO", "INFO", "INFO", "WARN", "ERROR", "DEBUG"),
			pick("order accepted, waiting for payment", "payment received, order goes out", "cart updated", "session refreshed for the user"),
			hex(32), hex(16), hex(8), pick("200", "200", "201", "404", "500"), r.ExpFloat64()*20, r.IntN(1e7),
			pick("7d9c5b6f4d-x2x9k", "7d9c5b6f4d-q8w7e", "5f6c7d8e9f-abcde"))
		s.add(1700000000000+int64(i), nil, line, []byte(hex(32)))
	}
	return s.bytes[:n]
}

// inflate is what two readers, who share neither code nor buffers with compress, make of it: franz-go's, and kafka-go's.
func inflate(t testing.TB, c codec, packed []byte) []byte {
	t.Helper()
	out, err := kgo.DefaultDecompressor().Decompress(packed, kgo.CompressionCodecType(c.id))
	if err != nil {
		t.Fatalf("%s: kgo: %v", c, err)
	}
	if c.id == idNone {
		return out
	}
	r := compress.Codecs[c.id].NewReader(bytes.NewReader(packed))
	defer r.Close()
	second, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: kafka-go: %v", c, err)
	}
	if !bytes.Equal(out, second) {
		t.Fatalf("%s: kgo reads %d bytes, kafka-go %d", c, len(out), len(second))
	}
	return out
}

// roundTrip holds a codec to its contract: src comes back from every reader, and nothing was written beyond the bound.
func roundTrip(t testing.TB, c codec, src []byte) (packed []byte) {
	t.Helper()
	const before = "in front"
	dst := append(make([]byte, 0, len(before)+c.bound(len(src))+8), before...)
	behind := dst[cap(dst)-8 : cap(dst)]
	copy(behind, "canaries")
	got := c.compress(dst[:len(before):cap(dst)-8], src)
	if &got[0] != &dst[0] || string(got[:len(before)]) != before || string(behind) != "canaries" {
		t.Fatalf("%s, level %d, %d bytes: written elsewhere than into the room for the bound", c, c.level, len(src))
	}
	packed = got[len(before):]
	if !bytes.Equal(inflate(t, c, packed), src) {
		t.Fatalf("%s, level %d, %d bytes: something else comes back", c, c.level, len(src))
	}
	back, err := c.expand(packed)
	if err != nil || !bytes.Equal(back, src) {
		t.Fatalf("%s, level %d, %d bytes: expand: %v", c, c.level, len(src), err)
	}
	return packed
}

// Sizes around the borders of every codec's blocks and windows, of content that compresses well, hardly and not at all.
func TestCodecRoundTrip(t *testing.T) {
	sizes := []int{0, 1, 2, 11, 12, 13, 14, 20, 100, 1000, 15<<10 + 7}
	for _, border := range []int{32 << 10, smallBlock, 128 << 10, largeBlock, 2 * largeBlock, zstdWindow} {
		sizes = append(sizes, border-1, border, border+1)
	}
	most := sizes[len(sizes)-1]
	for name, data := range map[string][]byte{"log": logRecords(most), "noise": noise(most), "zeros": make([]byte, most)} {
		for _, c := range allCodecs {
			t.Run(name+"/"+c.String(), func(t *testing.T) {
				for _, n := range sizes {
					roundTrip(t, c, data[:n])
				}
			})
		}
	}
}

// The largest batch that the options allow: 64 MB. The race detector, with which that takes half a minute, gets 8.
func TestCodecLargestBatch(t *testing.T) {
	data := bytes.Repeat(logRecords(4<<20), 16)
	if raceDetector() {
		data = data[:8<<20]
	}
	for _, c := range allCodecs {
		packed := roundTrip(t, c, data)
		if c != codecNone && len(packed) > len(data)/2 {
			t.Errorf("%s: %d of %d bytes", c, len(packed), len(data))
		}
	}
}

// Every level is read back, some level makes less of it than the default, and the default less than half.
func TestCodecLevels(t *testing.T) {
	data := logRecords(300 << 10)
	for _, c := range allCodecs {
		highest := codecLevels[c.id]
		if highest == 0 {
			continue
		}
		size := make([]int, highest+1)
		for level := range size {
			c.level = uint8(level)
			size[level] = len(roundTrip(t, c, data))
		}
		if least := slices.Min(size); least >= size[0] || size[0] >= len(data)/2 {
			t.Errorf("%s: %d bytes by level: %d", c, len(data), size)
		}
	}
}

// What an encoder did last does not show in what it does next.
func TestCodecDependsOnInputAlone(t *testing.T) {
	data := logRecords(200 << 10)
	for _, c := range allCodecs {
		want := c.compress(make([]byte, 0, c.bound(len(data))), data)
		for _, other := range [][]byte{noise(70 << 10), data[:50], data[1:]} {
			c.compress(make([]byte, 0, c.bound(len(other))), other)
			if got := c.compress(make([]byte, 0, c.bound(len(data))), data); !bytes.Equal(got, want) {
				t.Errorf("%s: differs after %d other bytes", c, len(other))
			}
		}
	}
}

// Damage is an error, never a panic and never other records.
func TestExpandDamaged(t *testing.T) {
	data := logRecords(100 << 10)
	for _, c := range allCodecs[1:] {
		packed := c.compress(make([]byte, 0, c.bound(len(data))), data)
		for _, n := range []int{0, 1, 5, len(packed) / 2, len(packed) - 1} {
			if back, err := c.expand(packed[:n]); err == nil && !bytes.Equal(back, data) && n > 0 {
				t.Errorf("%s: %d of %d bytes are %d records' bytes, without an error", c, n, len(packed), len(back))
			}
		}
	}
	if _, err := codecOf(7).expand(data); err == nil || err.Error() != "a batch with codec 7 cannot be opened" {
		t.Error(err)
	}
}

func TestCodecAllocatesNothing(t *testing.T) {
	data := logRecords(300 << 10)
	for _, c := range allCodecs {
		for _, level := range []uint8{0, codecLevels[c.id]} {
			c.level = level
			dst := make([]byte, 0, c.bound(len(data)))
			c.compress(dst, data)
			// A collection empties the pools, and the race detector lets them lose things on purpose.
			if n := testing.AllocsPerRun(10, func() { c.compress(dst, data) }); n > 0.5 && !raceDetector() {
				t.Errorf("%s, level %d: %v allocations per batch", c, level, n)
			}
		}
	}
}

// Through a broker to a consumer, in batches that make the encoders go round.
func TestCodecDelivers(t *testing.T) {
	for _, c := range allCodecs {
		t.Run(c.String(), func(t *testing.T) {
			b := broker(t, 2)
			o, _ := output(t, b.ListenAddrs(), "compression", c.String(), "batch_max_bytes", "20K")
			var names []string
			for i := range 6 {
				names = append(names, fmt.Sprint("chunk", i))
				flush(t, o, chunkOf(names[i], 300), "app")
			}
			consume(t, b.ListenAddrs()).expect(t, 300, names...)
		})
	}
}

func TestCodecOption(t *testing.T) {
	f := func(want codec, options ...string) {
		t.Helper()
		if c := testConfig(t, options...); c.codec != want {
			t.Errorf("%v: %+v, want %+v", options, c.codec, want)
		}
	}
	f(codecLZ4)
	f(codecNone, "compression", "none")
	for _, c := range allCodecs {
		f(c, "compression", c.String())
		if c.level = codecLevels[c.id]; c.level > 0 {
			f(c, "compression", c.String(), "compression_level", fmt.Sprint(c.level))
		}
	}

	f(codecSnappy, "compression", "snappy", "compression_level", "0")

	bad := func(want string, options ...string) {
		t.Helper()
		if _, _, err := parseConfig(getter(options...)); err == nil || err.Error() != want {
			t.Errorf("%v: %v\nwant %s", options, err, want)
		}
	}
	bad(`option compression_level: "13": must be from 0 to 12 with compression lz4, for example: compression_level 3`,
		"compression_level", "13")
	bad(`option compression_level: "10": must be from 0 to 9 with compression gzip, for example: compression_level 3`,
		"compression", "gzip", "compression_level", "10")
	for _, name := range []string{"none", "snappy"} {
		bad(`option compression_level: "1": compression `+name+` has no levels; leave it out, or choose lz4, zstd or gzip, for example: compression zstd`,
			"compression", name, "compression_level", "1")
	}
	for _, level := range []string{"-1", "23", "best"} {
		_, _, err := parseConfig(getter("compression", "zstd", "compression_level", level))
		if err == nil || !strings.HasPrefix(err.Error(), `option compression_level: "`+level+`": must be `) || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	}
	if _, _, err := parseConfig(getter("compression", "brotli")); err == nil || !strings.Contains(err.Error(), "lz4, zstd, snappy, gzip, none") {
		t.Error(err)
	}
}

// Whatever the bytes and the level, both other readers give them back.
func FuzzCodec(f *testing.F) {
	f.Add(logRecords(2000), uint8(3), uint8(0))
	f.Add(noise(100), uint8(4), uint8(3))
	f.Add(bytes.Repeat([]byte("ab"), 200), uint8(1), uint8(9))
	f.Add([]byte{}, uint8(2), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, id, level uint8) {
		c := allCodecs[int(id)%len(allCodecs)]
		c.level = level % (codecLevels[c.id] + 1)
		roundTrip(t, c, data)
	})
}

// FuzzExpand: bytes that no codec has written are an error or some records, never a panic.
func FuzzExpand(f *testing.F) {
	for _, c := range allCodecs {
		f.Add(uint16(c.id), c.compress(make([]byte, 0, c.bound(500)), logRecords(500)))
	}
	f.Fuzz(func(t *testing.T, attributes uint16, data []byte) {
		// A few bytes may well stand for a megabyte, and for nothing useful.
		if c := codecOf(attributes); c.id == idSnappy {
			if n, k := binary.Uvarint(data); k > 0 && n > 1<<20 {
				return
			}
		}
		_, _ = codecOf(attributes).expand(data)
	})
}

func BenchmarkCompress(b *testing.B) {
	data := logRecords(1 << 20)
	for _, c := range allCodecs {
		levels := []uint8{0}
		switch c.id {
		case idGzip, idLZ4:
			levels = []uint8{0, 1, codecLevels[c.id]}
		case idZstd:
			levels = []uint8{0, 1, 6, 10}
		}
		for _, level := range levels {
			c.level = level
			name := c.String()
			if level > 0 {
				name = fmt.Sprintf("%s-%d", c, level)
			}
			for _, size := range []int{16 << 10, 64 << 10, 256 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("%s/%dK", name, size>>10), func(b *testing.B) {
					dst := make([]byte, 0, c.bound(size))
					b.SetBytes(int64(size))
					b.ReportAllocs()
					// Another part of the data every time, so that no branch is learned by heart.
					at, packed, total := 0, 0, 0
					for b.Loop() {
						packed += len(c.compress(dst, data[at:at+size]))
						total += size
						at = (at + size) % len(data)
					}
					b.ReportMetric(float64(total)/float64(packed), "ratio")
				})
			}
		}
	}
}
