//go:build contract

package contract

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flbgo/shared/testkit/chunks"
)

// AddressSanitizer would handle faults itself, and they are Go's to handle. Leaks are looked for when the host ends.
const asanOptions = "ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigfpe=0:detect_leaks=1:exitcode=23"

// startWatched starts a host whose memory AddressSanitizer watches.
func startWatched(t *testing.T) *host {
	t.Helper()
	if len(emulator()) > 0 {
		t.Skip("AddressSanitizer does not run under an emulator")
	}
	if !asanWorks(t) {
		t.Fatal("this compiler has no AddressSanitizer, without which the malloc/free contract is not proven; gcc has it, with Debian's package libasan8")
	}
	return startHost(t, asan, asanOptions)
}

// asanWorks tries it out on an empty program.
func asanWorks(t *testing.T) bool {
	t.Helper()
	source := filepath.Join(t.TempDir(), "empty.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := build("asan-works", func(out string) *exec.Cmd {
		return exec.Command("sh", "-c", `${CC:-gcc} -fsanitize=address -o "$0" "$1" && "$0"`, out, source)
	})
	return err == nil
}

// report ends a host and returns what the sanitizers have to say.
func (h *host) report() string {
	h.t.Helper()
	h.end()
	said := h.stderr.String()
	if strings.Contains(said, "LeakSanitizer has encountered a fatal error") {
		h.t.Log("leaks could not be looked for: LeakSanitizer may not trace this process here")
		return ""
	}
	return said
}

// The filter's results are the host's malloc, freed by the host once, and nothing else remains: on every path, the
// corpus, several threads, two instances, panics.
func TestFilterUnderAddressSanitizer(t *testing.T) {
	t.Parallel()
	h := startWatched(t)
	h.open("filter_enrich")
	h.filter("f", "filter_enrich", "attributes=service.name=checkout", "remove=absent")
	h.filter("g", "filter_enrich", "rename=msg=message")
	h.open("faulty")
	h.do("native", "faulty", "filter_faulty_plugin")
	h.filter("x", "faulty")
	for i, c := range chunks.Corpus() {
		h.chunk(c.Name, c.Bytes)
		h.apply("f", "app.log", c.Name, "times=3", fmt.Sprintf("thread=%d", i%3))
		h.apply("g", "app.log", c.Name, "times=3", "thread=3")
	}
	h.chunk("c", small)
	for _, tag := range []string{"untouched", "same", "grow", "shift", "borrowed", "empty", "panic", "nil"} {
		h.wait(h.apply("x", tag, "c", "thread=0"))
	}
	for _, id := range []string{"f", "g", "x"} {
		h.do("end", id)
	}
	if said := h.report(); strings.Contains(said, "Sanitizer") || h.ended != nil {
		t.Errorf("%v\n%s", h.ended, said)
	}
}

// The outputs, through a reload. What remains is the one byte for each start by which fluent-bit-go names a context,
// and which it never frees.
func TestOutputsUnderAddressSanitizer(t *testing.T) {
	t.Parallel()
	h := startWatched(t)
	h.chunk("c", small)
	starts := 0
	for round := range 2 {
		for _, name := range []string{"out_field_metrics", "out_kafka_batch", "faulty"} {
			id := fmt.Sprint(name, round)
			h.do("load", id, library(t, name))
			h.do("register", id)
			h.output(id, id, append([]string{"workers=2"}, options[name]...)...)
			starts++
			for _, tag := range []string{"nil", "levels", "read"} {
				h.wait(h.flush(id, tag, "c", "times=2"))
			}
			h.do("exit", id)
			h.do("unregister", id)
		}
	}
	said := h.report()
	if strings.Contains(said, "ERROR: AddressSanitizer") {
		t.Errorf("%s", said)
	}
	if said != "" && !strings.Contains(said, fmt.Sprintf("SUMMARY: AddressSanitizer: %d byte(s) leaked in %d allocation(s)", starts, starts)) {
		t.Errorf("want %d leaks of one byte: %s", starts, said)
	}
}

// The sanitizer would find what is wrong.
func TestAddressSanitizerNotices(t *testing.T) {
	t.Parallel()
	for tag, what := range map[string]string{
		"wrong.overrun": "heap-buffer-overflow",
		"wrong.foreign": "attempting free on address which was not malloc()-ed",
		"wrong.freed":   "heap-use-after-free",
		"wrong.leak":    "8192 byte(s) leaked in 1 allocation(s)",
	} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			h := startWatched(t)
			h.open("faulty")
			h.do("native", "faulty", "filter_faulty_plugin")
			h.filter("f", "faulty")
			h.chunk("c", make([]byte, 8192))
			h.ask("apply", "f", tag, "c")
			if said := h.report(); said != "" && !strings.Contains(said, what) {
				t.Errorf("no word of %s:\n%s", what, said)
			}
		})
	}
}
