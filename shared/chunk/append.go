package chunk

import (
	"encoding/binary"
	"math"
)

// Seconds that make a modern event with zero nanoseconds a group marker.
const (
	groupStartSec = math.MaxUint32
	groupEndSec   = math.MaxUint32 - 1
)

// emptyMap is the msgpack map without pairs.
const emptyMap = 0x80

// AppendMapHeader appends the shortest head of a map with that many pairs. It panics on a negative number, and on one
// that msgpack cannot say (2^32 and more): both are mistakes of the caller, not of its input.
func AppendMapHeader(dst []byte, pairs int) []byte {
	switch {
	case pairs < 0 || uint64(pairs) > math.MaxUint32:
		panic("chunk: a map cannot have that many pairs")
	case pairs < 16:
		return append(dst, emptyMap|byte(pairs))
	case pairs <= math.MaxUint16:
		return append(dst, 0xde, byte(pairs>>8), byte(pairs))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdf), uint32(pairs))
}

// AppendEvent appends one record. metadata and body are raw msgpack maps, nil for an empty one; metadata has no place
// in the old form and is left out there.
//
// The time is written as the host writes it, in 8 bytes of ext type 0. A time that these cannot hold, or that would
// make the record a group marker, is written as an integer of seconds, without its nanoseconds; a negative one as 0.
func AppendEvent(dst []byte, sec int64, nsec uint32, metadata, body []byte, modern bool) []byte {
	dst = append(dst, 0x92)
	if modern {
		dst = append(dst, 0x92)
	}
	switch {
	case sec > math.MaxUint32:
		dst = binary.BigEndian.AppendUint64(append(dst, 0xcf), uint64(sec))
	case modern && nsec == 0 && sec >= groupEndSec:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(sec))
	default:
		dst = appendTime(dst, uint32(max(sec, 0)), nsec)
	}
	if modern {
		dst = appendMap(dst, metadata)
	}
	return appendMap(dst, body)
}

// AppendGroupStart appends the marker that opens a group. metadata and body are raw msgpack maps that belong to the
// group, nil for an empty one.
func AppendGroupStart(dst, metadata, body []byte) []byte {
	dst = appendTime(append(dst, 0x92, 0x92), groupStartSec, 0)
	return appendMap(appendMap(dst, metadata), body)
}

// AppendGroupEnd appends the marker that closes the open group.
func AppendGroupEnd(dst []byte) []byte {
	return append(appendTime(append(dst, 0x92, 0x92), groupEndSec, 0), emptyMap, emptyMap)
}

func appendTime(dst []byte, sec, nsec uint32) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, 0xd7, 0x00), sec)
	return binary.BigEndian.AppendUint32(dst, nsec)
}

func appendMap(dst, m []byte) []byte {
	if len(m) == 0 {
		return append(dst, emptyMap)
	}
	return append(dst, m...)
}
