package e2e

import (
	"bufio"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

// jsonStreams are the streams of an application that writes JSON.
var jsonStreams = []string{"zap", "slog"}

// The sidecar: an application's JSON files come out whole, and the image's health check says when Fluent Bit is there
// and when it is not.
func TestSidecar(t *testing.T) {
	check := buildHealthcheck(t)
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			port := freePort(t)
			r := newRig(t, h, "conf/sidecar/fluent-bit.conf",
				"SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2", "HTTP_PORT="+port)
			r.startHost()
			mustBeHealthy(t, check, port)
			r.write(loggen.Config{Streams: jsonStreams, Rate: 3000, Count: 6000, Seed: 21, RotateEvery: 1000})
			r.mustBeWhole(r.await(20*time.Second), 6000)

			r.stopHost()
			if out, err := askHealth(check, port); err == nil || !strings.Contains(out, "no answer from Fluent Bit on port "+port) {
				t.Errorf("the health check of a Fluent Bit that is not there: %v, %s", err, out)
			}
		})
	}
}

// The edge gateway boots without a broker, keeps on disk what another Fluent Bit forwards, is stopped and started while
// it is still offline, and delivers everything when the broker comes. What the sender reads while the gateway is away
// is sent when it is back.
func TestEdgeGatewayOffline(t *testing.T) {
	check := buildHealthcheck(t)
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			port, forward := freePort(t), freePort(t)
			r := newRig(t, h, "conf/edge-gateway/fluent-bit.conf",
				"FORWARD_LISTEN=127.0.0.1", "FORWARD_PORT="+forward, "GATEWAY_NAME=edge-7", "HTTP_PORT="+port)
			if r.OwnBroker() {
				r.StopBroker()
			}
			r.startHost()
			startSender(t, r, h, forward)

			r.write(loggen.Config{Streams: jsonStreams, Rate: 4000, Count: 4000, Seed: 22})
			r.mustCount(4000, 20*time.Second)
			mustBeHealthy(t, check, port)
			if r.OwnBroker() && r.chunksOnDisk() == 0 {
				t.Error("nothing is on disk although the broker is away")
			}

			r.stopHost()
			r.write(loggen.Config{Streams: jsonStreams, Rate: 4000, Count: 2000, StartSeq: 2001, Seed: 22})
			r.startHost()
			// All of them: what is on disk goes to every output again.
			r.mustCount(6000, 20*time.Second)
			if r.OwnBroker() {
				if err := r.StartBroker(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			report := r.await(30 * time.Second)
			r.mustBeWhole(report, 6000)
			for message, m := range r.messages(1, 5*time.Second) {
				if m["gateway.name"] != "edge-7" {
					t.Errorf("the record of %q does not name its gateway: %v", message, m)
				}
			}
		})
	}
}

// At storage.max_chunks_up the gateway pauses and its senders keep what they have: nothing is lost although far more
// comes than it takes. The limits are lowered for this; the arithmetic between them stays.
func TestEdgeGatewayPushesBack(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			if !h.AtLeast(3, 1) {
				t.Skipf("%s cannot pause its forward input", h)
			}
			forward := freePort(t)
			r := newRig(t, h, lowered(t),
				"FORWARD_LISTEN=127.0.0.1", "FORWARD_PORT="+forward, "GATEWAY_NAME=edge-7", "HTTP_PORT="+freePort(t))
			if !r.OwnBroker() {
				t.Skip("KAFKA_BROKERS names a cluster that is not ours to stop")
			}
			r.StopBroker()
			r.startHost()
			startSender(t, r, h, forward)
			r.write(loggen.Config{Streams: jsonStreams, Rate: 6000, Count: 30000, Seed: 23})
			if err := r.Host().WaitFor("paused (storage buf overlimit", 20*time.Second); err != nil {
				t.Fatal(err)
			}
			if err := r.StartBroker(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.mustBeWhole(r.await(45*time.Second), 30000)
		})
	}
}

// lowered is the edge gateway's configuration with limits that a test reaches.
func lowered(t *testing.T) string {
	t.Helper()
	return variant(t, "conf/edge-gateway/fluent-bit.conf", [][2]string{
		{`(?m)^(\s*Flush\s+)5$`, "${1}0.5"},
		{`(?m)^(\s*storage\.max_chunks_up\s+)2000$`, "${1}8"},
		{`(?m)^(\s*storage\.total_limit_size\s+)12G$`, "${1}48M"},
		{`(?m)^(\s*Plugins_File\s+)\.\./`, "${1}" + filepath.Join(root, "conf") + "/"},
	})
}

// startSender runs a second Fluent Bit that forwards the JSON files of the rig's log folder until the test ends. More are
// lines of its output.
func startSender(t *testing.T, r *rig, h fluentbit.Host, port string, more ...string) {
	t.Helper()
	state := filepath.Join(r.dir, "sender")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(state, "fluent-bit.conf")
	if err := os.WriteFile(conf, []byte(senderConf+strings.Join(more, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(fluentbit.Options{Config: conf, Dir: root, Log: filepath.Join(state, "log"), Env: []string{
		"ROOT=" + root, "LOG_DIR=" + r.Logs, "SENDER_STATE=" + state, "FORWARD_PORT=" + port,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of the sender's log:\n%s", p.Tail(15))
		}
	})
}

// senderConf is what conf/edge-gateway/fluent-bit.conf asks of senders.
const senderConf = `
[SERVICE]
    Flush                 0.2
    Parsers_File          ${ROOT}/conf/parsers.conf
    Plugins_File          ${ROOT}/conf/plugins.conf
    scheduler.base        1
    scheduler.cap         2
    storage.path          ${SENDER_STATE}/storage
    storage.max_chunks_up 256
[INPUT]
    Name              tail
    Tag               app.json
    Path              ${LOG_DIR}/*.log
    Parser            app_json
    DB                ${SENDER_STATE}/tail.db
    Path_Key          file
    Offset_Key        offset
    Read_from_Head    On
    Refresh_Interval  1
    Buffer_Chunk_Size 1M
    Buffer_Max_Size   1M
    storage.type      filesystem
    storage.pause_on_chunks_overlimit On
[FILTER]
    Name       enrich
    Match      *
    Attributes service.name=checkout,service.version=1.4.2,log_type=$TAG[0]
[OUTPUT]
    Name                 forward
    Match                *
    Host                 127.0.0.1
    Port                 ${FORWARD_PORT}
    Require_ack_response On
    Retry_Limit          no_limits
`

// buildHealthcheck builds the image's health check as the Dockerfile does.
func buildHealthcheck(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "healthcheck")
	cmd := exec.Command("go", "build", "-o", path, "./healthcheck")
	cmd.Dir = filepath.Join(root, "scripts")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func askHealth(check, port string) (said string, err error) {
	cmd := exec.Command(check)
	cmd.Env = []string{"HTTP_PORT=" + port}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustBeHealthy waits a little: the host's HTTP server starts beside the outputs.
func mustBeHealthy(t *testing.T, check, port string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, err := askHealth(check, port)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the health check: %v, %s", err, out)
		}
	}
}

func (r *rig) stopHost() {
	r.t.Helper()
	if err := r.Host().Stop(20 * time.Second); err != nil {
		r.t.Fatal(err)
	}
}

var countLine = regexp.MustCompile(`^log_records_total\{.*\} ([0-9.e+]+)$`)

// mustCount waits until log_records_total of this start of the host says that n records went through it.
func (r *rig) mustCount(n int, limit time.Duration) {
	r.t.Helper()
	counted := 0.0
	for deadline := time.Now().Add(limit); counted < float64(n); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("log_records_total is %v after %v, want %d", counted, limit, n)
		}
		resp, err := http.Get("http://" + r.Metrics + "/metrics")
		if err != nil {
			continue // not up yet
		}
		counted = 0
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if m := countLine.FindStringSubmatch(lines.Text()); m != nil {
				v, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					r.t.Fatal(err)
				}
				counted += v
			}
		}
		resp.Body.Close()
	}
}

// chunksOnDisk counts the chunk files of the host's buffer.
func (r *rig) chunksOnDisk() (n int) {
	r.t.Helper()
	err := filepath.WalkDir(filepath.Join(r.State, "storage"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".flb") {
			n++
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := pipeline.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
