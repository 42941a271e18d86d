package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
)

var update = flag.Bool("update", false, "write the golden files from what the first host makes of the samples")

// One schema: the samples of every source format come out as their golden file says, on every host. A golden file has
// the records in the order of their lines, with sorted keys, because hosts order parsed fields differently, and the
// file's name without its folder.
func TestGoldenPerFormat(t *testing.T) {
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		lines := 0
		for _, stream := range loggen.Streams {
			b, err := os.ReadFile(filepath.Join(root, "testdata/logs", stream+".log"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(r.Logs, stream+".log"), b, 0o644); err != nil {
				t.Fatal(err)
			}
			lines += samplesPerStream
		}
		r.startHost()
		got := r.byFile(lines, 20*time.Second)
		for _, stream := range loggen.Streams {
			path := filepath.Join(root, "testdata/golden", stream+".jsonl")
			if *update && h == hosts[0] {
				if err := os.WriteFile(path, got[stream+".log"], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got[stream+".log"], want) {
				t.Errorf("%s differs from %s:\n%s", stream, path, firstDifference(got[stream+".log"], want))
			}
		}
	})
}

// logback writes a comma before the milliseconds: the records are the same.
func TestJavaTimeWithComma(t *testing.T) {
	point := regexp.MustCompile(`(?m)^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.`)
	eachHost(t, func(t *testing.T, h fluentbit.Host, conf string) {
		r := newRig(t, h, conf)
		b, err := os.ReadFile(filepath.Join(root, "testdata/logs/java.log"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.Logs, "java.log"), point.ReplaceAll(b, []byte("$1,")), 0o644); err != nil {
			t.Fatal(err)
		}
		r.startHost()
		got := r.byFile(samplesPerStream, 20*time.Second)["java.log"]
		want, err := os.ReadFile(filepath.Join(root, "testdata/golden/java.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Error(firstDifference(got, want))
		}
	})
}

// samplesPerStream is how many events testdata/logs has of each stream.
const samplesPerStream = 40

// byFile reads n records and returns them by log file, as lines in the order of their offsets.
func (r *rig) byFile(n int, limit time.Duration) map[string][]byte {
	r.t.Helper()
	type line struct {
		offset float64
		text   []byte
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers...), kgo.ConsumeTopics(r.Topic))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	lines, records := map[string][]line{}, 0
	for records < n && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			records++
			dec := json.NewDecoder(bytes.NewReader(rec.Value))
			dec.UseNumber()
			var m map[string]any
			if err := dec.Decode(&m); err != nil {
				r.t.Errorf("a record is no JSON object: %v: %s", err, rec.Value)
				return
			}
			file, _ := m["file"].(string)
			number, _ := m["offset"].(json.Number)
			offset, err := number.Float64()
			if err != nil || file == "" {
				r.t.Errorf("a record has no file and offset: %s", rec.Value)
				return
			}
			m["file"] = filepath.Base(file)
			text, err := json.Marshal(m)
			if err != nil {
				r.t.Fatal(err)
			}
			lines[filepath.Base(file)] = append(lines[filepath.Base(file)], line{offset, text})
		})
	}
	if records != n {
		r.t.Errorf("%d records, want %d", records, n)
	}
	out := map[string][]byte{}
	for file, l := range lines {
		slices.SortFunc(l, func(a, b line) int { return int(a.offset - b.offset) })
		for _, l := range l {
			out[file] = append(append(out[file], l.text...), '\n')
		}
	}
	return out
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return "got  " + a + "\nwant " + b
		}
	}
	return ""
}
