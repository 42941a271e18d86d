package host

import (
	"bytes"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"unsafe"

	"flbgo/shared/option"
)

// onOneThread runs what comes, all of it on the same thread, until the channel is closed.
func onOneThread(work <-chan func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for f := range work {
		f()
	}
}

// edit is a filter whose Apply is a function.
type edit struct {
	apply func(dst, data, tag []byte) ([]byte, bool)
	hint  func(n int) int
	ends  int
}

func (e *edit) Apply(dst, data, tag []byte) ([]byte, bool) { return e.apply(dst, data, tag) }
func (e *edit) SizeHint(n int) int                         { return e.hint(n) }
func (e *edit) Close()                                     { e.ends++ }

// filtered runs a chunk through a filter and returns what the host would see; nil where it was not touched.
func filtered(t *testing.T, f *Filter, handle uintptr, data, tag []byte) []byte {
	t.Helper()
	// What the host left in its variables is its own business.
	out, size := unsafe.Pointer(nil), uint64(77)
	ret := f.Filter(handle, unsafe.Pointer(unsafe.SliceData(data)), len(data), unsafe.Pointer(unsafe.SliceData(tag)), len(tag), &out, &size)
	switch ret {
	case NoTouch:
		if out != nil || size != 77 {
			t.Errorf("not touched, but a result of %d bytes", size)
		}
		return nil
	case Modified:
		defer free(out)
		return bytes.Clone(unsafe.Slice((*byte)(out), size))
	}
	t.Errorf("answered %d", ret)
	return nil
}

func startFilter(t *testing.T, f *Filter, logic FilterLogic) uintptr {
	t.Helper()
	f.New = func(*slog.Logger, option.Getter) (FilterLogic, error) { return logic, nil }
	h := f.Init(nil)
	if h == 0 {
		t.Fatal("Init failed")
	}
	f.table.get(h).log.print = func(int, string) {}
	return h
}

func TestFilterResult(t *testing.T) {
	same := func(n int) int { return n }
	data := []byte("0123456789")
	f := func(name string, hint func(int) int, apply func(dst, data, tag []byte) ([]byte, bool), want string) {
		t.Helper()
		var p Filter
		h := startFilter(t, &p, &edit{apply: apply, hint: hint})
		if got := filtered(t, &p, h, data, []byte("app.log")); string(got) != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	add := func(dst, data, tag []byte) ([]byte, bool) { return append(append(dst, data...), tag...), true }
	f("within the hint", func(n int) int { return n + 7 }, add, "0123456789app.log")
	f("beyond the hint", same, add, "0123456789app.log")
	f("a hint of nothing", func(int) int { return 0 }, add, "0123456789app.log")
	f("a negative hint", func(int) int { return -5 }, add, "0123456789app.log")
	f("shorter", same, func(dst, data, _ []byte) ([]byte, bool) { return append(dst, data[:3]...), true }, "012")
	f("not at the beginning", same, func(dst, data, _ []byte) ([]byte, bool) { return append(dst, data...)[4:], true }, "456789")
	f("the chunk itself", same, func(_, data, _ []byte) ([]byte, bool) { return data[2:], true }, "23456789")
	f("nothing", same, func(dst, _, _ []byte) ([]byte, bool) { return dst, true }, "")
	f("not modified", same, func(dst, data, _ []byte) ([]byte, bool) { return append(dst, data...), false }, "")
	f("a panic", same, func(dst, data, _ []byte) ([]byte, bool) { panic("x") }, "")
	f("a panic in the hint", func(int) int { panic("x") }, add, "")
}

// The chunk vanishes while the result outside the block is copied: nothing is answered, nothing kept.
func TestFilterOfVanishingChunk(t *testing.T) {
	chunk, gone := mapped(t)
	var p Filter
	h := startFilter(t, &p, &edit{
		hint:  func(n int) int { return n },
		apply: func(_, data, _ []byte) ([]byte, bool) { gone(); return data, true },
	})
	if got := filtered(t, &p, h, chunk, nil); got != nil {
		t.Errorf("%d bytes", len(got))
	}
}

func TestFilterWithoutInstance(t *testing.T) {
	var p Filter
	logic := &edit{hint: func(n int) int { return n }, apply: func(dst, data, _ []byte) ([]byte, bool) { return append(dst, data...), true }}
	h := startFilter(t, &p, logic)
	if got := filtered(t, &p, h, nil, nil); got != nil {
		t.Errorf("an empty chunk became %q", got)
	}
	if got := filtered(t, &p, h+1, []byte("x"), nil); got != nil {
		t.Errorf("an unknown handle: %q", got)
	}
	p.Exit(h)
	p.Exit(h)
	p.Exit(0)
	if got := filtered(t, &p, h, []byte("x"), nil); got != nil {
		t.Errorf("after its exit: %q", got)
	}
	if logic.ends != 1 {
		t.Errorf("ended %d times", logic.ends)
	}
}

func TestFilterInitFails(t *testing.T) {
	p := Filter{New: func(*slog.Logger, option.Getter) (FilterLogic, error) { return nil, errors.New("rename: missing =") }}
	if h := p.Init(nil); h != 0 {
		t.Errorf("handle %d", h)
	}
}

// One instance's end is not another's.
func TestFilterInstances(t *testing.T) {
	var p Filter
	apply := func(text string) *edit {
		return &edit{hint: func(int) int { return 8 }, apply: func(dst, _, _ []byte) ([]byte, bool) { return append(dst, text...), true }}
	}
	a, b := startFilter(t, &p, apply("a")), startFilter(t, &p, apply("b"))
	p.Exit(a)
	if got := filtered(t, &p, b, []byte("x"), nil); string(got) != "b" {
		t.Errorf("got %q from the second one", got)
	}
}
