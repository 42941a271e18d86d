package host

/*
#include <stdlib.h>
#include "native.h"
*/
import "C"

import (
	"sync"
	"unsafe"
)

// started resolves the host's functions and saves the fault handlers, once per load. It must run in the first Init:
// at load time the runtimes of plugins that are loaded after this one have not installed their handlers yet.
var started = sync.OnceFunc(func() { C.flbgo_host_start() })

// modern tells Fluent Bit 2.2 and later from older hosts.
func modern() bool { return C.flbgo_host_modern() != 0 }

// enter puts the fault handlers back and returns the host's log level for this thread, or -1.
func enter() int { return int(C.flbgo_host_enter()) }

// printLine logs one line through the host. Only on a thread of the host: elsewhere it would go to stderr instead of
// the log file.
func printLine(level int, line string) {
	s := C.CString(line)
	C.flbgo_host_log(C.int(level), s)
	C.free(unsafe.Pointer(s))
}

func filterProperty(instance unsafe.Pointer, key string) string {
	k := C.CString(key)
	defer C.free(unsafe.Pointer(k))
	return C.GoString(C.flbgo_filter_property(k, instance))
}

// outputName and filterName return what the host calls an instance in its own log lines; "" where it does not say.
func outputName(plugin unsafe.Pointer) string { return C.GoString(C.flbgo_output_name(plugin)) }

func filterName(instance unsafe.Pointer) string { return C.GoString(C.flbgo_filter_name(instance)) }

// alloc returns n bytes of the host's malloc, or nil. They are not initialised.
func alloc(n int) unsafe.Pointer { return C.flbgo_host_alloc(C.size_t(n)) }

// free gives back what alloc returned; nil is nothing.
func free(p unsafe.Pointer) {
	if p != nil {
		C.flbgo_host_free(p)
	}
}

func goString(s unsafe.Pointer) string { return C.GoString((*C.char)(s)) }
