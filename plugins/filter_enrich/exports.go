package main

// #cgo CFLAGS: -I${SRCDIR}/../../shared/host
// #include <stddef.h>
// #include <stdint.h>
import "C"

import "unsafe"

// The host calls native.c, which calls these.

//export flbgoInit
func flbgoInit(instance unsafe.Pointer) C.uintptr_t { return C.uintptr_t(plugin.Init(instance)) }

//export flbgoFilter
func flbgoFilter(handle C.uintptr_t, data unsafe.Pointer, size C.size_t, tag unsafe.Pointer, tagLen C.int, out *unsafe.Pointer, outSize *C.size_t) C.int {
	return C.int(plugin.Filter(uintptr(handle), data, int(size), tag, int(tagLen), out, (*uint64)(unsafe.Pointer(outSize))))
}

//export flbgoExit
func flbgoExit(handle C.uintptr_t) C.int { return C.int(plugin.Exit(uintptr(handle))) }
