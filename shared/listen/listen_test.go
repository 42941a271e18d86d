package listen

import (
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const free = "127.0.0.1:0"

// metrics is an instance that serves one counter.
func metrics(address, name string) Config {
	registry := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: "A counter."})
	c.Inc()
	registry.MustRegister(c)
	return Config{Address: address, Owner: "owner of " + name, Metrics: registry, Names: []string{name}, Log: slog.New(slog.DiscardHandler)}
}

func opened(t *testing.T, c Config) *Listener {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// refused fails the test if somebody listens at the address.
func refused(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
		t.Errorf("%s is still listened on", address)
	}
}

func TestPaths(t *testing.T) {
	c := metrics(free, "a_total")
	c.Handlers = map[string]http.Handler{"/extra": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "extra") })}
	l := opened(t, c)
	f := func(method, path string, status int, want string) {
		t.Helper()
		r, err := http.NewRequest(method, "http://"+l.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != status || !strings.Contains(string(b), want) {
			t.Errorf("%s %s: %d %q, want %d %q", method, path, resp.StatusCode, b, status, want)
		}
	}
	f("GET", "/metrics", 200, "a_total 1\n")
	f("HEAD", "/metrics", 200, "")
	f("POST", "/metrics", 405, "only GET")
	f("GET", "/healthz", 200, "ok\n")
	f("DELETE", "/healthz", 405, "only GET")
	f("GET", "/extra", 200, "extra")
	f("GET", "/", 404, "")
	f("GET", "/metrics/", 404, "")
	f("GET", "/debug/pprof/", 404, "") // what other packages put into the default mux is not served
}

// A scraper gets the form that it asks for: text, OpenMetrics, which alone of the two has exemplars, or protobuf; with
// gzip where it takes that.
func TestForms(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "a_total", Help: "A counter."})
	registry.MustRegister(c)
	c.(prometheus.ExemplarAdder).AddWithExemplar(1, prometheus.Labels{"trace_id": "abc"})
	l := opened(t, Config{Address: free, Owner: "a", Metrics: registry, Names: []string{"a_total"}})
	f := func(accept, encoding, wantType, want string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Encoding", encoding)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body := io.Reader(resp.Body)
		if got := resp.Header.Get("Content-Encoding"); got != encoding && encoding != "identity" {
			t.Errorf("%s: the encoding is %q, want %q", accept, got, encoding)
		}
		if encoding == "gzip" {
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, wantType) || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s\n%q", accept, got, b)
		}
		if hasExemplar := strings.Contains(string(b), "abc"); hasExemplar == (wantType == "text/plain") {
			t.Errorf("%s: exemplars: %v", accept, hasExemplar)
		}
	}
	for _, encoding := range []string{"gzip", "identity"} {
		f("", encoding, "text/plain", "a_total 1\n")
		f("text/plain;version=0.0.4", encoding, "text/plain", "a_total 1\n")
		f("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", encoding, "application/openmetrics-text", "# EOF\n")
		f("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", encoding, "application/vnd.google.protobuf", "a_total")
	}
}

func TestShared(t *testing.T) {
	a := opened(t, metrics(free, "a_total"))
	b := opened(t, metrics(a.Addr(), "b_total"))
	if a.Addr() != b.Addr() {
		t.Fatalf("%s and %s are not one listener", a.Addr(), b.Addr())
	}
	f := func(want, not string) {
		t.Helper()
		_, page := get(t, "http://"+b.Addr()+"/metrics")
		for _, w := range strings.Fields(want) {
			if !strings.Contains(page, w) {
				t.Errorf("no %s in:\n%s", w, page)
			}
		}
		if not != "" && strings.Contains(page, not) {
			t.Errorf("%s in:\n%s", not, page)
		}
	}
	f("a_total b_total", "")

	// the first one goes, the listener stays
	a.Close()
	f("b_total", "a_total")
	a.Close() // a second time must not count for b
	f("b_total", "a_total")

	// its name is free again
	c := opened(t, metrics(b.Addr(), "a_total"))
	f("a_total b_total", "")
	address := b.Addr()
	b.Close()
	c.Close()
	refused(t, address)
}

// Port 0 is a port of its own for each.
func TestPortZeroIsNotShared(t *testing.T) {
	a, b := opened(t, metrics(free, "a_total")), opened(t, metrics(free, "a_total"))
	if a.Addr() == b.Addr() {
		t.Errorf("both have %s", a.Addr())
	}
}

func TestClashes(t *testing.T) {
	c := metrics(free, "a_total")
	c.Handlers = map[string]http.Handler{"/x": http.NotFoundHandler()}
	a := opened(t, c)
	f := func(c Config, want ...string) {
		t.Helper()
		l, err := Open(c)
		if err == nil {
			l.Close()
			t.Errorf("%v: no error", c.Names)
			return
		}
		for _, w := range append(want, a.Addr()) {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q is not in: %v", w, err)
			}
		}
	}
	f(metrics(a.Addr(), "a_total"), "a_total is already served", "owner of a_total")
	_, err := Open(metrics(a.Addr(), "a_total"))
	if clash := (*NameError)(nil); !errors.As(err, &clash) || clash.Name != "a_total" || clash.Address != a.Addr() {
		t.Errorf("%#v is no NameError for a_total", err)
	}
	c = metrics(a.Addr(), "b_total")
	c.Handlers = map[string]http.Handler{"/x": http.NotFoundHandler()}
	f(c, "/x is already served", "owner of a_total")
	c.Handlers = map[string]http.Handler{"/metrics": http.NotFoundHandler()}
	f(c, "/metrics is the listener's own")
	c = metrics(a.Addr(), "b_total")
	c.WebConfigFile = webConfig(t, "")
	f(c, "no web configuration file", c.WebConfigFile)

	// None of those left anything behind.
	if _, page := get(t, "http://"+a.Addr()+"/metrics"); strings.Contains(page, "b_total") {
		t.Errorf("a clash is served:\n%s", page)
	}
	address := a.Addr()
	a.Close()
	refused(t, address)
}

// Somebody who hot reloads ends all instances and opens the same port at once, with connections open and scrapes on the
// way.
func TestReopen(t *testing.T) {
	l := opened(t, metrics(free, "a_total"))
	address := l.Addr()
	stop := make(chan struct{})
	var scrapes sync.WaitGroup
	for range 4 {
		scrapes.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if resp, err := client.Get("http://" + address + "/metrics"); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		})
	}
	for range 20 {
		l.Close()
		l = opened(t, metrics(address, "a_total"))
		if l.Addr() != address {
			t.Fatalf("%s instead of %s", l.Addr(), address)
		}
	}
	close(stop)
	scrapes.Wait()
	if status, _ := get(t, "http://"+address+"/metrics"); status != 200 {
		t.Errorf("status %d", status)
	}
}

// A client that says nothing, and a scrape that does not end, hold Close up for a bounded time.
func TestCloseIsBounded(t *testing.T) {
	c := metrics(free, "a_total")
	inside, release := make(chan struct{}), make(chan struct{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "slow_total", Help: "Slow."}, func() float64 {
		close(inside)
		<-release
		return 1
	}))
	c.Metrics = registry
	l := opened(t, c)
	silent, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	scraped := make(chan struct{})
	go func() {
		defer close(scraped)
		if resp, err := http.Get("http://" + l.Addr() + "/metrics"); err == nil {
			resp.Body.Close()
			t.Error("a scrape that could not be answered was")
		}
	}()
	<-inside

	address := l.Addr()
	closed := make(chan struct{})
	go func() { l.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(10 * closeTimeout):
		t.Fatal("Close waits for its clients")
	}
	refused(t, address)
	<-scraped
	close(release) // what is left of the scrape ends with its collector
}

func TestPortInUse(t *testing.T) {
	other, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	address := other.Addr().String()
	_, err = Open(metrics(address, "a_total"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"cannot listen on " + address, "address already in use", "choose another one"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	other.Close()
	opened(t, metrics(address, "a_total")) // the failure is not remembered
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:2021", ":2021", "[::1]:0", "localhost:65535", "[fe80::1%eth0]:1", Off} {
		if err := CheckAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"", "2021", "127.0.0.1", "::1:2021", "a:http", "a:65536", "a:-1", "a:+1", "a:01", "a:", "http://a:1", "u@a:1", "OFF", "a b:1"} {
		err := CheckAddress(address)
		if err == nil {
			t.Errorf("%q is taken", address)
		} else if !strings.Contains(err.Error(), "for example 127.0.0.1:2021") {
			t.Errorf("%q: no example in: %v", address, err)
		}
		if _, err := Open(Config{Address: address}); err == nil {
			t.Errorf("%q is opened", address)
		}
	}
}

func TestOff(t *testing.T) {
	l := opened(t, Config{Address: Off})
	if l.Addr() != "" {
		t.Errorf("off listens on %s", l.Addr())
	}
}

func TestHealth(t *testing.T) {
	var mu sync.Mutex
	var wrong error
	c := metrics(free, "a_total")
	c.Health = func() error { mu.Lock(); defer mu.Unlock(); return wrong }
	a := opened(t, c)
	b := opened(t, metrics(a.Addr(), "b_total"))
	f := func(status int, want string) {
		t.Helper()
		if s, body := get(t, "http://"+b.Addr()+"/healthz"); s != status || body != want {
			t.Errorf("%d %q, want %d %q", s, body, status, want)
		}
	}
	f(200, "ok\n")
	mu.Lock()
	wrong = errors.New("no broker")
	mu.Unlock()
	f(503, "owner of a_total: no broker\n")
	a.Close()
	f(200, "ok\n")
}

// A metric that panics or fails is missing on its page; the process and the others' metrics are not.
func TestBrokenCollector(t *testing.T) {
	var log safeLog
	good := metrics(free, "good_total")
	good.Log = slog.New(slog.NewTextHandler(&log, nil))
	a := opened(t, good)
	bad := metrics(a.Addr(), "bad_total")
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "bad_total", Help: "Bad."}, func() float64 { panic("broken") }))
	bad.Metrics = registry
	opened(t, bad)
	status, page := get(t, "http://"+a.Addr()+"/metrics")
	if status != 200 || !strings.Contains(page, "good_total 1\n") {
		t.Errorf("%d %s", status, page)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "broken") {
		t.Errorf("the log does not say why:\n%s", &log)
	}
}

// What the listener says goes to an instance that is there, and the toolkit's chatter is for debugging.
func TestLog(t *testing.T) {
	var first, second safeLog
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	c := metrics(free, "a_total")
	c.Log = slog.New(slog.NewTextHandler(&first, debug))
	a := opened(t, c)
	c = metrics(a.Addr(), "b_total")
	c.Log = slog.New(slog.NewTextHandler(&second, nil))
	b := opened(t, c)
	get(t, "http://"+a.Addr()+"/healthz") // it serves: it has said so
	if got := first.String(); !strings.Contains(got, "Listening on") || strings.Contains(got, "level=INFO") {
		t.Errorf("first log:\n%s", got)
	}
	a.Close()
	logger := b.server.logger().With("k", "v").WithGroup("g")
	logger.Warn("hello", "x", 1)
	logger.Info("quiet")
	if got := second.String(); !strings.Contains(got, "hello k=v g.x=1") || strings.Contains(got, "quiet") {
		t.Errorf("second log:\n%s", got)
	}
	if strings.Contains(first.String(), "hello") {
		t.Errorf("first log after its instance is gone:\n%s", &first)
	}
	b.Close()
	logger.Warn("to nobody")
}

type safeLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *safeLog) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *safeLog) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// webConfig writes a web configuration file.
func webConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTLSAndPassword(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	const hash = "$2a$04$sETAzv4wBPx6C2otL2zNyOssqnNHSf04ckGqNAIfC12E2.VyptFYS" // of hunter2
	file := filepath.Join(dir, "web.yml")
	text := "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  prometheus: " + hash + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := metrics(free, "a_total")
	c.WebConfigFile = file
	l := opened(t, c)
	c = metrics(l.Addr(), "b_total")
	c.WebConfigFile = file
	opened(t, c)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	f := func(scheme, path, user, password string, want int) {
		t.Helper()
		r, err := http.NewRequest("GET", scheme+"://"+l.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want || strings.Contains(string(b), "a_total") != (want == 200 && path == "/metrics") {
			t.Errorf("%s %s as %q: %d\n%s", scheme, path, user, resp.StatusCode, b)
		}
	}
	f("https", "/metrics", "", "", 401)
	f("https", "/metrics", "prometheus", "hunter3", 401)
	f("https", "/metrics", "prometheus", "hunter2", 200)
	f("https", "/healthz", "", "", 401)
	f("http", "/metrics", "prometheus", "hunter2", 400)
}

// With client certificates nobody gets in without one that the configured authority has signed.
func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	file := filepath.Join(dir, "web.yml")
	text := "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: cert.pem\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := metrics(free, "a_total")
	c.WebConfigFile = file
	l := opened(t, c)
	stranger := t.TempDir()
	certificate(t, stranger)
	f := func(folder string, want bool) {
		t.Helper()
		conf := &tls.Config{RootCAs: pool}
		if folder != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
			if err != nil {
				t.Fatal(err)
			}
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + l.Addr() + "/metrics")
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil && resp.StatusCode == 200) != want {
			t.Errorf("with the certificate of %q: %v", folder, err)
		}
	}
	f("", false)
	f(stranger, false)
	f(dir, true)
}

func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	return pool
}

// A web configuration file that is wrong stops the start, and its values are shown nowhere.
func TestWebConfigErrors(t *testing.T) {
	f := func(text string, want string) {
		t.Helper()
		file := webConfig(t, text)
		if err := CheckWebConfig(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		c := metrics(free, "a_total")
		c.WebConfigFile = file
		_, err := Open(c)
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q and the file", text, err, want)
			return
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: its content is in the error: %v", text, err)
		}
	}
	f("tls_server_config: hunter2\n", "line 1")
	f("basic_auth_users: hunter2\n", "line 1")
	f("basic_auth_users:\n  prometheus: hunter2\n", "hashedSecret too short")
	f("nothing: 1\n", "nothing not found")
	f("tls_server_config:\n  cert_file: absent.pem\n  key_file: absent.pem\n", "absent.pem")
	f("tls_server_config:\n  cert_file: absent.pem\n", "missing one of key or key_file")
	f("\t\n", "yaml")

	err := CheckWebConfig(filepath.Join(t.TempDir(), "absent.yml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A password may begin with any character, also with one that means something to YAML, which then speaks of it in a way
// of its own.
func TestWebConfigErrorsHaveNoPassword(t *testing.T) {
	wrong := 0
	for _, form := range []string{"%\n", "basic_auth_users: %\n", "basic_auth_users:\n  u: %\n", "basic_auth_users:\n  u:%\n", "basic_auth_users:\n  %\n",
		"tls_server_config:\n  cert: %\n  key: %\n", "http_server_config:\n  http2: %\n"} {
		for _, first := range []string{"", "*", "&", "!", "!!", "|", ">", "%", "@", "`", "'", `"`, "{", "[", "#", "?", ":", "-", ",", "]", "}", `\`, "`a`", "a: b: ", "<<: *", `"\q`} {
			err := CheckWebConfig(webConfig(t, strings.ReplaceAll(form, "%", first+"hunter2")))
			if err == nil {
				continue
			}
			if wrong++; strings.Contains(err.Error(), "unter2") {
				t.Errorf("%q: %q: %v", form, first, err)
			}
		}
	}
	if wrong < 50 {
		t.Errorf("only %d of the files are wrong", wrong)
	}
}

// lockedBuffer is written by the server and read by the test.
type lockedBuffer struct {
	sync.Mutex
	strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Builder.Write(p)
}

// The toolkit reads its file again for each request: what somebody has spoiled since the start is logged, and not what it
// says.
func TestWebConfigSpoiledWhileServing(t *testing.T) {
	var log lockedBuffer
	c := metrics(free, "a_total")
	c.WebConfigFile = webConfig(t, "")
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	l := opened(t, c)
	if status, _ := get(t, "http://"+l.Addr()+"/metrics"); status != http.StatusOK {
		t.Fatal(status)
	}
	f := func(text string) {
		t.Helper()
		if err := os.WriteFile(c.WebConfigFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, body := get(t, "http://"+l.Addr()+"/metrics")
		log.Lock()
		defer log.Unlock()
		if status != http.StatusInternalServerError || !strings.Contains(log.String(), "Unable to parse configuration") {
			t.Errorf("%q: %d, and the log says %q", text, status, log.String())
		}
		if strings.Contains(log.String()+body, "hunter2") {
			t.Errorf("%q: its content is seen:\n%s\n%s", text, log.String(), body)
		}
		log.Reset()
	}
	f("basic_auth_users: hunter2\n")
	f("basic_auth_users:\n  u: *hunter2\n")
	f("basic_auth_users: !hunter2 x\n")
}

// Instances come and go on several threads; the last one takes the listener with it.
func TestConcurrentOpenAndClose(t *testing.T) {
	keep := opened(t, metrics(free, "keep_total"))
	address := keep.Addr()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				l, err := Open(metrics(address, "m"+string(rune('a'+i))))
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
			}
		})
	}
	for range 10 {
		if status, _ := get(t, "http://"+address+"/metrics"); status != 200 {
			t.Errorf("status %d", status)
		}
	}
	all.Wait()
	keep.Close()
	refused(t, address)
}
