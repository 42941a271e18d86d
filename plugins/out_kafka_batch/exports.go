package main

// #cgo CFLAGS: -I${SRCDIR}/../../shared/host
import "C"

import (
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

// The entries that a forked host could reach (FLBPluginInit, FLBPluginExitCtx, FLBPluginUnregister) are C functions in
// native.c, which call the flbgo ones here.

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) C.int {
	return C.int(output.FLBPluginRegister(def, plugin.Name, plugin.Description))
}

//export FLBPluginFlushCtx
func FLBPluginFlushCtx(ctx, data unsafe.Pointer, length C.int, tag *C.char) C.int {
	return C.int(plugin.Flush(output.FLBPluginGetContext(ctx), data, int(length), unsafe.Pointer(tag)))
}

//export flbgoInit
func flbgoInit(p unsafe.Pointer) C.int {
	return C.int(plugin.Init(p,
		func(key string) string { return output.FLBPluginConfigKey(p, key) },
		func(handle any) { output.FLBPluginSetContext(p, handle) }))
}

//export flbgoExit
func flbgoExit(ctx unsafe.Pointer) C.int { return C.int(plugin.Exit(output.FLBPluginGetContext(ctx))) }

//export flbgoUnregister
func flbgoUnregister(def unsafe.Pointer) { output.FLBPluginUnregister(def) }
