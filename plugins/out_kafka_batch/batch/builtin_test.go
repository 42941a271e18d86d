package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/shared/chunk"
)

// builtinFolder has, for versions of Fluent Bit and for chunks, what its own kafka output made of their records: see the
// README there.
const builtinFolder = "../../../testdata/json"

// builtinDifferences are the records of oddChunk, by version and their field "odd", whose JSON is another than the built-in's, and
// why. Everywhere else it has the same members in the same order with equal values.
var builtinDifferences = map[string]string{
	"5.1.1 float32": "a float32 is widened there, and has digits that nobody sent",

	"5.1.1 NaN":  "not JSON there",
	"5.1.1 +Inf": "not JSON there",
	"5.1.1 -Inf": "not JSON there",

	"5.1.1 one bad byte":   "a byte that is not UTF-8 becomes U+E0xx there, a character for private use; here U+FFFD",
	"5.1.1 cut short":      "the same",
	"5.1.1 latin-1":        "the same",
	"5.1.1 surrogate":      "the same",
	"5.1.1 beyond Unicode": "the same",
	"5.1.1 overlong":       "an overlong form is decoded there, to a character that filters before it did not see",

	"5.1.1 binary":      "binary is taken for text there, and bytes that are not UTF-8 go; base64 here",
	"5.1.1 binary text": "the same: whether binary is text is not decided value by value",
	"5.1.1 ext 5":       "not JSON there",
	"5.1.1 ext time":    "not JSON there",
	"5.1.1 ext -1":      "not JSON there",

	"5.1.1 @timestamp": "a field of that name hides the event's time there; here it is replaced",

	"5.1.1 integer key": "not JSON there",
	"5.1.1 nil key":     "not JSON there",
	"5.1.1 true key":    "not JSON there",
	"5.1.1 float key":   "not JSON there",
	"5.1.1 array key":   "not JSON there",
	"5.1.1 map key":     "not JSON there",

	"5.1.1 depth 70": "not sent there",
}

// TestBuiltinJSON compares field by field with what Fluent Bit's own kafka output wrote for the same chunks.
// UPDATE_BUILTIN names Fluent Bits that have that output, separated by colons, and writes the files anew.
func TestBuiltinJSON(t *testing.T) {
	for _, host := range filepath.SplitList(os.Getenv("UPDATE_BUILTIN")) {
		captureBuiltin(t, host)
	}
	files, err := filepath.Glob(builtinFolder + "/*/*.jsonl")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		version, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(version+"/"+name, func(t *testing.T) {
			theirs, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(theirs), "\n"), "\n")
			ours := jsonOf(t, builtinChunk(t, name))
			if len(lines) != len(ours) {
				t.Fatalf("%d records, the built-in has %d", len(ours), len(lines))
			}
			for i := range ours {
				odd := oddName(ours[i])
				diff := compareJSON(ours[i], lines[i])
				key := version + " " + odd
				switch why, listed := builtinDifferences[key]; {
				case odd == "" && diff != "":
					t.Errorf("record %d: %s\n%s\n%s", i, diff, ours[i], lines[i])
				case odd != "" && diff != "" && !listed:
					t.Errorf("%q: %q,\n\t%.300s\n\t%.300s", key, diff, ours[i], lines[i])
				case listed && diff == "":
					t.Errorf("%q is equal, but listed as %s", key, why)
				case listed:
					seen[key] = true
				}
			}
		})
	}
	for key := range builtinDifferences {
		if !t.Failed() && !seen[key] {
			t.Errorf("%s is listed, and in no file", key)
		}
	}
}

// builtinChunk is a captured chunk, or the one that is made here.
func builtinChunk(t *testing.T, name string) []byte {
	t.Helper()
	if name == "odd" {
		return oddChunk()
	}
	data, err := os.ReadFile("../../../testdata/chunks/" + name + ".msgpack")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func jsonOf(t *testing.T, data []byte) (values []string) {
	t.Helper()
	e := newEncoder(testConfig(t))
	s := e.get()
	e.encode(s, data, "app")
	for i := range s.entries {
		values = append(values, string(s.entries[i].value.of(s.text)))
	}
	return values
}

func oddName(value string) string {
	var v struct{ Odd string }
	_ = json.Unmarshal([]byte(value), &v)
	return v.Odd
}

// compareJSON is the first difference of two JSON texts, "" for none. Members have to have the same order; numbers are
// equal as equalNumbers says.
func compareJSON(ours, theirs string) string {
	a, b := json.NewDecoder(strings.NewReader(ours)), json.NewDecoder(strings.NewReader(theirs))
	a.UseNumber()
	b.UseNumber()
	for {
		x, errX := a.Token()
		y, errY := b.Token()
		switch {
		case errX == io.EOF && errY == io.EOF:
			return ""
		case errX != nil:
			return "ours: " + errX.Error()
		case errY != nil:
			return "theirs: " + errY.Error()
		}
		n, isNumber := x.(json.Number)
		m, both := y.(json.Number)
		if isNumber && both {
			if !equalNumbers(string(n), string(m)) {
				return fmt.Sprintf("%v, not %v", n, m)
			}
		} else if x != y {
			return fmt.Sprintf("%.80v, not %.80v", x, y)
		}
	}
}

// equalNumbers allows for that the built-in prints 16 digits of a float, where two doubles may need 17: its times are cut
// to microseconds by that.
func equalNumbers(ours, theirs string) bool {
	if whole := !strings.ContainsAny(ours+theirs, ".eE"); whole {
		return ours == theirs
	}
	f, errA := strconv.ParseFloat(ours, 64)
	g, errB := strconv.ParseFloat(theirs, 64)
	rounded, errC := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 16, 64), 64)
	return errA == nil && errB == nil && errC == nil && (f == g || rounded == g)
}

// oddChunk has one record for everything that JSON encoders differ about.
func oddChunk() []byte {
	var data []byte
	add := func(name string, members ...any) {
		body := pairs(append([]any{"odd", name}, members...)...)
		data = chunk.AppendEvent(data, 1700000000, 123456789, nil, body, false)
	}
	raw := func(name string, value []byte) { add(name, "v", value) }
	text := func(name, value string) { add(name, "v", value) }
	float := func(name string, f float64) { raw(name, msgp.AppendFloat64(nil, f)) }
	for _, v := range []any{true, false, nil, 0, -1, 127, 128, -32, -33, 1 << 40} {
		add(fmt.Sprint(v), "v", v)
	}
	raw("int64 min", msgp.AppendInt64(nil, math.MinInt64))
	raw("2^53+1", msgp.AppendInt64(nil, 1<<53+1))
	raw("uint64 max", msgp.AppendUint64(nil, math.MaxUint64))
	raw("float32", msgp.AppendFloat32(nil, 0.1))
	raw("float32 exact", msgp.AppendFloat32(nil, 0.5))
	float("float", 0.1)
	float("17 digits", 0.30000000000000004)
	float("whole float", 200)
	float("-0.0", math.Copysign(0, -1))
	float("1e300", 1e300)
	float("1e-7", 1e-7)
	float("5e-324", 5e-324)
	float("2^60", 1<<60)
	float("NaN", math.NaN())
	float("+Inf", math.Inf(1))
	float("-Inf", math.Inf(-1))
	text("empty", "")
	text("quotes", `say "x" \ / `)
	text("controls", "\x00\x01\b\f\n\r\t\x1f\x7f")
	text("umlaut", "größer")
	text("emoji", "😀 日本")
	text("U+2028", "\u2028\ufeff\ufffd")
	text("one bad byte", "a\xffb")
	text("cut short", "a\xe2\x82")
	text("overlong", "\xc0\xaf")
	text("surrogate", "\xed\xa0\x80")
	text("beyond Unicode", "\xf4\x90\x80\x80")
	text("latin-1", "gr\xf6\xdfer")
	raw("binary", msgp.AppendBytes(nil, []byte("\x00\x01\xfe\xff")))
	raw("binary text", msgp.AppendBytes(nil, []byte("text")))
	raw("ext 5", []byte{0xd4, 5, 7})
	raw("ext time", append([]byte{0xd7, 0}, 0x65, 0x53, 0xf1, 0, 0x07, 0x5b, 0xcd, 0x15))
	raw("ext -1", []byte{0xd6, 0xff, 0x65, 0x53, 0xf1, 0})
	raw("empty map", pairs())
	raw("empty array", msgp.AppendArrayHeader(nil, 0))
	raw("nested", pairs("a", pairs("b", []byte{0x92, 1, 2})))
	add("duplicate", "v", 1, "w", 2, "v", 3)
	raw("duplicate, nested", pairs("a", 1, "a", 2))
	add("@timestamp", "@timestamp", "old", "v", 1)
	add("empty name", "", 1)
	add("odd name", "a\"b\n", 1)
	key := func(name string, k []byte) {
		body := append(append(msgp.AppendMapHeader(nil, 2), pairs("odd", name)[1:]...), append(k, 1)...)
		data = chunk.AppendEvent(data, 1700000000, 123456789, nil, body, false)
	}
	key("integer key", []byte{7})
	key("nil key", []byte{0xc0})
	key("true key", []byte{0xc3})
	key("float key", msgp.AppendFloat64(nil, 0.5))
	key("binary key", msgp.AppendBytes(nil, []byte("k")))
	key("array key", []byte{0x92, 1, 2})
	key("map key", pairs("a", 1))
	for _, depth := range []int{20, 60, 70} {
		var v []byte
		for range depth {
			v = append(v, 0x91)
		}
		raw(fmt.Sprintf("depth %d", depth), append(v, 1))
	}
	text("long", strings.Repeat("0123456789", 100))
	return data
}

// noRecord stands in a file for a record that the built-in did not send.
const noRecord = "(none)"

// captureBuiltin writes the files of one Fluent Bit.
func captureBuiltin(t *testing.T, host string) {
	t.Helper()
	out, err := exec.Command(host, "--version").Output()
	version := regexp.MustCompile(`v(\d+\.\d+\.\d+)`).FindSubmatch(out)
	if err != nil || version == nil {
		t.Fatalf("%s --version: %v\n%s", host, err, out)
	}
	folder := filepath.Join(builtinFolder, string(version[1]))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../../testdata/chunks/*.msgpack")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"odd"}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".msgpack")
		names = append(names, name)
	}
	for _, name := range names {
		t.Logf("%s: %s", version[1], name)
		lines := builtinLines(t, host, builtinChunk(t, name))
		if err := os.WriteFile(filepath.Join(folder, name+".jsonl"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// builtinLines sends the chunk to a Fluent Bit's forward input, event by event with a tag of its own each, so that one
// that its kafka output cannot send costs no other, and reads what comes.
func builtinLines(t *testing.T, host string, data []byte) []string {
	t.Helper()
	c := broker(t, 1)
	port := freePort(t)
	file := filepath.Join(t.TempDir(), "fluent-bit.conf")
	text := fmt.Sprintf("[SERVICE]\n    Flush 0.2\n    Grace 1\n    Log_Level error\n[INPUT]\n    Name forward\n    Listen 127.0.0.1\n    Port %d\n"+
		"[OUTPUT]\n    Name kafka\n    Match *\n    Brokers %s\n    Topics logs\n", port, c.ListenAddrs()[0])
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(host, "-c", file)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	var conn net.Conn
	eventually(t, "Fluent Bit listens", func() (ok bool) {
		var err error
		conn, err = net.Dial("tcp", hostPort(port))
		return err == nil
	})
	defer conn.Close()
	var r chunk.Reader
	n, group := 0, []byte(nil)
	for r.Reset(data); ; {
		kind := r.Next()
		if kind == chunk.End {
			break
		}
		if kind == chunk.GroupStart {
			group = r.Raw
		}
		if kind != chunk.Record {
			continue
		}
		events := r.Raw
		if r.InGroup {
			events = chunk.AppendGroupEnd(append(bytes.Clone(group), r.Raw...))
		}
		msg := msgp.AppendString(msgp.AppendArrayHeader(nil, 2), fmt.Sprintf("app.%d", n))
		if _, err := conn.Write(msgp.AppendBytes(msg, events)); err != nil {
			t.Fatalf("event %d: %v\n%s", n, err, &said)
		}
		n++
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("logs"), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ours := jsonOf(t, data)
	lines := slices.Repeat([]string{noRecord}, len(ours))
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	for left := n; left > 0; {
		f := cl.PollFetches(ctx)
		if f.Err0() != nil {
			break
		}
		f.EachRecord(func(r *kgo.Record) {
			at := -1
			for i := range ours {
				if at < 0 && lines[i] == noRecord && sameRecord(ours[i], string(r.Value)) {
					at = i
				}
			}
			if at < 0 {
				t.Fatalf("whose is this? %.300q", r.Value)
			}
			lines[at] = string(r.Value)
			left--
		})
	}
	return lines
}

// sameRecord tells by the field odd, or by all of it where there is none.
func sameRecord(ours, theirs string) bool {
	odd := regexp.MustCompile(`"odd":"([^"]*)"`)
	if m := odd.FindStringSubmatch(ours); m != nil {
		n := odd.FindStringSubmatch(theirs)
		return n != nil && m[1] == n[1]
	}
	return compareJSON(ours, theirs) == ""
}
