package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

// The tests that send signals run this test binary as devkafka.
const asMain = "DEVKAFKA_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

type process struct {
	*exec.Cmd
	addr string
	out  *bufio.Reader
}

// launch starts devkafka and waits for its ready line.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), asMain+"=1")
	p.Stderr = os.Stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Wait()
		}
	})
	p.out = bufio.NewReader(stdout)
	line, err := p.out.ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 3 || fields[0] != "devkafka" || fields[1] != "ready" {
		t.Fatalf("first line %q, %v; want devkafka ready ADDRESS", line, err)
	}
	p.addr = fields[2]
	return p
}

// A broker is ended in the middle of producing and started again on its port.
// Every record whose acknowledgement the producer got is there, and every
// record is there once: the producer sends again what it got no answer for,
// and the broker knows what of that it has.
func TestRestartLosesAndDoublesNothing(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := t.TempDir()
			p := launch(t, "-listen", "127.0.0.1:0", "-data", dir, "-topics", "logs:3", "-quiet")
			cl, err := kgo.NewClient(kgo.SeedBrokers(p.addr), kgo.DefaultProduceTopic("logs"),
				kgo.MetadataMinAge(50*time.Millisecond),
				kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			const n = 4000
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var acked atomic.Int64
			killed := make(chan struct{})
			for i := range n {
				cl.Produce(ctx, &kgo.Record{Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Errorf("produce: %v", err)
					}
					if acked.Add(1) == n/4 {
						close(killed)
						p.Process.Signal(sig)
					}
				})
				if i%20 == 0 {
					time.Sleep(time.Millisecond) // so that the signal falls between batches
				}
			}
			<-killed
			if err := p.Wait(); sig == syscall.SIGTERM && err != nil {
				t.Errorf("after SIGTERM: %v, want exit status 0", err)
			}
			p = launch(t, "-listen", p.addr, "-data", dir, "-topics", "logs:3", "-quiet")
			if err := cl.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			times := readAll(ctx, t, p.addr, n)
			for v, k := range times {
				if k != 1 {
					t.Errorf("record %s is there %d times", v, k)
				}
			}
		})
	}
}

func readAll(ctx context.Context, t *testing.T, addr string, n int) map[string]int {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("logs"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	times := map[string]int{}
	for {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil && len(times) < n {
			t.Fatalf("%d of %d records: %v", len(times), n, fs.Err())
		}
		fs.EachRecord(func(r *kgo.Record) { times[string(r.Value)]++ })
		if len(times) == n {
			if ctx.Err() != nil {
				return times
			}
			// A little longer, for what should not come.
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
		}
	}
}

func TestCommandLine(t *testing.T) {
	taken := launch(t, "-listen", "127.0.0.1:0", "-quiet")
	check := func(code int, want string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, errOut bytes.Buffer
		if got := run(ctx, args, &out, &errOut); got != code {
			t.Errorf("%q: exit status %d, want %d", args, got, code)
		}
		if s := errOut.String() + out.String(); !strings.Contains(s, want) || strings.Count(s, "\n") > 1 && code == 1 {
			t.Errorf("%q printed %q, want one line with %q", args, s, want)
		}
	}
	check(0, "devkafka stopped", "-listen", "127.0.0.1:0")
	check(1, "in use", "-listen", taken.addr)
	check(1, "-allow-remote", "-listen", "0.0.0.0:0")
	check(2, `"x:0"`, "-topics", "x:0")
	check(2, `"extra"`, "extra")
	check(2, "-nosuch", "-nosuch")
}

func TestStopsOnInterrupt(t *testing.T) {
	p := launch(t, "-listen", "127.0.0.1:0")
	p.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(p.out)
	if err := p.Wait(); err != nil || string(rest) != "devkafka stopped\n" {
		t.Errorf("%v, printed %q", err, rest)
	}
}
