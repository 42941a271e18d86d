package chunk

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestPreemptible walks large chunks in a loop while the garbage collector wants the thread, in a process without
// asynchronous preemption.
//
// Of several Go runtimes in one host only the one loaded last can interrupt a loop from outside: in the other ones a
// collection waits for the next call that is not inlined. A walk without such calls held one up for seconds. Here it
// would do so forever.
func TestPreemptible(t *testing.T) {
	if os.Getenv("CHUNK_PREEMPT_CHILD") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatalf("no path to this test: %v", err)
		}
		// The child's own time limit would wait for the collection too.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, exe, "-test.run=^TestPreemptible$")
		cmd.Env = append(os.Environ(), "CHUNK_PREEMPT_CHILD=1", "GODEBUG=asyncpreemptoff=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("the garbage collector did not get its turn: %v\n%s", err, out)
		}
		return
	}
	for name, data := range hostile(1 << 16) {
		var stop atomic.Bool
		started, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			close(started)
			var r Reader
			for !stop.Load() {
				r.Reset(data)
				for r.Next() != End && !stop.Load() {
				}
			}
		}()
		<-started
		time.Sleep(time.Millisecond)
		runtime.GC()
		stop.Store(true)
		<-done
		t.Logf("%s: done", name)
	}
}
