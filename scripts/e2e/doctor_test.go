package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/loggen"
)

// A section for Fluent Bit's own kafka output, as `doctor --migrate` writes it anew, starts in a real Fluent Bit and
// delivers; the doctor finds nothing wrong with the whole.
func TestMigratedSectionDelivers(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			dir := t.TempDir()
			builtin := filepath.Join(dir, "builtin.conf")
			if err := os.WriteFile(builtin, []byte(builtinOutput), 0o644); err != nil {
				t.Fatal(err)
			}
			section := runDoctor(t, "-migrate", builtin)
			conf := variant(t, "conf/sidecar/fluent-bit.conf", [][2]string{
				{`(?s)\[OUTPUT\]\n\s+Name\s+kafka_batch.*$`, strings.ReplaceAll(section, "$", "$$")},
				{`127\.0\.0\.1:2022`, "$${KAFKA_METRICS_LISTEN}"}, // as others run tests beside this one
				{`(?m)^(\s*(?:Parsers|Plugins)_File\s+)\S*/`, "${1}" + filepath.Join(root, "conf") + "/"},
			})
			r := newRig(t, h, conf, "SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2", "HTTP_PORT="+freePort(t))
			if said := runDoctor(t, conf); !strings.Contains(said, "\n0 wrong") && !strings.HasPrefix(said, "0 wrong") {
				t.Error(said)
			}
			r.startHost()
			r.write(loggen.Config{Streams: jsonStreams, Rate: 3000, Count: 3000, Seed: 61})
			r.mustBeWhole(r.await(20*time.Second), 3000)
		})
	}
}

// builtinOutput is what a user of the built-in output has.
const builtinOutput = `[INPUT]
    Name tail
[OUTPUT]
    Name                           kafka
    Match                          *
    Alias                          kafka
    Brokers                        ${KAFKA_BROKERS}
    Topics                         ${KAFKA_TOPIC}
    Timestamp_Key                  timestamp
    Timestamp_Format               iso8601_ns
    Queue_Full_Retries             20
    rdkafka.compression.codec      lz4
    rdkafka.queue.buffering.max.ms 20
    rdkafka.request.required.acks  -1
`

// runDoctor runs make doctor's program, which may find something to mend.
func runDoctor(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(root, "scripts", "doctor.sh"), args...).CombinedOutput()
	if status, ok := err.(*exec.ExitError); err != nil && (!ok || status.ExitCode() != 1) {
		t.Fatalf("doctor %v: %v\n%s", args, err, out)
	}
	return string(out)
}
