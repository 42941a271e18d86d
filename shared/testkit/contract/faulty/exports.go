package main

// #cgo CFLAGS: -I${SRCDIR}/../../../host
// #include <stddef.h>
// #include <stdint.h>
// void faulty_deep(void);
// extern int32_t faulty_stopped;
import "C"

import (
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

// As in the real plugins; the test's host calls native.c, which calls these.

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) C.int {
	return C.int(output.FLBPluginRegister(def, outputPlugin.Name, outputPlugin.Description))
}

//export FLBPluginFlushCtx
func FLBPluginFlushCtx(ctx, data unsafe.Pointer, length C.int, tag *C.char) C.int {
	return C.int(outputPlugin.Flush(output.FLBPluginGetContext(ctx), data, int(length), unsafe.Pointer(tag)))
}

//export flbgoInit
func flbgoInit(p unsafe.Pointer) C.int {
	return C.int(outputPlugin.Init(p,
		func(key string) string { return output.FLBPluginConfigKey(p, key) },
		func(handle any) { output.FLBPluginSetContext(p, handle) }))
}

//export flbgoExit
func flbgoExit(ctx unsafe.Pointer) C.int {
	return C.int(outputPlugin.Exit(output.FLBPluginGetContext(ctx)))
}

//export flbgoUnregister
func flbgoUnregister(def unsafe.Pointer) { output.FLBPluginUnregister(def) }

//export flbgoFilterInit
func flbgoFilterInit(instance unsafe.Pointer) C.uintptr_t {
	return C.uintptr_t(filterPlugin.Init(instance))
}

//export flbgoFilter
func flbgoFilter(handle C.uintptr_t, data unsafe.Pointer, size C.size_t, tag unsafe.Pointer, tagLen C.int, out *unsafe.Pointer, outSize *C.size_t) C.int {
	return C.int(filterPlugin.Filter(uintptr(handle), data, int(size), tag, int(tagLen), out, (*uint64)(unsafe.Pointer(outSize))))
}

//export flbgoFilterExit
func flbgoFilterExit(handle C.uintptr_t) C.int { return C.int(filterPlugin.Exit(uintptr(handle))) }

// What only the test's host calls.

//export faultyWaiting
func faultyWaiting() C.int { return C.int(gate.count()) }

//export faultyOpen
func faultyOpen() C.int { return C.int(gate.letGo()) }

//export faultySaid
func faultySaid() C.int { return C.int(gate.said.Load()) }

// stopped is set by faulty_stop, which is C: while a collection waits for a loop, no call into Go returns.
func stopped() *int32 { return (*int32)(unsafe.Pointer(&C.faulty_stopped)) }

// deep calls C that needs nearly all of a coroutine's stack.
func deep() { C.faulty_deep() }
