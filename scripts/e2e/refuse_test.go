package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/fluentbit"
)

// startWith runs a small configuration and returns what the host said; it must end by itself.
func startWith(t *testing.T, h fluentbit.Host, sections string) string {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "fluent-bit.conf")
	text := "[SERVICE]\n    Log_Level info\n    Plugins_File " + filepath.Join(root, "conf/plugins.conf") +
		"\n[INPUT]\n    Name dummy\n" + sections
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	p, err := h.Start(fluentbit.Options{Config: conf, Dir: root, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		p.Kill()
		t.Errorf("%s went on with a wrong configuration", h)
	}
	return strings.Join(p.Lines(), "\n")
}

// A configuration error stops the start with a message that names the option, the value and what is allowed; several
// errors are said at once.
func TestConfigurationErrorStopsTheStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		name, sections string
		says           []string
	}{
		{"enrich", "[FILTER]\n    Name enrich\n    Match *\n    Attributes service.name\n    Trace zipkin\n[OUTPUT]\n    Name null\n    Match *\n",
			[]string{`option attributes: "service.name": must be name=value`, "for example: attributes", `option trace: "zipkin"`}},
		{"field_metrics", "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Metric_Name 9lives\n    Metric_Type thermometer\n",
			[]string{"option metric_name", "option metric_type", "histogram"}},
		{"port in use", "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Metric_Name n_total\n    Metric_Type counter\n    Listen " + busy.Addr().String() + "\n",
			[]string{"listen", busy.Addr().String(), "in use"}},
		{"unreadable file", "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Metric_Name n_total\n    Metric_Type counter\n    Listen 127.0.0.1:0\n    Web_Config_File /no/such/file.yml\n",
			[]string{"web_config_file", "/no/such/file.yml"}},
		{"kafka_batch", "[OUTPUT]\n    Name kafka_batch\n    Match *\n    Workers 1\n    Flush_Timeout soon\n    Compression rar\n",
			[]string{"option brokers is missing", "option flush_timeout", "option compression", "lz4"}},
	} {
		for _, h := range hosts {
			t.Run(c.name+"/"+h.Version, func(t *testing.T) {
				said := startWith(t, h, c.sections)
				for _, s := range c.says {
					if !strings.Contains(said, s) {
						t.Errorf("the log does not say %q:\n%s", s, said)
					}
				}
			})
		}
	}
}

// A daemon forks after the plugins were loaded, which Go does not survive: the start must fail, not hang.
func TestDaemonModeIsRefused(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			dir := t.TempDir()
			conf := filepath.Join(dir, "fluent-bit.conf")
			text := "[SERVICE]\n    Daemon On\n    Log_File " + filepath.Join(dir, "log") + "\n    Plugins_File " + filepath.Join(root, "conf/plugins.conf") +
				"\n[INPUT]\n    Name dummy\n[FILTER]\n    Name enrich\n    Match *\n[OUTPUT]\n    Name null\n    Match *\n"
			if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := h.Start(fluentbit.Options{Config: conf, Dir: root, Log: filepath.Join(dir, "out")})
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-p.Done():
			case <-time.After(20 * time.Second):
				p.Kill()
				t.Fatal("the start hangs")
			}
			deadline := time.Now().Add(10 * time.Second)
			for {
				b, _ := os.ReadFile(filepath.Join(dir, "log"))
				if strings.Contains(string(b), "cannot run in daemon mode") {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("not said in 10 s; the log:\n%s", b)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
}
