package batch

import "hash/crc32"

type partitioner uint8

const (
	consistentRandom partitioner = iota
	murmur2Random
	roundRobin
)

func (p partitioner) partition(key []byte, n int32) int32 {
	return int32(crc32.ChecksumIEEE(key) % uint32(n))
}
