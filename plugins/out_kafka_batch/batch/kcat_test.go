package batch

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
	"github.com/twmb/franz-go/pkg/kgo"

	"flbgo/shared/chunk"
)

// Every codec with every format is read by kcat, a client on librdkafka, and by kgo, to the same values, keys, headers
// and timestamps, which are those of the records.
func TestKcatReadsEverything(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed: nothing here was read by librdkafka; make test-unit installs it")
	}
	const n = 200 // enough of them that no codec gives up and stores them as they are
	var data []byte
	for i := range n {
		body := msgp.AppendMapHeader(nil, 3)
		body = msgp.AppendString(msgp.AppendString(body, "log"), kcatLine(i))
		body = msgp.AppendString(msgp.AppendString(body, "user"), fmt.Sprintf("user-%d", i%7))
		body = msgp.AppendInt(msgp.AppendString(body, "n"), i)
		data = chunk.AppendEvent(data, 1700000000+int64(i), 500_000_000, nil, body, true)
	}
	c := broker(t, 1)
	for _, codec := range codecNames {
		for format := range formats {
			t.Run(codec+"/"+format, func(t *testing.T) {
				topic := codec + "-" + format
				createTopic(t, c, topic, 1)
				o, _ := output(t, c.ListenAddrs(), "topics", topic, "compression", codec, "format", format, "raw_log_key", "log",
					"message_key_field", "user", "headers", "env=test", "header_fields", "n=$n")
				flush(t, o, data, "app")
				if ratio := o.stats.read(); (2*ratio.rawBytes > 3*ratio.bytes) != (codec != "none") {
					t.Errorf("%d bytes were sent for %d", ratio.bytes, ratio.rawBytes)
				}
				want := consumeTopic(t, c.ListenAddrs(), topic).records
				got := readWithKcat(t, kcat, c.ListenAddrs()[0], topic)
				if len(got) != n || len(want) != n {
					t.Fatalf("kcat read %d records, kgo %d, want %d", len(got), len(want), n)
				}
				for i := range got {
					if g, w := got[i], kcatForm(want[i]); g != w {
						t.Fatalf("record %d: kcat read\n%+v\nkgo\n%+v", i, g, w)
					}
					g := got[i]
					if g.ms != 1700000000500+int64(i)*1000 || g.key != fmt.Sprintf("user-%d", i%7) || !strings.Contains(g.value, kcatLine(i)) ||
						!strings.HasPrefix(g.headers, "record_id=") || !strings.HasSuffix(g.headers, fmt.Sprintf(",env=test,n=%d", i)) {
						t.Fatalf("record %d is %+v", i, g)
					}
					if format == "raw" && g.value != kcatLine(i) {
						t.Fatalf("record %d is %q", i, g.value)
					}
				}
			})
		}
	}
}

func kcatLine(i int) string { return fmt.Sprintf("GET /cart/%d HTTP/1.1 200 Größe", i) }

// kcatRecord is a record as kcat prints it.
type kcatRecord struct {
	ms                  int64
	key, value, headers string
}

func kcatForm(r *kgo.Record) kcatRecord {
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+"="+string(h.Value))
	}
	return kcatRecord{r.Timestamp.UnixMilli(), string(r.Key), string(r.Value), strings.Join(headers, ",")}
}

// readWithKcat reads a topic to its end: lengths in front, because a value may have any bytes.
func readWithKcat(t *testing.T, kcat, broker, topic string) (records []kcatRecord) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, kcat, "-C", "-q", "-e", "-b", broker, "-t", topic, "-o", "beginning", "-X", "check.crcs=true",
		"-f", `%T %K %S %h\n%k%s`)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kcat: %v: %s", err, stderr.String())
	}
	for r := bufio.NewReader(bytes.NewReader(out)); ; {
		head, err := r.ReadString('\n')
		if err == io.EOF && head == "" {
			return records
		}
		var rec kcatRecord
		var key, value int
		if _, err := fmt.Sscanf(head, "%d %d %d %s\n", &rec.ms, &key, &value, &rec.headers); err != nil {
			t.Fatalf("kcat printed %q: %v", head, err)
		}
		b := make([]byte, key+value)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatalf("kcat's record ends early: %v", err)
		}
		rec.key, rec.value = string(b[:key]), string(b[key:])
		records = append(records, rec)
	}
}
