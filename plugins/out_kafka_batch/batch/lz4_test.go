package batch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// The header bytes, with their checksums, are those of the reference writer.
func TestFrameHeaders(t *testing.T) {
	f := func(size lz4.BlockSize, want string) {
		t.Helper()
		var b bytes.Buffer
		w := lz4.NewWriter(&b)
		if err := w.Apply(lz4.BlockSizeOption(size), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("x"))
		_ = w.Close()
		if got := b.String()[:7]; got != want {
			t.Errorf("%q, want %q", want, got)
		}
	}
	f(lz4.Block64Kb, smallHeader)
	f(lz4.Block256Kb, largeHeader)
}

// lz4Walk decodes a block by the letter of the format's description and holds it to the rules of its end.
func lz4Walk(t testing.TB, block []byte, size int) []byte {
	t.Helper()
	out := make([]byte, 0, size)
	rest := block
	next := func() int {
		t.Helper()
		if len(rest) == 0 {
			t.Fatal("the block ends within a sequence")
		}
		b := rest[0]
		rest = rest[1:]
		return int(b)
	}
	length := func(n int) int {
		t.Helper()
		if n == 15 {
			for more := 255; more == 255; n += more {
				more = next()
			}
		}
		return n
	}
	for lastMatch := -1; ; {
		token := next()
		n := length(token >> 4)
		if n > len(rest) {
			t.Fatalf("%d literals, %d bytes are left", n, len(rest))
		}
		out, rest = append(out, rest[:n]...), rest[n:]
		if len(rest) == 0 {
			if token&15 != 0 {
				t.Fatal("the last sequence has a match")
			}
			if lastMatch >= 0 && (n < 5 || len(out)-lastMatch < 12) {
				t.Fatalf("the last match starts %d bytes before the end, and %d literals follow", len(out)-lastMatch, n)
			}
			return out
		}
		lastMatch = len(out)
		distance := next() | next()<<8
		if distance == 0 || distance > len(out) {
			t.Fatalf("distance %d at %d", distance, len(out))
		}
		for n = length(token&15) + 4; n > 0; n-- {
			out = append(out, out[len(out)-distance])
		}
	}
}

// checkBlock compresses src into the room of its bound and reads it with the walker and with pierrec's decoder.
func checkBlock(t testing.TB, src []byte, table *lz4Table) []byte {
	t.Helper()
	dst := make([]byte, lz4BlockBound(len(src)))
	block := dst[:lz4Block(dst, src, table)]
	if !bytes.Equal(lz4Walk(t, block, len(src)), src) {
		t.Fatalf("%d bytes: something else comes back", len(src))
	}
	out := make([]byte, len(src))
	if n, err := lz4.UncompressBlock(block, out); err != nil || !bytes.Equal(out[:n], src) {
		t.Fatalf("%d bytes: pierrec's reader: %v", len(src), err)
	}
	return block
}

// Every length up to 300, of content that is all match, all literals, and has matches of every length and distance.
func TestLZ4BlockShort(t *testing.T) {
	table := new(lz4Table)
	for _, data := range [][]byte{make([]byte, 300), noise(300), bytes.Repeat([]byte("abc"), 100), logRecords(300),
		bytes.Repeat([]byte("0123456789abcdef"), 20), append(noise(150), noise(150)...)} {
		for n := range 301 {
			checkBlock(t, data[:n], table)
		}
	}
}

// Literals, matches and distances around the borders of their encodings: 15 and 15+255 of a length, the 16 and 64 of
// the copy, and 65,535, behind which there is no match.
func TestLZ4BlockBorders(t *testing.T) {
	table := new(lz4Table)
	random := noise(80 << 10)
	for _, literals := range []int{0, 1, 14, 15, 16, 17, 31, 32, 48, 49, 63, 64, 65, 269, 270, 271, 524, 525, 526} {
		for _, match := range []int{8, 9, 15, 16, 17, 18, 19, 20, 26, 27, 272, 273, 274, 275, 528, 529, 530} {
			for tail := range 20 {
				src := append(append(append([]byte{}, random[:600]...), random[2000:2000+literals]...), random[:match]...)
				checkBlock(t, append(src, random[5000:5000+tail]...), table)
			}
		}
	}
	for distance := 65525; distance < 65545; distance++ {
		src := append(append([]byte{}, random[:400]...), make([]byte, distance-400)...)
		size := len(checkBlock(t, append(src, random[:200]...), table))
		// 400 literals, 255 of the zeros' length, and 200 literals where they lie too far back.
		if (size < 750) != (distance <= 65535) {
			t.Errorf("200 bytes, seen %d bytes before: all become %d", distance, size)
		}
	}
	for period := 1; period < 40; period++ {
		src := bytes.Repeat(random[:period], 3000/period)
		if size := len(checkBlock(t, src, table)); size > 80 {
			t.Errorf("a period of %d: %d bytes", period, size)
		}
	}
}

// Nothing outside of src is read, and nothing outside of dst is written: both lie between pages that fault.
func TestLZ4BlockStaysInside(t *testing.T) {
	table := new(lz4Table)
	page := os.Getpagesize()
	fenced := func(n int) []byte { // n pages
		m, err := syscall.Mmap(-1, 0, (n+2)*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Munmap(m) })
		for _, fence := range [][]byte{m[:page], m[(n+1)*page:]} {
			if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
				t.Fatal(err)
			}
		}
		return m[page : (n+1)*page]
	}
	from, to := fenced(20), fenced(22)
	f := func(data []byte) {
		bound := lz4BlockBound(len(data))
		for _, src := range [][]byte{from[:len(data)], from[len(from)-len(data):]} {
			copy(src, data)
			for _, dst := range [][]byte{to[:bound:bound], to[len(to)-bound:]} {
				block := dst[:lz4Block(dst, src, table)]
				if !bytes.Equal(lz4Walk(t, block, len(src)), data) {
					t.Fatalf("%d bytes: something else comes back", len(data))
				}
			}
		}
	}
	log, random := logRecords(len(from)), noise(len(from))
	for n := range 200 {
		f(log[:n])
		f(random[:n])
		f(bytes.Repeat([]byte{'x'}, n))
		f(append(append([]byte{}, random[:100]...), random[:n]...)) // the match reaches the end
	}
	for n := len(from) - 70; n <= len(from); n++ {
		f(log[len(log)-n:])
	}
	f(random)
	f(make([]byte, len(from)))
}

// What does not compress grows by no more than a byte in 255 and two.
func TestLZ4BlockIncompressible(t *testing.T) {
	for _, n := range []int{100, 1000, 65535, 65536, 1 << 20} {
		if size := len(checkBlock(t, noise(n), new(lz4Table))); size > n+n/255+2 {
			t.Errorf("%d bytes become %d", n, size)
		}
	}
}

// Blocks put together from pieces of themselves, as records are, at all alignments.
func TestLZ4BlockPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	table := new(lz4Table)
	for range 300 {
		src := noise(r.IntN(200) + 1)
		for len(src) < 1<<uint(7+r.IntN(11)) {
			from := r.IntN(len(src))
			piece := src[from:min(len(src), from+r.IntN(400))]
			if src = append(src, piece...); r.IntN(2) == 0 {
				src = append(src, byte(r.Uint32()), byte(r.Uint32()))
			}
		}
		checkBlock(t, src, table)
	}
}

// A table that holds anything at all gives the same block.
func TestLZ4BlockTable(t *testing.T) {
	for _, data := range [][]byte{make([]byte, 1000), logRecords(150 << 10)} {
		want := checkBlock(t, data, new(lz4Table))
		table := new(lz4Table)
		for i := range table {
			table[i] = uint16(i*40503 + 1000)
		}
		if !bytes.Equal(checkBlock(t, data, table), want) {
			t.Error("the block depends on what the table held")
		}
	}
}

func FuzzLZ4Block(f *testing.F) {
	f.Add(logRecords(700), uint8(1))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaa"), uint8(200))
	f.Add(noise(40), uint8(3))
	table := new(lz4Table)
	f.Fuzz(func(t *testing.T, data []byte, times uint8) {
		checkBlock(t, data, table)
		if len(data) < 500 {
			checkBlock(t, bytes.Repeat(data, int(times%16)), table)
		}
	})
}

// BenchmarkLZ4Block compares what was measured when the compressor was chosen (testdata/bench/lz4.md), as far as it
// needs no C. With BENCH_DATA=FILE it writes the data there, for lz4 -b.
func BenchmarkLZ4Block(b *testing.B) {
	data := logRecords(4 << 20)
	if file := os.Getenv("BENCH_DATA"); file != "" {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	table, fast, reference, high := new(lz4Table), new(lz4.Compressor), new(lz4.CompressorCCompat), &lz4.CompressorHC{Level: lz4.Level5}
	for _, size := range []int{16 << 10, smallBlock, largeBlock, 1 << 20, 4 << 20} {
		f := func(name string, compress func(dst, src []byte) int) {
			b.Run(fmt.Sprintf("%s/%dK", name, size>>10), func(b *testing.B) {
				dst := make([]byte, lz4BlockBound(size))
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					packed := 0
					for at := 0; at < len(data); at += size {
						packed += compress(dst, data[at:at+size])
					}
					b.ReportMetric(float64(len(data))/float64(packed), "ratio")
				}
			})
		}
		f("this", func(dst, src []byte) int { return lz4Block(dst, src, table) })
		f("pierrec", func(dst, src []byte) int { n, _ := fast.CompressBlock(src, dst); return n })
		f("pierrec-as-c", func(dst, src []byte) int { n, _ := reference.CompressBlock(src, dst); return n })
		f("pierrec-hc5", func(dst, src []byte) int { n, _ := high.CompressBlock(src, dst); return n })
	}
}
