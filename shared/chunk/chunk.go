// Package chunk walks and builds the bytes of a Fluent Bit chunk.
//
// A chunk is a plain concatenation of msgpack events, in one of two forms:
//
//	[time, body]               the old form, up to Fluent Bit 2.0
//	[[time, metadata], body]   the modern form, from 2.1
//
// metadata and body are maps. time is msgpack ext type 0 with 8 bytes (seconds and nanoseconds, each an unsigned
// 32-bit big-endian number), or an integer or a float of seconds from old senders. In the modern form two times mean
// that an event is no record: seconds 0xFFFFFFFF with nanoseconds 0 open a group, and the body then holds what all
// records of the group share (an OTLP resource and scope); seconds 0xFFFFFFFE with nanoseconds 0 close it.
//
// Nothing here allocates, recurses, panics or reads outside the slice it was given, whatever the bytes are. Slices
// that are handed out are sub-slices of the chunk with their capacity cut, so that an append to one never writes into
// the chunk.
package chunk

// Kind is what Reader.Next found.
type Kind uint8

// The kinds of Next. End and Damaged are never the same thing: a chunk that is cut short ends with Damaged, then End.
const (
	End        Kind = iota // there is nothing more
	Record                 // a log record
	GroupStart             // opens a group: no record, its Metadata and Body are the group's
	GroupEnd               // closes the group: no record
	Damaged                // bytes that are no event; see Reader.Reason
)

var kindNames = [...]string{"end", "record", "group start", "group end", "damaged"}

// String names the kind for logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Reason is why a stretch of a chunk is Damaged.
type Reason uint8

// The reasons. Only of Truncated and Malformed the extent is a guess: the other ones are complete msgpack values that
// are stepped over exactly.
const (
	None        Reason = iota
	Truncated          // the last event of the chunk is not complete
	Malformed          // not msgpack, or an event whose lengths reach past the end of the chunk
	NotAnEvent         // a msgpack value other than an array of two
	BadTime            // the time is negative, no number, or of an unknown form
	BadMetadata        // the header is no [time, map]
	NotAMap            // the body is no map
)

var reasonNames = [...]string{
	"not damaged",
	"the last event is cut short",
	"malformed msgpack",
	"not an event: expected [time, map] or [[time, map], map]",
	"the event's time is not one that Fluent Bit writes",
	"the event's header is not [time, map]",
	"the event's body is not a map",
}

// String says the reason in words that fit behind "damaged event: ".
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown reason"
}
