package host

import (
	"log/slog"
	"unsafe"

	"flbgo/shared/option"
)

// What a filter answers the host.
const (
	Modified = 1
	NoTouch  = 2
)

// FilterLogic is what a filter plugin's logic provides; one value per instance, called from several threads at once.
//
// Apply appends the chunk's new form to dst, which is empty and has SizeHint's capacity, and tells whether it differs
// from data. dst lies in the host's memory: appending beyond its capacity is allowed (Go then moves it, and it is
// copied back), keeping it is not. Anything else that it returns is copied, too. It must not block: it runs on the
// input's thread.
type FilterLogic interface {
	Apply(dst, data, tag []byte) (out []byte, modified bool)
	SizeHint(n int) int
	Close()
}

// Filter is one filter plugin: one value per shared object, a package variable of its main package.
type Filter struct {
	Name, Version string

	// New builds the logic of one instance. An error stops Fluent Bit's start; every line of it is logged.
	New func(log *slog.Logger, get option.Getter) (FilterLogic, error)

	table instances[FilterLogic]
}

// Init starts an instance and returns its handle, 0 to stop the host's start. ins is the host's filter instance.
func (f *Filter) Init(ins unsafe.Pointer) uintptr {
	started()
	get := func(name string) string { return filterProperty(ins, name) }
	handle, _ := f.table.open(identity{"filter", f.Name, f.Version, filterName(ins)}, f.New, get)
	return handle
}

// Filter runs a chunk through an instance. When it answers Modified, *out holds outSize bytes of the host's malloc,
// which the host frees. Anything that goes wrong passes the chunk on untouched.
func (f *Filter) Filter(handle uintptr, data unsafe.Pointer, size int, tag unsafe.Pointer, tagLen int, out *unsafe.Pointer, outSize *uint64) int {
	in := f.table.get(handle)
	if in == nil || size <= 0 {
		return NoTouch
	}
	in.log.atLevel(enter())
	defer in.log.drain()

	chunk := unsafe.Slice((*byte)(data), size)
	var tagBytes []byte
	if tagLen > 0 {
		tagBytes = unsafe.Slice((*byte)(tag), tagLen)
	}
	var block, moved unsafe.Pointer
	var result []byte
	var modified bool
	p := in.guard.run(in.log, "filter", chunk, func() {
		room := max(in.logic.SizeHint(size), 1)
		if block = alloc(room); block == nil {
			return
		}
		result, modified = in.logic.Apply(unsafe.Slice((*byte)(block), room)[:0], chunk, tagBytes)
		if !modified || len(result) == 0 || unsafe.Pointer(unsafe.SliceData(result)) == block {
			return
		}
		// Outgrown, or not what was given. The old block is freed later: the result may lie in it.
		if moved = alloc(len(result)); moved == nil {
			modified = false
			return
		}
		copy(unsafe.Slice((*byte)(moved), len(result)), result)
	})
	// An empty result would tell the host to drop every record of the chunk; enriching never does.
	if p != nil || !modified || len(result) == 0 {
		free(block)
		free(moved)
		return NoTouch
	}
	if moved != nil {
		free(block)
		block = moved
	}
	// Stored as a number: to store a pointer, Go reads the old one first, and what the host left in *out may look like
	// a bad pointer of Go's (see "Passing pointers" in the documentation of cgo).
	*(*uintptr)(unsafe.Pointer(out)) = uintptr(block)
	*outSize = uint64(len(result))
	return Modified
}

// Exit ends the instance; the host's code is always 0.
func (f *Filter) Exit(handle uintptr) int {
	if in := f.table.take(handle); in != nil {
		in.close(func(l FilterLogic) { l.Close() })
	}
	return 0
}
