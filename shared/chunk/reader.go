package chunk

import "encoding/binary"

// Reader walks the events of one chunk: Reset, then Next until End. The zero value is ready for Reset. A Reader
// allocates nothing and may be reused for any number of chunks; it is not for concurrent use.
//
// All slices are sub-slices of the chunk with their capacity cut. They hold until the next call of Next, the group's
// until that group ends, and all of them only as long as the chunk's memory does.
type Reader struct {
	// Raw is the whole event, or the damaged stretch. Put together over all calls of Next it is the chunk, byte for byte.
	Raw []byte
	// Head is what stands before Body in Raw: array heads, time, metadata. A filter that writes Head and then its own
	// body writes the form that it read. Nil when Damaged.
	Head []byte
	// Metadata is the event's raw msgpack map of metadata, nil in the old form.
	Metadata []byte
	// Body is the event's raw msgpack map. It is complete: Skip over it succeeds. Nil when Damaged.
	Body []byte
	// Sec and Nsec are the event's time since 1970. The seconds are unsigned on the wire. Nanoseconds are as the sender
	// wrote them: nothing says that they are below 1e9.
	Sec  int64
	Nsec uint32
	// Modern says that the event is [[time, metadata], body], not [time, body].
	Modern bool
	// InGroup is true from a GroupStart on, itself included, until the GroupEnd or another GroupStart. GroupMetadata and
	// GroupBody are the Metadata and Body of that start, nil outside. Damage leaves the group open, for a record is more
	// likely to be the damaged one than a marker.
	InGroup       bool
	GroupMetadata []byte
	GroupBody     []byte
	// Reason is why Raw is Damaged, and None for everything else.
	Reason Reason

	chunk []byte
	next  int    // offset of what Next looks at
	at    int    // offset of Raw
	spent uint64 // values that were walked in vain
}

// Reset starts over at the beginning of a chunk. The Reader keeps the slice, not a copy; Reset(nil) lets it go.
func (r *Reader) Reset(chunk []byte) { *r = Reader{chunk: chunk} }

// Offset is where in the chunk Raw starts, and the length of the chunk at its end.
func (r *Reader) Offset() int { return r.at }

// Next steps to the next event. It returns End at the end of the chunk, from then on always.
//
// Damage costs the event that has it. A complete msgpack value that is no event is stepped over exactly; neighbours
// that are not even arrays, mostly the remains of one broken event, are one stretch. Behind malformed bytes the walk
// goes on where the next complete event of the host's forms begins. Two things nothing in the format could tell: that a
// length which grew has swallowed the neighbours, and that what looks like an event behind malformed bytes was text.
//
// Time is linear in the size of the chunk, for any bytes: see budgetPerByte. It is not inlined, so that a loop over it
// can be interrupted; in a host with several Go runtimes nothing else ensures that.
//
//go:noinline
func (r *Reader) Next() Kind {
	r.at = r.next
	b := r.chunk[r.next:]
	if len(b) == 0 {
		r.clear()
		return End
	}
	var e event
	if reason := r.parse(b, &e); reason != None {
		r.clear()
		r.damage(b, reason)
		return Damaged
	}
	r.next += e.size
	r.Raw = b[:e.size:e.size]
	r.Head = b[:e.body:e.body]
	r.Body = b[e.body:e.size:e.size]
	r.Sec, r.Nsec, r.Modern, r.Reason = e.sec, e.nsec, e.modern, None
	if !e.modern {
		r.Metadata = nil
		return Record
	}
	r.Metadata = b[e.meta:e.body:e.body]
	if !e.marker() {
		return Record
	}
	if e.sec == groupEndSec {
		r.InGroup, r.GroupMetadata, r.GroupBody = false, nil, nil
		return GroupEnd
	}
	r.InGroup, r.GroupMetadata, r.GroupBody = true, r.Metadata, r.Body
	return GroupStart
}

// NextOpen is Next for a caller who walks the bodies of records himself, so that they are walked once: of a record Raw is
// nil, and Body reaches to the end of the chunk. The caller then says by Close how long the body is; or, where it has no
// end that he can find, he calls Next, which tells what is there.
//
//go:noinline
func (r *Reader) NextOpen() Kind {
	b := r.chunk[r.next:]
	var e event
	// Once there is damage, its budget decides about what is a record.
	if r.spent > 0 || r.parseHead(b, &e) != None || e.marker() {
		return r.Next()
	}
	r.at = r.next
	r.Raw, r.Head, r.Body = nil, b[:e.body:e.body], b[e.body:len(b):len(b)]
	r.Sec, r.Nsec, r.Modern, r.Reason = e.sec, e.nsec, e.modern, None
	r.Metadata = nil
	if e.modern {
		r.Metadata = b[e.meta:e.body:e.body]
	}
	return Record
}

// Close says how long the body is of the record that NextOpen has found.
func (r *Reader) Close(size int) {
	r.Body = r.Body[:size:size]
	r.next = r.at + len(r.Head) + size
	r.Raw = r.chunk[r.at:r.next:r.next]
}

func (r *Reader) clear() {
	r.Raw, r.Head, r.Metadata, r.Body = nil, nil, nil, nil
	r.Sec, r.Nsec, r.Modern, r.Reason = 0, 0, false, None
}

// event is what parse finds: the time, and the offsets of its parts.
type event struct {
	sec              int64
	nsec             uint32
	exact            bool // the time is in the host's own form
	modern           bool
	meta, body, size int
	values           uint64 // what it cost to find the size
}

// marker tells whether it is one of a group.
func (e *event) marker() bool { return e.modern && e.exact && e.nsec == 0 && e.sec >= groupEndSec }

// parse reads the event at the start of b. On failure the reason is Malformed where the value is not complete or has
// an inside that cannot be walked; any other reason says what is wrong with a value that may or may not be complete.
func (r *Reader) parse(b []byte, e *event) Reason {
	if reason := r.parseHead(b, e); reason != None {
		return reason
	}
	n, values, ok := r.walk(b[e.body:])
	if !ok {
		r.spent += e.values
		return Malformed
	}
	e.size = e.body + n
	e.values += values
	return None
}

// parseHead is parse up to the body, which is a map.
func (r *Reader) parseHead(b []byte, e *event) Reason {
	off := pairHeader(b)
	if off == 0 {
		return NotAnEvent
	}
	if n := pairHeader(b[off:]); n != 0 {
		e.modern = true
		off += n
	} else if off < len(b) && isArray(b[off]) {
		return BadMetadata
	}
	var size int
	var ok bool
	if e.sec, e.nsec, size, e.exact, ok = eventTime(b[off:]); !ok {
		return BadTime
	}
	off += size
	if e.modern {
		e.meta = off
		if off >= len(b) || !isMap(b[off]) {
			return BadMetadata
		}
		if b[off] == emptyMap {
			off++
		} else if n, values, ok := r.walk(b[off:]); ok {
			off += n
			e.values = values
		} else {
			return Malformed
		}
	}
	e.body = off
	if off >= len(b) || !isMap(b[off]) {
		r.spent += e.values
		return NotAMap
	}
	return None
}

// pairHeader is the size of the head of an array of two at the start of b: 1, 3 or 5 bytes, 0 where there is none.
func pairHeader(b []byte) int {
	switch {
	case len(b) == 0:
	case b[0] == 0x92:
		return 1
	case b[0] == 0xdc && len(b) >= 3 && b[1] == 0 && b[2] == 2:
		return 3
	case b[0] == 0xdd && len(b) >= 5 && binary.BigEndian.Uint32(b[1:]) == 2:
		return 5
	}
	return 0
}

func isArray(c byte) bool { return c&0xf0 == 0x90 || c == 0xdc || c == 0xdd }
func isMap(c byte) bool   { return c&0xf0 == 0x80 || c == 0xde || c == 0xdf }
