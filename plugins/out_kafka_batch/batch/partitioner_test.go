package batch

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The vectors of Kafka's own test of its hash: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java.
func TestMurmur2Vectors(t *testing.T) {
	f := func(key string, want int32) {
		t.Helper()
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("%q: %d, want %d", key, got, want)
		}
	}
	f("21", -973932308)
	f("foobar", -790332482)
	f("a-little-bit-long-string", -985981536)
	f("a-little-bit-longer-string", -1486304829)
	f("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)
	f("abc", 479470107)
}

func TestPartition(t *testing.T) {
	f := func(p partitioner, key string, n, want int32) {
		t.Helper()
		if got := p.partition([]byte(key), n); got != want {
			t.Errorf("%d, %q of %d: %d, want %d", p, key, n, got, want)
		}
	}
	f(partitionCRC32, "123456789", math.MaxInt32, int32(uint32(0xcbf43926)%math.MaxInt32)) // the check value of CRC-32
	f(partitionCRC32, "a", 1, 0)
	f(partitionMurmur2, "foobar", 1000, int32(uint32(0xffffffff-790332482+1)&0x7fffffff)%1000)
	f(partitionMurmur2, "abc", 12, 479470107%12)
	for _, p := range []partitioner{partitionCRC32, partitionMurmur2, partitionRoundRobin} {
		f(p, "", 12, byTurn)
		f(p, "a", 0, byTurn)
	}
	f(partitionRoundRobin, "a", 12, byTurn)
}

// partitionerKeys are 10,000 keys of all lengths from 1 to 40, none of which has a byte that a line cannot carry.
func partitionerKeys() []string {
	keys := make([]string, 10_000)
	for i := range keys {
		h := fnv.New64a()
		fmt.Fprint(h, i)
		keys[i] = strings.Repeat(fmt.Sprintf("%x-ключ/%d_", h.Sum64(), i), 2)[:1+i%40]
	}
	return keys
}

const partitionerFile = "testdata/partitions.txt"

// What librdkafka chose for each key, of 12 partitions, is committed: two letters a key, a for partition 0 to l for 11,
// first by consistent_random, then by murmur2_random.
func TestPartitionsOfLibrdkafka(t *testing.T) {
	content, err := os.ReadFile(partitionerFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(content))
	if got := strings.Fields(string(partitionsText())); strings.Join(got, "") != strings.Join(want, "") {
		t.Error("they are not those of librdkafka")
	}
}

func partitionsText() []byte {
	var b bytes.Buffer
	for i, key := range partitionerKeys() {
		b.WriteByte('a' + byte(partitionCRC32.partition([]byte(key), 12)))
		b.WriteByte('a' + byte(partitionMurmur2.partition([]byte(key), 12)))
		if i%50 == 49 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// The same with the librdkafka that is here: kcat produces every key, and another client reads where it went.
// UPDATE_PARTITIONS=1 writes the file of the test above from that.
func TestPartitionsOfKcat(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not here (Debian package kcat)")
	}
	keys := partitionerKeys()
	var chosen [2][]int32
	for i, p := range []string{"consistent_random", "murmur2_random"} {
		chosen[i] = kcatPartitions(t, kcat, p, keys)
		for n, key := range keys {
			if got := partitioners[p].partition([]byte(key), 12); got != chosen[i][n] {
				t.Fatalf("%s: %q goes to %d, librdkafka sends it to %d", p, key, got, chosen[i][n])
			}
		}
	}
	if os.Getenv("UPDATE_PARTITIONS") != "" {
		var b bytes.Buffer
		for n := range keys {
			fmt.Fprintf(&b, "%c%c", 'a'+chosen[0][n], 'a'+chosen[1][n])
			if n%50 == 49 {
				b.WriteByte('\n')
			}
		}
		if err := os.WriteFile(partitionerFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// kcatPartitions has kcat produce a message per key and returns the partition of each.
func kcatPartitions(t *testing.T, kcat, partitioner string, keys []string) []int32 {
	t.Helper()
	c := broker(t, 12)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var lines bytes.Buffer
	for i, key := range keys {
		fmt.Fprintf(&lines, "%s\t%d\n", key, i)
	}
	cmd := exec.CommandContext(ctx, kcat, "-P", "-b", strings.Join(c.ListenAddrs(), ","), "-t", "logs", "-K", "\t", "-X", "topic.partitioner="+partitioner)
	cmd.Stdin = &lines
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kcat: %v\n%s", err, out)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("logs"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	partitions := make([]int32, len(keys))
	for read := 0; read < len(keys); {
		f := cl.PollFetches(ctx)
		if err := f.Err0(); err != nil {
			t.Fatalf("read %d of %d: %v", read, len(keys), err)
		}
		f.EachRecord(func(r *kgo.Record) {
			n, err := strconv.Atoi(string(r.Value))
			if err != nil || n < 0 || n >= len(keys) || string(r.Key) != keys[n] {
				t.Fatalf("key %q, value %q", r.Key, r.Value)
			}
			partitions[n] = r.Partition
			read++
		})
	}
	return partitions
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("checkout-7d9c5b6f4-x2x7k")
	for name, p := range partitioners {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(key)))
			b.ReportAllocs()
			for b.Loop() {
				p.partition(key, 12)
			}
		})
	}
}
