package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flbgo/scripts/internal/fluentbit"
)

// jsonStreams are the streams of an application that writes JSON, for the sidecar and what stands before a gateway.
var jsonStreams = []string{"zap", "slog"}

// sidecar is the sidecar's configuration with changes.
func sidecar(changes ...[2]string) Setup {
	return Setup{
		Conf: "conf/sidecar/fluent-bit.conf", Changes: changes,
		Env:   []string{"SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2"},
		Extra: httpPort,
	}
}

// httpPort is where configurations with a HTTP_PORT have the host's own metrics.
func httpPort(r *Run) []string {
	_, port, _ := strings.Cut(r.HTTP, ":")
	return []string{"HTTP_PORT=" + port}
}

// setting is a change of one setting's value.
func setting(name, from, to string) [2]string {
	quoted := strings.NewReplacer(".", `\.`, "[", `\[`).Replace
	return [2]string{`(?m)^(\s*` + quoted(name) + `\s+)` + quoted(from) + `$`, "${1}" + to}
}

// counter is one of Fluent Bit's own, summed over the instances whose labels begin as given:
// fluentbit_output_dropped_records_total{name="kafka".
func (r *Run) counter(ctx context.Context, metric string) (uint64, error) {
	return counterAt(ctx, r.HTTP, metric)
}

func counterAt(ctx context.Context, addr, metric string) (uint64, error) {
	n, err := sum(ctx, "http://"+addr+"/api/v1/metrics/prometheus", metric)
	return uint64(n), err
}

// await asks every 50 ms until the answer is yes. An error that says what was waited for ends it, as the host's end does.
func (r *Run) await(ctx context.Context, limit time.Duration, what string, yes func() (bool, error)) error {
	var last error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		ok, err := yes()
		if ok && err == nil {
			return nil
		}
		last = err
		if h := r.Pipeline.Host(); h != nil {
			select {
			case <-h.Done():
				return fmt.Errorf("the host, Fluent Bit, ended by itself before %s: %v", what, h.Err())
			default:
			}
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	if last != nil {
		return fmt.Errorf("after %v still not %s: %w", limit, what, last)
	}
	return fmt.Errorf("after %v still not %s", limit, what)
}

// arrived waits until everything that was written so far is in Kafka.
func (r *Run) arrived(ctx context.Context, limit time.Duration) error {
	return r.await(ctx, limit, "everything in Kafka", func() (bool, error) { return r.live.Progress().Missing == 0, nil })
}

// quieted waits until the host has nothing more to give, where not everything will arrive: no record is open, and none
// came for longer than a retry takes to come round (scheduler.cap).
func (r *Run) quieted(ctx context.Context) error {
	const still = 12 * time.Second
	last, since := uint64(0), time.Now()
	return r.await(ctx, drainLimit, "nothing on the way", func() (bool, error) {
		p := r.live.Progress()
		if p.Records != last {
			last, since = p.Records, time.Now()
		}
		if p.Missing == 0 {
			return true, nil
		}
		if time.Since(since) < still && (len(r.chunks()) > 0 || time.Since(since) < 3*time.Second) {
			return false, nil
		}
		if r.Output == builtIn {
			return time.Since(since) > still, nil
		}
		m, err := r.Scrape(ctx)
		return m["records_open"] == 0, err
	})
}

// chunks are the files of the host's buffer that have something in them, with their sizes.
func (r *Run) chunks() map[string]int64 {
	sizes := map[string]int64{}
	filepath.WalkDir(filepath.Join(r.State, "storage"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".flb") {
			return nil // the host takes files away while they are listed
		}
		if st, err := e.Info(); err == nil && st.Size() > 0 {
			sizes[path] = st.Size()
		}
		return nil
	})
	return sizes
}

// said counts how often the host's log, over all its starts in this run, has the text.
func (r *Run) said(text string) (n int) {
	b, err := os.ReadFile(r.HostLog)
	if err != nil {
		return 0
	}
	return bytes.Count(b, []byte(text))
}

// alive fails the run where the host has ended by itself.
func (r *Run) alive(p *fluentbit.Process) {
	select {
	case <-p.Done():
		r.Fail("Fluent Bit ended by itself: %v", p.Err())
	default:
	}
}

// long is the duration of the short form or of the full one.
func (r *Run) long(short, full time.Duration) time.Duration {
	if r.Short {
		return short
	}
	return full
}
