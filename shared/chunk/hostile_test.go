package chunk

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// hostile are chunks of n bytes that are made to be walked in vain: at every few bytes an event begins that promises
// just enough to be walked far, and then is not complete.
func hostile(n int) map[string][]byte {
	repeat := func(s string) []byte { return []byte(strings.Repeat(s, n/len(s)+1))[:n] }
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, n)
	for i := range noise {
		noise[i] = "\x92\x92\xce\xd7\x00\x80\x81\xde\xa0\xdf\xdc"[rnd.IntN(11)]
	}
	// Complete events inside each other, behind one bad byte: each could be walked to the end, and is none after all.
	nest := func(head, tail string) []byte {
		k := n / (len(head) + len(tail))
		return []byte("\xc1" + strings.Repeat(head, k) + "\xc0" + strings.Repeat(tail, k))
	}
	return map[string][]byte{
		"odd first key":   nest("\x92\xce\x01\x01\x01\x01\x81\x01", ""),
		"no body":         nest("\x92\x92\xce\x01\x01\x01\x01\x81\x01", "\x01"),
		"nanoseconds":     nest("\x92\xd7\x00\x01\x01\x01\x01\xff\xff\xff\xff\x81\xa0", ""),
		"map 16":          repeat("\x92\xce\x01\x01\x01\x01\xde\xff\xff\xa0"),
		"map 32":          repeat("\x92\xce\x01\x01\x01\x01\xdf\x00\x01\x00\x00\xa0"),
		"ext time":        repeat("\x92\xd7\x00\x01\x01\x01\x01\x01\x01\x01\x01\xde\xff\xff\xa0\xa0\xa0\xa0"),
		"metadata":        repeat("\x92\x92\xce\x01\x01\x01\x01\xde\xff\xff\xa0"),
		"ends in 0xc1":    append(repeat("\x92\xce\x01\x01\x01\x01\x8f\xa0")[:n-1], 0xc1),
		"nested maps":     repeat("\x92\xce\x01\x01\x01\x01\x81\xa0"),
		"an event each":   repeat("\x92\xce\x01\x01\x01\x01\xde\xff\xff\xa0\x92\xce\x01\x01\x01\x01\x80"),
		"small integers":  repeat("\x92\xce\x01\x01\x01\x01\xde\x7f\xff\xa0" + strings.Repeat("\x01", 30)),
		"nested arrays":   repeat("\x92"),
		"array 16 heads":  repeat("\xdc\x00\x02\xce\x01\x01\x01\x01\xde\xff\xff\xa0"),
		"strings":         repeat("\x92\xce\x01\x01\x01\x01\xdb\x00\x00\xff\xff"),
		"group markers":   repeat("\x92\x92\xd7\x00\xff\xff\xff\xff\x00\x00\x00\x00\x80\xde\xff\xff\xa0"),
		"noise":           noise,
		"bytes of 0xc1":   repeat("\xc1"),
		"bare integers":   repeat("\x01"),
		"1,000 are right": append(bytes.Repeat(AppendEvent(nil, 1, 1, nil, body, true), 1000), repeat("\x92\xce\x01\x01\x01\x01\xdf\x00\x00\xff\xff\xa0")...),
	}
}

// TestHostileWork holds the work that is done in vain to its bound, for chunks that would otherwise take time by the
// square of their size.
func TestHostileWork(t *testing.T) {
	for name, data := range hostile(1 << 18) {
		var r Reader
		r.Reset(data)
		rest := data
		for k := r.Next(); k != End; k = r.Next() {
			if len(r.Raw) == 0 || !bytes.HasPrefix(rest, r.Raw) {
				t.Fatalf("%s: at %d: %d bytes that are not the next ones of the chunk", name, r.Offset(), len(r.Raw))
			}
			rest = rest[len(r.Raw):]
		}
		if len(rest) != 0 {
			t.Errorf("%s: %d bytes were not walked", name, len(rest))
		}
		n := uint64(len(data))
		// In full up to the budget, and one walk beyond it; then at most four short ones from any byte.
		if bound := budgetPerByte*n + budgetFloor + n + 4*(smallEvent+2)*n; r.spent > bound {
			t.Errorf("%s: %d values were walked in vain, more than %d", name, r.spent, bound)
		}
		t.Logf("%-16s %5.1f values per byte in vain", name, float64(r.spent)/float64(n))
	}
}

func BenchmarkHostile(b *testing.B) {
	for name, data := range hostile(1 << 20) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var r Reader
			for b.Loop() {
				for r.Reset(data); r.Next() != End; {
				}
			}
		})
	}
}
