package loggen

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/ledger"
)

// The parsers below read the lines as a stranger would, from the formats'
// documentation; they share nothing with the writers.
var (
	ginLine   = regexp.MustCompile(`^\[GIN\] (\d{4}/\d\d/\d\d - \d\d:\d\d:\d\d) \| (\d{3}) \| +([0-9.]+)(ns|µs|ms|s) \| +(\S+) \| (([A-Z]+) +"([^"]+)")\n$`)
	nginxLine = regexp.MustCompile(`^(\S+) - (\S+) \[([^\]]+)\] "(([A-Z]+) (\S+) HTTP/1\.1)" (\d{3}) (\d+) "([^"]*)" "([^"]*)" (\d+\.\d{3})\n$`)
	pipeLine  = regexp.MustCompile(`^([^|]+)\|([A-Z]+)\|(.*)\n$`)
	javaLine  = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ([A-Z]+) \[([^\]]+)\] (\S+) - (?s:(.*))\n$`)
	seqText   = regexp.MustCompile(`seq"?[=:](\d+)`)
	traceText = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$`)
)

func seqOf(event string) uint64 {
	m := seqText.FindStringSubmatch(event)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseUint(m[1], 10, 64)
	return n
}

// timeless blanks what depends on the clock.
func timeless(stream, event string) string {
	switch stream {
	case "gin":
		event = regexp.MustCompile(`\| +[0-9.]+(ns|µs|ms|s) \|`).ReplaceAllString(event[27:], "")
	case "nginx":
		event = regexp.MustCompile(`\[[^\]]*\]`).ReplaceAllString(event, "")
	case "pipe":
		event = event[strings.IndexByte(event, '|'):]
	case "java":
		event = event[23:]
	default:
		event = regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllString(event, "")
	}
	return event
}

func utc(t *testing.T, layout, text string) string {
	t.Helper()
	at, err := time.Parse(layout, text)
	if err != nil {
		t.Error(err)
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// read is what the schema makes of an event.
func read(t *testing.T, stream, event string) Expect {
	t.Helper()
	byStatus := func(status string) (int, string) {
		n, _ := strconv.Atoi(status)
		switch status[0] {
		case '5':
			return n, "ERROR"
		case '4':
			return n, "WARN"
		}
		return n, "INFO"
	}
	number := func(s string, factor float64) *float64 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Error(err)
		}
		f *= factor
		return &f
	}
	var m []string
	match := func(re *regexp.Regexp) {
		t.Helper()
		if m = re.FindStringSubmatch(event); m == nil {
			t.Fatalf("%s: not in the format: %q", stream, event)
		}
	}
	x := Expect{LogType: "app"}
	switch stream {
	case "gin":
		match(ginLine)
		x = Expect{Timestamp: utc(t, "2006/01/02 - 15:04:05", m[1]), LogType: "access", SourceIP: m[5], Method: m[7], Path: m[8], Message: m[6]}
		x.Status, x.Level = byStatus(m[2])
		x.DurationMS = number(m[3], map[string]float64{"ns": 1e-6, "µs": 1e-3, "ms": 1, "s": 1e3}[m[4]])
	case "nginx":
		match(nginxLine)
		x = Expect{Timestamp: utc(t, "02/Jan/2006:15:04:05 -0700", m[3]), LogType: "access", SourceIP: m[1], Method: m[5], Path: m[6], Message: m[4]}
		x.Status, x.Level = byStatus(m[7])
		x.DurationMS = number(m[11], 1000)
	case "pipe":
		match(pipeLine)
		x.Timestamp, x.Level, x.Message = utc(t, time.RFC3339, m[1]), m[2], m[3]
	case "java":
		match(javaLine)
		x.Timestamp, x.Level, x.Message = utc(t, "2006-01-02 15:04:05.000", m[1]), m[2], m[5]
	default:
		var j struct {
			Time, Level, Msg, Logger, Traceparent, Error string
			Seq                                          uint64
			UserID                                       string  `json:"user_id"`
			DurationMS                                   float64 `json:"duration_ms"`
			Order                                        *order
		}
		if err := json.Unmarshal([]byte(event), &j); err != nil {
			t.Fatalf("%v: %q", err, event)
		}
		if j.Logger != stream {
			t.Errorf("%s: logger %q", stream, j.Logger)
		}
		x.Timestamp, x.Level, x.Message = utc(t, time.RFC3339Nano, j.Time), strings.ToUpper(j.Level), j.Msg
		if x.Level == "WARNING" {
			x.Level = "WARN"
		}
		x.Seq, x.UserID, x.DurationMS, x.Order, x.Error = j.Seq, j.UserID, &j.DurationMS, j.Order, j.Error
		if j.Traceparent != "" {
			m := traceText.FindStringSubmatch(j.Traceparent)
			if m == nil {
				t.Fatalf("traceparent %q", j.Traceparent)
			}
			x.TraceID, x.SpanID, x.TraceFlags = m[1], m[2], m[3]
		}
	}
	return x
}

// The ledger says of every event what its line says.
func TestLedgerSaysWhatTheLinesSay(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.jsonl")
	const n = 600
	generate(t, Config{Dir: dir, Count: n * uint64(len(Streams)), Seed: 3, RotateEvery: 250, Ledger: path, LedgerFull: true})
	want := map[string][]Expect{}
	err := ledger.ReadFile(path, func(e ledger.Entry) error {
		if e.First() != e.Seq || e.Seq != uint64(len(want[e.Stream]))+1 {
			return fmt.Errorf("%s: seq %d after %d", e.Stream, e.Seq, len(want[e.Stream]))
		}
		if since := time.Since(time.Unix(0, e.WrittenNS)); since < 0 || since > time.Minute {
			return fmt.Errorf("%s: written %v ago", e.Stream, since)
		}
		var x Expect
		if err := json.Unmarshal(e.Expect, &x); err != nil {
			return err
		}
		want[e.Stream] = append(want[e.Stream], x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range Streams {
		var traced, orders, failed, multi int
		evs := events(t, dir, stream)
		if len(evs) != n || len(want[stream]) != n {
			t.Fatalf("%s: %d events, %d in the ledger, want %d", stream, len(evs), len(want[stream]), n)
		}
		for i, ev := range evs {
			got, want := read(t, stream, ev), want[stream][i]
			if g, w := got.DurationMS, want.DurationMS; g != nil && w != nil && math.Abs(*g-*w) <= 1e-9*math.Abs(*w) {
				got.DurationMS = w // units multiplied; else they are compared below
			}
			if seqOf(ev) != uint64(i)+1 || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: line\n%s\nreads   %+v\nledger  %+v", stream, ev, got, want)
			}
			if got.TraceID != "" {
				traced++
			}
			if got.Order != nil {
				orders++
			}
			if got.Error != "" {
				failed++
			}
			if strings.Count(ev, "\n") > 1 {
				multi++
			}
		}
		switch stream {
		case "zap", "slog", "logrus":
			if traced < n/2 || traced > n*4/5 || orders == 0 || failed == 0 {
				t.Errorf("%s: %d of %d with a traceparent, want two thirds; %d orders, %d errors", stream, traced, n, orders, failed)
			}
		case "java":
			if multi == 0 || multi == n {
				t.Errorf("java: %d of %d events have a stack trace", multi, n)
			}
		}
		if stream != "java" && multi > 0 {
			t.Errorf("%s: %d events of several lines", stream, multi)
		}
	}
}

// Texts that look like a sequence number would send readers astray.
func TestWordsHoldNoSequenceNumber(t *testing.T) {
	for _, list := range [][]string{messages, oddMessages, pipeMessages, paths, exceptions, frames, sources, threads, javaLoggers, referers, agents} {
		for _, s := range list {
			if strings.Contains(s, "seq=") {
				t.Errorf("%q", s)
			}
		}
	}
	for _, s := range pipeMessages {
		if strings.ContainsAny(s, "\n\r") {
			t.Errorf("pipe message %q has more than one line", s)
		}
	}
}
