package e2e

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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

// What the doctor says of the format is what real Fluent Bits do: each of these files stops the start, or does not.
func TestDoctorReadsAsFluentBitDoes(t *testing.T) {
	const head, tail = "[SERVICE]\n    Flush 1\n", "[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n    Match *\n"
	dir := t.TempDir()
	f := func(name, text string, starts bool) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "main") {
			return // a part
		}
		if said := runDoctor(t, path); strings.Contains(said, "0 wrong") != starts {
			t.Errorf("%q, which starts: %t\n%s", text, starts, said)
		}
		for _, h := range hosts {
			if filepath.Ext(name) == ".yaml" && !h.YAML() {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			cmd := exec.CommandContext(ctx, h.Path, "-c", path)
			var errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = io.Discard, &errs
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGKILL) }
			err := cmd.Run()
			if running := ctx.Err() != nil && err != nil && !strings.Contains(errs.String(), "initialization failed"); running != starts {
				t.Errorf("%s: %q, which starts: %t: %v\n%s", h, text, starts, err, errs.String())
			}
			cancel()
		}
	}
	f("part.inc", "[OUTPUT]\n  Name null\n  Match *\n", true)
	f("part.yaml", "pipeline:\n  outputs:\n    - name: 'null'\n      match: '*'\n", true)
	f("main1.conf", strings.ReplaceAll(head+tail, "    ", "\t")+"@INCLUDE part.inc\n", true)
	f("main2.conf", head+strings.ReplaceAll(tail, "[INPUT]", "[INPUT] # where it comes from"), true)
	f("main3.conf", strings.ReplaceAll(head+tail, "\n", "\r\n")+"@INCLUDE p*.inc", true)
	f("main4.conf", head+strings.ReplaceAll(tail, "Name ", "Name\t"), false)
	f("main5.conf", head+"    Grace\n"+tail, false)
	f("main6.conf", head+"     Grace 5\n"+tail, false)
	f("main7.conf", head+"  # a comment\n"+tail, false)
	f("main8.conf", head+strings.ReplaceAll(tail, "[OUTPUT]", "    @INCLUDE part.inc\n[OUTPUT]"), false)
	f("main9.conf", head+tail+"@INCLUDE none*.conf\n", false)
	f("main10.conf", head+tail+"@INCLUDE none.conf\n", false)
	f("main11.conf", "@SET P=part\n"+head+tail+"@INCLUDE ${P}.inc\n", false)
	f("main12.conf", head+tail+"@INCLUDE "+dir+"/part.inc\n@INCLUDE "+dir+"/part.inc\n", false)
	f("main13.yaml", "includes: [part.yaml]\npipeline:\n  inputs:\n    - name: dummy\n", true)
	f("main14.yaml", "includes: [p*.yaml]\npipeline:\n  inputs:\n    - name: dummy\n", true)
	f("main15.yaml", "includes: [none.yaml, part.yaml]\npipeline:\n  inputs:\n    - name: dummy\n", false)
}

// runDoctor runs make doctor's program, which may find something to mend.
func runDoctor(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(root, "scripts", "doctor.sh"), args...).CombinedOutput()
	if status, ok := err.(*exec.ExitError); err != nil && (!ok || status.ExitCode() != 1) {
		t.Fatalf("doctor %v: %v\n%s", args, err, out)
	}
	return string(out)
}
