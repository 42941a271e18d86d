package batch

import (
	"encoding/binary"
	"hash/crc32"
)

// partitioner decides where records with a key go. Where others go, scratch.partition decides.
type partitioner uint8

const (
	partitionCRC32      partitioner = iota // librdkafka's consistent_random, and so Fluent Bit's own kafka output
	partitionMurmur2                       // librdkafka's murmur2_random, and Java's default for records with a key
	partitionRoundRobin                    // the key does not matter
)

var partitioners = map[string]partitioner{
	"consistent_random": partitionCRC32, "murmur2_random": partitionMurmur2, "round_robin": partitionRoundRobin,
}

// byTurn is what partition returns where the key does not decide.
const byTurn int32 = -1

// partition is the key's partition of n; byTurn for an empty key, which is none, and for round_robin.
func (p partitioner) partition(key []byte, n int32) int32 {
	switch {
	case len(key) == 0 || n <= 0:
	case p == partitionCRC32:
		return int32(crc32.ChecksumIEEE(key) % uint32(n))
	case p == partitionMurmur2:
		return int32(murmur2(key)&0x7fffffff) % n
	}
	return byTurn
}

// murmur2 is MurmurHash2 (32 bits) with the seed of Kafka's Java client, org.apache.kafka.common.utils.Utils.
func murmur2(b []byte) uint32 {
	const seed, m = 0x9747b28c, 0x5bd1e995
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		h = h*m ^ (k^k>>24)*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
