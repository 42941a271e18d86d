package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"flbgo/scripts/internal/fluentbit"
)

// secretHash is bcrypt's of secret, as a web configuration file has it. It is one to be kept, too.
const secretHash = "$2a$04$jPz753N3gEhpbyRWPTa7v.P8NqCuw8Qiknq8HjQAighZIR2XBfC.O"

// unseen fails the test for every line of a text that shows a secret.
func unseen(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, secret) || strings.Contains(line, secretHash[7:30]) {
			t.Errorf("a secret is seen: %s", line)
		}
	}
}

// writeFile writes a file that only this user may read, and returns its path.
func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startAll starts a host with the sections behind a SERVICE that logs all that there is to log and an input whose records
// have a secret in them, in a folder of its own that is also where it may keep temporary files.
func startAll(t *testing.T, h fluentbit.Host, sections string, env ...string) (p *fluentbit.Process, dir string) {
	t.Helper()
	dir = t.TempDir()
	plugins := "[PLUGINS]\n"
	for _, name := range []string{"flb-filter_enrich", "out_field_metrics", "out_kafka_batch"} {
		plugins += "    Path " + filepath.Join(root, "bin", name+".so") + "\n"
	}
	list := writeFile(t, dir, "plugins.conf", plugins)
	conf := writeFile(t, dir, "fluent-bit.conf", "[SERVICE]\n    Log_Level trace\n    Flush 0.2\n    Grace 1\n    Plugins_File "+list+
		"\n[INPUT]\n    Name dummy\n    Dummy {\"level\":\"info\",\"password\":\""+secret+"\",\"topic\":\"no topic "+secret+"\"}\n"+sections)
	p, err := h.Start(fluentbit.Options{Config: conf, Dir: dir, Log: filepath.Join(dir, "log"), Env: append(env, "TMPDIR="+dir, "HOME="+dir)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, dir
}

// All three plugins with secrets wherever they take some, at the noisiest level, right ones and then wrong ones: none is
// in what the process writes, in a metric or in what an HTTP client sees. The plugins leave no file behind.
func TestPluginsKeepSecrets(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "logs"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", secret))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		web := writeFile(t, t.TempDir(), "web.yml", "basic_auth_users:\n  u: "+secretHash+"\n")
		password := writeFile(t, t.TempDir(), "password", secret+"\n")
		ports := []string{freePort(t), freePort(t), freePort(t)}
		sections := fmt.Sprintf("[FILTER]\n    Name enrich\n    Match *\n    Sources ecs,otel\n    Refresh 1s\n    Listen 127.0.0.1:%s\n    Web_Config_File %s\n"+
			"[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Metric_Name n_total\n    Label_Field level\n    Listen 127.0.0.1:%s\n    Web_Config_File %s\n"+
			"[OUTPUT]\n    Name kafka_batch\n    Match *\n    Workers 1\n    Brokers %s\n    Topics logs\n    Topic_Key topic\n    Headers authorization=Bearer %s\n"+
			"    Security_Protocol sasl_plaintext\n    SASL_Mechanism PLAIN\n    SASL_Username u\n    SASL_Password_File %s\n    Flush_Timeout 900ms\n    Listen 127.0.0.1:%s\n    Web_Config_File %s\n",
			ports[0], web, ports[1], web, c.ListenAddrs()[0], secret, password, ports[2], web)
		p, dir := startAll(t, h, sections, "ECS_CONTAINER_METADATA_URI_V4=http://u:"+secret+"@127.0.0.1:"+freePort(t)+"/"+"v4")

		seen := ""
		// ask gets what every plugin serves, and wants that status from all of them.
		ask := func(password string, status int) {
			t.Helper()
			for _, port := range ports {
				for _, path := range []string{"/metrics", "/healthz"} {
					code, body := askAs(t, "http://127.0.0.1:"+port+path, password)
					if seen += body; code != status {
						t.Errorf("%s at %s: %d, want %d: %s", path, port, code, status, body)
					}
				}
			}
		}
		within(t, 10*time.Second, "records in Kafka", func() bool {
			_, page := askAs(t, "http://127.0.0.1:"+ports[2]+"/metrics", secret)
			return strings.Contains(page, "\nkafka_batch_records_acknowledged_total") && !strings.Contains(page, `records_acknowledged_total{client_id="fluent-bit"} 0`)
		})
		ask(secret, http.StatusOK)
		ask("not "+secret, http.StatusUnauthorized)
		// Somebody spoils the files: everything that reads them again has something to say.
		for _, wrong := range []string{"basic_auth_users: " + secret + "\n", "basic_auth_users:\n  u: *" + secret + "\n", "basic_auth_users: !" + secret + " x\n"} {
			if err := os.WriteFile(web, []byte(wrong), 0o600); err != nil {
				t.Fatal(err)
			}
			ask(secret, http.StatusInternalServerError)
		}
		if err := p.Stop(15 * time.Second); err != nil {
			t.Error(err)
		}
		said := strings.Join(p.Lines(), "\n")
		for _, want := range []string{"headers=***", "Unable to parse configuration", "a source of attributes could not be read"} {
			if !strings.Contains(said, want) {
				t.Errorf("the host does not say %q", want)
			}
		}
		unseen(t, said)
		unseen(t, seen)
		// What they wrote would be here: it is where the process began, its home and the place for temporary files.
		if left := filesOf(t, dir); !slices.Equal(left, []string{"fluent-bit.conf", "log", "plugins.conf"}) {
			t.Errorf("files are left: %q", left)
		}
		if t.Failed() {
			t.Logf("the end of its log:\n%s", p.Tail(30))
		}
	})
}

// A start that is refused names the option and what is wrong, and no secret.
func TestRefusalsKeepSecrets(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		dir := t.TempDir()
		token := writeFile(t, dir, "token", secret) // given where another file is meant
		plain := writeFile(t, dir, "plain.yml", "basic_auth_users:\n  u: "+secret+"\n")
		alias := writeFile(t, dir, "alias.yml", "basic_auth_users:\n  u: *"+secret+"\n")
		tag := writeFile(t, dir, "tag.yml", "basic_auth_users: !"+secret+" x\n")
		with := func(name, plugin, options string) struct{ name, sections, says string } {
			section := "[OUTPUT]\n    Name " + plugin + "\n    Workers 1\n    Match *\n    " + options + "\n"
			if plugin == "enrich" {
				section = "[FILTER]\n    Name enrich\n    Match *\n    " + options + "\n[OUTPUT]\n    Name null\n    Match *\n"
			}
			return struct{ name, sections, says string }{name, section, "option " + strings.ToLower(strings.Fields(options)[0])}
		}
		cases := []struct{ name, sections, says string }{
			with("an address with a password", "kafka_batch", "Brokers u:"+secret+"@127.0.0.1:9092"),
			with("a URL with a password", "kafka_batch", "Brokers https://u:"+secret+",x@127.0.0.1"),
			with("librdkafka's name for it", "kafka_batch", "rdkafka.bootstrap.servers u:"+secret+"@127.0.0.1:9092"),
			with("a registry's password", "kafka_batch", "schema_registry_url https://u:"+secret+"@127.0.0.1\n    Brokers a"),
			with("a command", "kafka_batch", "rdkafka.sasl.kerberos.kinit.cmd kinit -w "+secret+"\n    Brokers a"),
			with("headers", "kafka_batch", "Headers Bearer "+secret+"\n    Brokers a"),
			with("extensions", "kafka_batch", "SASL_OAuthBearer_Extensions auth="+secret+"\n    Brokers a"),
			with("a token for an authority", "kafka_batch", "SSL_CA_File "+token+"\n    Security_Protocol ssl\n    Brokers a"),
			with("a token for metrics", "field_metrics", "Metrics_File "+token),
		}
		for _, plugin := range []string{"enrich", "field_metrics", "kafka_batch"} {
			for _, file := range []string{token, plain, alias, tag} {
				options := "Web_Config_File " + file + "\n    Listen 127.0.0.1:0"
				switch plugin {
				case "field_metrics":
					options += "\n    Metric_Name n_total"
				case "kafka_batch":
					options += "\n    Brokers a"
				}
				cases = append(cases, with(plugin+", "+filepath.Base(file), plugin, options))
			}
			if plugin != "field_metrics" {
				continue
			}
			cases = append(cases, with(plugin+", a URL", plugin, "Listen http://u:"+secret+"@127.0.0.1:0\n    Metric_Name n_total"))
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				p, _ := startAll(t, h, c.sections)
				select {
				case <-p.Done():
				case <-time.After(20 * time.Second):
					t.Error("the host goes on with a wrong configuration")
					p.Kill()
				}
				said := strings.Join(p.Lines(), "\n")
				if !strings.Contains(said, c.says) {
					t.Errorf("the host does not say %q", c.says)
				}
				unseen(t, said)
				if t.Failed() {
					t.Logf("the end of its log:\n%s", p.Tail(15))
				}
			})
		}
	})
}

// Without being told otherwise the plugins listen for this machine alone: field_metrics at its default, the others not at
// all. Told otherwise they do as they are told, which also shows that the test would see it.
func TestListenersAreOnLoopback(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			outputs := "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Metric_Name n_total\n%s[OUTPUT]\n    Name kafka_batch\n    Match *\n    Workers 1\n    Brokers 127.0.0.1:1\n%s"
			f := func(sections string, want ...string) {
				t.Helper()
				var p *fluentbit.Process
				// The default's port is one for the whole machine.
				within(t, 30*time.Second, "a start", func() bool {
					p, _ = startAll(t, h, sections)
					if p.WaitFor("kafka_batch.1] started", 10*time.Second) == nil {
						return true
					}
					if !strings.Contains(strings.Join(p.Lines(), "\n"), "address already in use") {
						t.Fatalf("it does not start:\n%s", p.Tail(20))
					}
					return false
				})
				defer p.Kill()
				if got := listening(t, p.PID()); !slices.Equal(got, want) {
					t.Errorf("it listens on %q, want %q", got, want)
				}
			}
			f("[FILTER]\n    Name enrich\n    Match *\n"+fmt.Sprintf(outputs, "", ""), "127.0.0.1:2021")
			a, b, c := freePort(t), freePort(t), freePort(t)
			want := []string{":::" + a, ":::" + b, ":::" + c} // to Go, 0.0.0.0 is both families
			slices.Sort(want)
			f("[FILTER]\n    Name enrich\n    Match *\n    Listen :"+a+"\n"+fmt.Sprintf(outputs, "    Listen :"+b+"\n", "    Listen 0.0.0.0:"+c+"\n"), want...)
		})
	}
}

// askAs gets a page with a password.
func askAs(t *testing.T, url, password string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("u", password)
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(b)
}

// within waits for something, and fails the test when it does not come.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, limit)
		}
	}
}

// filesOf are the files below a folder.
func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// listening are the TCP addresses at which a process listens, in order.
func listening(t *testing.T, pid int) (addresses []string) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	its := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil {
			its[to] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(filepath.Join(proc, "net", table))
		if err != nil && table == "tcp" {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			const local, state, inode, listen = 1, 3, 9, "0A"
			f := strings.Fields(line)
			if len(f) > inode && f[state] == listen && its["socket:["+f[inode]+"]"] {
				addresses = append(addresses, address(t, f[local]))
			}
		}
	}
	slices.Sort(addresses)
	return addresses
}

// address reads the kernel's form: 32-bit words of this machine's byte order (little endian), and the port.
func address(t *testing.T, text string) string {
	t.Helper()
	host, port, _ := strings.Cut(text, ":")
	ip, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil {
		t.Fatalf("%q is no address of /proc", text)
	}
	for i := 0; i+4 <= len(ip); i += 4 {
		slices.Reverse(ip[i : i+4])
	}
	return net.IP(ip).String() + ":" + strconv.FormatUint(n, 10)
}
