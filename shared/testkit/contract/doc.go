// Package contract holds the plugins to the ABI of Fluent Bit, without Fluent Bit: a program in C (host/) loads the
// built .so files as the real one does and calls them through the same structs, on the same kinds of threads and
// stacks. It is built once for each of the three generations of the ABI, and does only what the test tells it to, so
// that a test is a sequence of events that one can read: loaded, started, flushed, its memory taken away, reloaded.
//
// What the real plugins cannot be made to do on purpose, panic or read memory that is gone, the plugin in faulty/ does.
// It stands on shared/host as they do.
//
// The tests need gcc and cost a minute, so they have a build tag and a target of their own:
//
//	make test-contract
//	go test -tags contract ./shared/testkit/contract/...
//
// They build the plugins themselves, unless FLBGO_PLUGINS names a folder that has the files to be tested, as released
// or as `make build` left them in bin/. For another architecture (make test-arm64) FLBGO_GOARCH names it as Go does,
// FLBGO_CC is a C compiler for it and FLBGO_EMULATOR the command that runs its programs.
package contract
