package fieldmetrics

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/tinylib/msgp/msgp"
	"go.uber.org/goleak"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are a section of the configuration.
type settings map[string]string

func (s settings) get(name string) string { return s[name] }

// start makes an instance that listens on a free port, unless s says otherwise, and is closed with the test.
func start(t testing.TB, s settings) *Plugin {
	t.Helper()
	p, err := open(t, s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, s settings, log io.Writer) (*Plugin, error) {
	if s["listen"] == "" {
		s["listen"] = "127.0.0.1:0"
	}
	p, err := New(slog.New(slog.NewTextHandler(log, nil)), s.get)
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

func path(t testing.TB, text string) record.Path {
	t.Helper()
	p, err := record.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rec is the msgpack of a record: names and values in turn.
func rec(fields ...any) []byte {
	b := msgp.AppendMapHeader(nil, uint32(len(fields)/2))
	for i := 0; i < len(fields); i += 2 {
		b = msgp.AppendString(b, fields[i].(string))
		var err error
		if b, err = msgp.AppendIntf(b, fields[i+1]); err != nil {
			panic(err)
		}
	}
	return b
}

// events is a chunk of records, half of them in the old form.
func events(records ...[]byte) []byte {
	var b []byte
	for i, r := range records {
		b = chunk.AppendEvent(b, 1700000000, uint32(i), nil, r, i%2 == 0)
	}
	return b
}

func flushed(t testing.TB, p *Plugin, data []byte) {
	t.Helper()
	if err := p.Flush(data, "app", false); err != nil {
		t.Fatalf("Flush: %v; it must never ask for a chunk again", err)
	}
}

// shows holds some of the metrics of the page to a text in the exposition format, HELP and TYPE included.
func shows(t *testing.T, p *Plugin, want string, names ...string) {
	t.Helper()
	if err := testutil.ScrapeAndCompare("http://"+p.Addr()+"/metrics", strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

// page is all that is served, a sample by its name and labels.
func page(t testing.TB, address string) map[string]string {
	t.Helper()
	samples := map[string]string{}
	for _, line := range strings.Split(body(t, address), "\n") {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			samples[line[:at]] = line[at+1:]
		}
	}
	return samples
}

func body(t testing.TB, address string) string {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, b)
	}
	return string(b)
}

// became checks what became of records: of those that are not named, none.
func became(t *testing.T, p *Plugin, metric string, want map[string]string) {
	t.Helper()
	got := page(t, p.Addr())
	for _, name := range resultNames {
		w := want[name]
		if w == "" {
			w = "0"
		}
		if g := got[`field_metrics_records_total{metric="`+metric+`",result="`+name+`"}`]; g != w {
			t.Errorf("%s: %s records, want %s", name, g, w)
		}
	}
}

// logs is a log that several goroutines may write.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sum is how many records the instance has accounted for.
func sum(t testing.TB, p *Plugin) (n float64) {
	t.Helper()
	for _, c := range p.rules[0].own.records {
		n += testutil.ToFloat64(c)
	}
	return n
}
