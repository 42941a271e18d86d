package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/loggen"
)

// The configuration that README.md begins with runs as it stands there, with an input, and with addresses of the test.
func TestReadmeConfiguration(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	shown := regexp.MustCompile(`(?m)^    \[SERVICE\]\n(?:    .*\n)+`).FindString(read("README.md"))
	input := regexp.MustCompile(`(?m)^\[INPUT\]\n(?:    .*\n)+`).FindString(read("conf/sidecar/fluent-bit.conf"))
	conf := regexp.MustCompile(`(?m)^    `).ReplaceAllString(shown, "")
	for _, change := range [][2]string{
		{"/etc/fluent-bit/plugins-flbgo.conf", filepath.Join(root, "conf/plugins.conf") + "\n    Parsers_File " + filepath.Join(root, "conf/parsers.conf")},
		{"/var/lib/fluent-bit/storage", "${STATE_DIR}/storage"},
		{"[FILTER]\n", input + "[FILTER]\n"},
		{"kafka-1:9092,kafka-2:9092", "${KAFKA_BROKERS}\n    Alias kafka\n    Listen ${KAFKA_METRICS_LISTEN}"},
		{"  logs\n", "  ${KAFKA_TOPIC}\n"},
		{"field_metrics\n", "field_metrics\n    Listen ${METRICS_LISTEN}\n"},
	} {
		if strings.Count(conf, change[0]) != 1 {
			t.Fatalf("%q is not there once:\n%s", change[0], conf)
		}
		conf = strings.Replace(conf, change[0], change[1], 1)
	}
	path := filepath.Join(t.TempDir(), "readme.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			r := newRig(t, h, path)
			r.startHost()
			r.write(loggen.Config{Streams: jsonStreams, Rate: 3000, Count: 2000, Seed: 83})
			if got := r.topicRecords(2000, 20*time.Second, r.Topic); len(got) != 2000 {
				t.Errorf("%d records of 2000 arrived", len(got))
			}
		})
	}
}
