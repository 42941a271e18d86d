package chunk

import (
	"encoding/binary"
	"math"
)

// eventTime reads the time at the start of b. exact says that it is in the host's own form, ext type 0 with 8 bytes:
// only these can be group markers.
//
// Integers and floats are taken as the host takes them: any msgpack width, not negative; the fraction of a float is
// cut, not rounded, to nanoseconds.
func eventTime(b []byte) (sec int64, nsec uint32, size int, exact, ok bool) {
	if len(b) == 0 {
		return 0, 0, 0, false, false
	}
	c := b[0]
	if c < 0x80 {
		return int64(c), 0, 1, false, true
	}
	size = int(fixedSize[c])
	if c == 0xc7 {
		size = 11
	}
	if size == 0 || len(b) < size {
		return 0, 0, 0, false, false
	}
	switch c {
	case 0xd7: // fixext 8
		if b[1] != 0 {
			return 0, 0, 0, false, false
		}
		return int64(binary.BigEndian.Uint32(b[2:])), binary.BigEndian.Uint32(b[6:]), size, true, true
	case 0xc7: // ext 8
		if b[1] != 8 || b[2] != 0 {
			return 0, 0, 0, false, false
		}
		return int64(binary.BigEndian.Uint32(b[3:])), binary.BigEndian.Uint32(b[7:]), size, true, true
	case 0xcc:
		sec = int64(b[1])
	case 0xcd:
		sec = int64(binary.BigEndian.Uint16(b[1:]))
	case 0xce:
		sec = int64(binary.BigEndian.Uint32(b[1:]))
	case 0xcf, 0xd3: // an unsigned one that int64 cannot hold comes out negative, and is refused as such
		sec = int64(binary.BigEndian.Uint64(b[1:]))
	case 0xd0:
		sec = int64(int8(b[1]))
	case 0xd1:
		sec = int64(int16(binary.BigEndian.Uint16(b[1:])))
	case 0xd2:
		sec = int64(int32(binary.BigEndian.Uint32(b[1:])))
	case 0xca:
		sec, nsec, ok = splitSeconds(float64(math.Float32frombits(binary.BigEndian.Uint32(b[1:]))))
		return sec, nsec, size, false, ok
	case 0xcb:
		sec, nsec, ok = splitSeconds(math.Float64frombits(binary.BigEndian.Uint64(b[1:])))
		return sec, nsec, size, false, ok
	default:
		return 0, 0, 0, false, false
	}
	return sec, 0, size, false, sec >= 0
}

// splitSeconds refuses what is negative, not a number, or past the range of int64.
func splitSeconds(f float64) (sec int64, nsec uint32, ok bool) {
	if !(f >= 0 && f < 1<<63) {
		return 0, 0, false
	}
	whole, frac := math.Modf(f)
	return int64(whole), uint32(frac * 1e9), true
}
