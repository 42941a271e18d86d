package batch

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/youmark/pkcs8"

	"flbgo/shared/option"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issued is a certificate with its key, as files have them and as a server takes them.
type issued struct {
	cert, key []byte
	private   *ecdsa.PrivateKey
	pair      tls.Certificate
}

// issue makes a certificate for 127.0.0.1, or for the names.
func (a *authority) issue(t testing.TB, notAfter time.Time, names ...string) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: notAfter, DNSNames: names, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if len(names) == 0 {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	i := issued{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), private: key}
	if i.pair, err = tls.X509KeyPair(i.cert, i.key); err != nil {
		t.Fatal(err)
	}
	return i
}

var soon = time.Now().Add(time.Hour)

// file writes a file and returns its name.
func file(t testing.TB, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	write(t, name, content)
	return name
}

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// server is a broker's side of TLS. Its certificate can be replaced.
type server struct {
	cert   atomic.Pointer[tls.Certificate]
	config *tls.Config
}

func newServer(cert issued) *server {
	s := &server{}
	s.cert.Store(&cert.pair)
	s.config = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load(), nil }}
	return s
}

// wantsClient makes the server want a client's certificate of the authority.
func (s *server) wantsClient(a *authority) *server {
	s.config.ClientAuth, s.config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	s.config.ClientCAs.AddCert(a.cert)
	return s
}

// turnedAway flushes once and holds the log to a line that says why nothing is delivered, and what to look at.
func turnedAway(t *testing.T, o *Output, book *logBook, want ...string) {
	t.Helper()
	go func() { _ = o.Flush(chunkOf("a", 10), "app", false) }()
	eventually(t, "a line", func() bool {
		return book.count("level=WARN") > 0 && (book.count("do not accept each other") > 0 || book.count("no Kafka broker can be reached") > 0)
	})
	var warnings strings.Builder
	for line := range strings.Lines(book.String()) {
		if strings.Contains(line, "level=WARN") {
			warnings.WriteString(line)
		}
	}
	for _, w := range want {
		if !strings.Contains(warnings.String(), w) {
			t.Errorf("%q is in no warning: %s", w, book)
		}
	}
	if r := o.stats.records(); sum(r.dropped)+sum(r.dead)+r.acknowledged != 0 {
		t.Errorf("%+v", r)
	}
}

const mendable = "do not accept each other"

// What a broker's certificate may be, and what this side knows of it.
func TestTLS(t *testing.T) {
	right, other := newAuthority(t), newAuthority(t)
	ca := file(t, right.pem)
	f := func(name string, cert issued, wants []string, options ...string) {
		t.Run(name, func(t *testing.T) {
			s := newServer(cert)
			c := broker(t, 1, kfake.TLS(s.config))
			o, book := output(t, c.ListenAddrs(), append([]string{"security_protocol", "SSL", "flush_timeout", "1s"}, options...)...)
			if wants != nil {
				turnedAway(t, o, book, wants...)
				return
			}
			flush(t, o, chunkOf("a", 10), "app")
			consume(t, c.ListenAddrs(), kgo.DialTLSConfig(&tls.Config{InsecureSkipVerify: true})).expect(t, 10, "a")
		})
	}
	valid, named, expired := right.issue(t, soon), right.issue(t, soon, "kafka.example.com"), right.issue(t, time.Now().Add(-time.Minute))
	f("right", valid, nil, "ssl_ca_file", ca)
	f("right, as text", valid, nil, "ssl_ca_pem", strings.ReplaceAll(string(right.pem), "\n", `\n`))
	f("right, in a directory", valid, nil, "ssl_ca_file", filepath.Dir(ca))
	f("expired", expired, []string{mendable, "expired", "has to be renewed"}, "ssl_ca_file", ca)
	f("of another authority", other.issue(t, soon), []string{mendable, "see ssl_ca_file"}, "ssl_ca_file", ca)
	f("not of the system's authorities", valid, []string{mendable, "see ssl_ca_file"})
	f("for another host", named, []string{mendable, "is for other names", "ssl_server_name"}, "ssl_ca_file", ca)
	f("for the name that is given", named, nil, "ssl_ca_file", ca, "ssl_server_name", "kafka.example.com")
	f("for another host, which is allowed", named, nil, "ssl_ca_file", ca, "ssl_verify_hostname", "off")
	f("of another authority, and any host is allowed", other.issue(t, soon), []string{mendable, "see ssl_ca_file"}, "ssl_ca_file", ca, "ssl_verify_hostname", "off")
	f("expired, and any host is allowed", expired, []string{mendable, "has to be renewed"}, "ssl_ca_file", ca, "ssl_verify_hostname", "off")
	f("not verified", expired, nil, "ssl_verify", "off")
}

// The two sides speak of different things on the port.
func TestProtocolMismatch(t *testing.T) {
	right := newAuthority(t)
	f := func(name string, opts []kfake.Opt, wants []string, options ...string) {
		t.Run(name, func(t *testing.T) {
			c := broker(t, 1, opts...)
			o, book := output(t, c.ListenAddrs(), append([]string{"flush_timeout", "1s"}, options...)...)
			turnedAway(t, o, book, wants...)
		})
	}
	withTLS := kfake.TLS(newServer(right.issue(t, soon)).config)
	f("plaintext to TLS", []kfake.Opt{withTLS}, []string{"security_protocol"})
	f("TLS to plaintext", nil, []string{"security_protocol"}, "security_protocol", "ssl", "ssl_ca_file", file(t, right.pem))
	f("plaintext to SASL", []kfake.Opt{kfake.EnableSASL()}, []string{"security_protocol"})
	old := &tls.Config{Certificates: []tls.Certificate{right.issue(t, soon).pair}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	f("TLS 1.1", []kfake.Opt{kfake.TLS(old)}, []string{mendable, "no TLS version in common"}, "security_protocol", "ssl", "ssl_ca_file", file(t, right.pem))
}

// A broker that wants the client's certificate.
func TestMutualTLS(t *testing.T) {
	right, other := newAuthority(t), newAuthority(t)
	ca := file(t, right.pem)
	client := right.issue(t, soon)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		f := func(name string, wants []string, options ...string) {
			t.Run(tls.VersionName(version)+" "+name, func(t *testing.T) {
				s := newServer(right.issue(t, soon)).wantsClient(right)
				s.config.MinVersion, s.config.MaxVersion = version, version
				c := broker(t, 1, kfake.TLS(s.config))
				o, book := output(t, c.ListenAddrs(), append([]string{"security_protocol", "ssl", "ssl_ca_file", ca, "flush_timeout", "1s"}, options...)...)
				if wants != nil {
					turnedAway(t, o, book, wants...)
					return
				}
				flush(t, o, chunkOf("a", 10), "app")
			})
		}
		f("right", nil, "ssl_certificate_file", file(t, client.cert), "ssl_key_file", file(t, client.key))
		f("right, as text", nil, "ssl_certificate_pem", string(client.cert), "ssl_key_pem", string(client.key))
		f("missing", []string{mendable, "see ssl_certificate_file"})
		foreigner := other.issue(t, soon)
		f("of another authority", []string{mendable, "see ssl_certificate_file"}, "ssl_certificate_file", file(t, foreigner.cert), "ssl_key_file", file(t, foreigner.key))
		late := right.issue(t, time.Now().Add(-time.Minute))
		f("expired", []string{mendable, "see ssl_certificate_file", "the certificate of ssl_certificate_file expired at"},
			"ssl_certificate_file", file(t, late.cert), "ssl_key_file", file(t, late.key))
	}
}

// An agent runs for months. The client's certificate expires and is renewed on disk, the broker's comes from another
// authority one day: new connections use what is there then. What is half written is not used.
func TestCertificatesAreRenewed(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	s := newServer(first.issue(t, soon)).wantsClient(first)
	c := broker(t, 1, kfake.TLS(s.config))
	late, renewed := first.issue(t, time.Now().Add(-time.Minute)), first.issue(t, soon)
	ca, cert, key := file(t, first.pem), file(t, late.cert), file(t, late.key)
	o, book := output(t, c.ListenAddrs(), "security_protocol", "ssl", "ssl_ca_file", ca, "ssl_certificate_file", cert, "ssl_key_file", key)
	turnedAway(t, o, book, mendable, "see ssl_certificate_file")
	write(t, cert, renewed.cert)
	eventually(t, "a line about half a renewal", func() bool { return book.count("cannot be used; those from before stay") > 0 })
	write(t, key, renewed.key)
	flush(t, o, chunkOf("a", 10), "app")

	other := second.issue(t, soon)
	s.cert.Store(&other.pair)
	o.cluster.check() // connections that are open stay good
	eventually(t, "the other authority's certificate is refused", func() bool { return o.cluster.isUnreachable() })
	write(t, ca, append(bytes.Clone(first.pem), second.pem...))
	flush(t, o, chunkOf("b", 10), "app")
	if book.count("certificates were read again") != 2 {
		t.Error("not two lines about renewals")
	}
}

// The key comes in each form that openssl writes.
func TestKeyForms(t *testing.T) {
	const password = "let me in"
	client := newAuthority(t).issue(t, soon)
	sec1, err := x509.MarshalECPrivateKey(client.private)
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", sec1, []byte(password), x509.PEMCipherAES256) //nolint:staticcheck // what old files have
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(client.key)
	f := func(name string, key []byte, password, want string) {
		t.Helper()
		text, err := decryptKey(key, password)
		if err == nil {
			_, err = tls.X509KeyPair(client.cert, text)
		}
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	encrypted := encryptPKCS8(t, client.private, password)
	f("PKCS#8", client.key, "", "")
	f("PKCS#8, and a password that nobody needs", client.key, password, "")
	f("SEC 1 behind its parameters", append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...), "", "")
	f("SEC 1 encrypted", pem.EncodeToMemory(legacy), password, "")
	f("SEC 1 encrypted", pem.EncodeToMemory(legacy), "wrong", "ssl_key_password")
	f("SEC 1 encrypted", pem.EncodeToMemory(legacy), "", "is encrypted, and ssl_key_password is not set")
	f("PKCS#8 encrypted", encrypted, password, "")
	if text, err := decryptKey([]byte(opensslKey), "secret"); err != nil || !hasBlock(text, "PRIVATE KEY") {
		t.Errorf("openssl's: %v", err)
	}
	f("PKCS#8 encrypted", encrypted, "wrong", "ssl_key_password")
	f("PKCS#8 encrypted", encrypted, "", "is encrypted, and ssl_key_password is not set")
	f("cut", encrypted[:len(encrypted)/2], password, "no PEM private key")
	f("no PEM", block.Bytes, "", "no PEM private key")
	f("a certificate", client.cert, "", "no PEM private key")
	f("nothing", nil, "", "no PEM private key")
	f("damaged", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: block.Bytes}), password, "cannot be decrypted")
}

// opensslKey was made with: openssl genpkey -algorithm ed25519 -aes256 -pass pass:secret
const opensslKey = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiG+3NMWjHKMQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJaxy0KDktQaykuqoPJeOzAEQK+N
c5JK9Fl1EuSBtwXENFER2vuovPAyQlwG7kE7NB+yVE+MttyNZ9srAQ8j+ChLNtab
GqL1Qk785HFtXjXewio=
-----END ENCRYPTED PRIVATE KEY-----
`

// Each of the mechanisms, with the right credentials, wrong ones, and none of that user.
func TestSASL(t *testing.T) {
	f := func(mechanism, user, password string, wants []string, options ...string) {
		t.Run(fmt.Sprint(mechanism, " ", user, " ", password, " ", options), func(t *testing.T) {
			c := broker(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanismPlain, "me", "pass"), kfake.Superuser(mechanismSCRAM256, "me", "pass"),
				kfake.Superuser(mechanismSCRAM512, "me", "pass"))
			o, book := output(t, c.ListenAddrs(), append([]string{"security_protocol", "sasl_plaintext", "sasl_mechanism", mechanism, "sasl_username", user,
				"sasl_password", password, "flush_timeout", "1s"}, options...)...)
			if wants != nil {
				turnedAway(t, o, book, wants...)
				return
			}
			flush(t, o, chunkOf("a", 10), "app")
			consume(t, c.ListenAddrs(), kgo.SASL(plain.Auth{User: "me", Pass: "pass"}.AsMechanism())).expect(t, 10, "a")
		})
	}
	for _, mechanism := range []string{mechanismPlain, mechanismSCRAM256, mechanismSCRAM512} {
		f(mechanism, "me", "pass", nil)
		f(mechanism, "me", "hunter2", []string{mendable, "see sasl_username and sasl_password (sasl_mechanism " + mechanism + ")"})
		f(mechanism, "you", "pass", []string{mendable, "see sasl_username and sasl_password"})
		f(mechanism, "me", "", nil, "sasl_password_file", file(t, []byte("pass\n")))
		f(mechanism, "me", "", []string{mendable, "see sasl_username and sasl_password_file"}, "sasl_password_file", file(t, []byte("hunter2\n")))
		f(mechanism, "me", "", []string{mendable, "sasl_password_file", "is empty"}, "sasl_password_file", file(t, []byte("\n")))
		f(mechanism, "me", "", []string{mendable, "sasl_password_file: stat /nowhere"}, "sasl_password_file", "/nowhere")
	}
}

// Everything at once.
func TestSASLOverTLS(t *testing.T) {
	right := newAuthority(t)
	client := right.issue(t, soon)
	c := broker(t, 3, kfake.NumBrokers(3), kfake.TLS(newServer(right.issue(t, soon)).wantsClient(right).config), kfake.EnableSASL(), kfake.Superuser(mechanismSCRAM512, "me", "pass"))
	o, _ := output(t, c.ListenAddrs(), "security_protocol", "sasl_ssl", "ssl_ca_file", file(t, right.pem), "ssl_certificate_file", file(t, client.cert),
		"ssl_key_file", file(t, encryptPKCS8(t, client.private, "secret")), "ssl_key_password", "secret",
		"sasl_mechanism", "scram-sha-512", "sasl_username", "me", "sasl_password", "pass")
	flush(t, o, chunkOf("a", 10), "app")
}

// encryptPKCS8 writes a key as openssl does.
func encryptPKCS8(t testing.TB, key *ecdsa.PrivateKey, password string) []byte {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(key, []byte(password), nil)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
}

// The broker has none of the mechanisms that this client is to use.
func TestUnknownMechanism(t *testing.T) {
	c := broker(t, 1, kfake.EnableSASL())
	o, book := output(t, c.ListenAddrs(), "security_protocol", "sasl_plaintext", "sasl_mechanism", "OAUTHBEARER",
		"sasl_oauthbearer_token_file", file(t, []byte("token")), "flush_timeout", "1s")
	turnedAway(t, o, book, mendable, "does not offer sasl_mechanism OAUTHBEARER")
}

// The broker's codes for refused credentials do not pass by themselves, and its messages may repeat what it was told.
func TestSASLCodes(t *testing.T) {
	for _, code := range []int16{58, 34, 33} {
		const secret = "hunter2hunter2"
		c := broker(t, 1, kfake.EnableSASL())
		c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			message := "Authentication failed: " + secret + " is not it"
			res.ErrorCode, res.ErrorMessage = code, &message
			return res, nil, true
		})
		o, book := output(t, c.ListenAddrs(), "security_protocol", "sasl_plaintext", "sasl_mechanism", mechanismPlain, "sasl_username", "me",
			"sasl_password", secret, "flush_timeout", "1s")
		wants := []string{mendable, "sasl_"}
		if code != 33 {
			wants = append(wants, "*** is not it")
		}
		turnedAway(t, o, book, wants...)
		if book.count(secret) > 0 {
			t.Errorf("code %d: the password is in the log: %s", code, book)
		}
		if f := classifyError(o.cluster.checkNow(t)); f != failOperator {
			t.Errorf("code %d is of class %d", code, f)
		}
	}
}

// A secret is taken out of a text, and a short one is not told by what is missing from a word.
func TestHide(t *testing.T) {
	f := func(text, secret, want string) {
		t.Helper()
		if got := hide(text, secret); got != want {
			t.Errorf("%q without %q: %q", text, secret, got)
		}
	}
	f("Invalid username or password", "pass", "Invalid username or password")
	f("pass is not pass, nor is a pass-word: pass", "pass", "*** is not ***, nor is a ***-word: ***")
	f("apass passé pass", "pass", "apass passé ***")
	f("aaa aa", "aa", "aaa ***")
	f("xhunter2-hunter2-", "hunter2-hunter2-", "xhunter2-hunter2-"[:1]+"***")
	f("nothing", "", "nothing")
	f("", "pass", "")
}

// checkNow is the error of a request.
func (c *cluster) checkNow(t testing.TB) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.transport.CloseIdleConnections()
	_, _, err := c.producerID(ctx)
	if err == nil {
		t.Error("no error")
	}
	return err
}

// Somebody mends the credentials on the broker, or in the file here: what waited is delivered, without a restart.
func TestCredentialsAreMended(t *testing.T) {
	start := func(options ...string) (*kfake.Cluster, *Output, *logBook) {
		c := broker(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanismSCRAM512, "admin", "admin"), kfake.Superuser(mechanismSCRAM512, "me", "old"))
		o, book := output(t, c.ListenAddrs(), append([]string{"security_protocol", "sasl_plaintext", "sasl_mechanism", mechanismSCRAM512, "sasl_username", "me"}, options...)...)
		turnedAway(t, o, book, mendable)
		return c, o, book
	}
	read := func(c *kfake.Cluster) {
		consume(t, c.ListenAddrs(), kgo.SASL(scram.Auth{User: "admin", Pass: "admin"}.AsSha512Mechanism())).expect(t, 10, "a", "b")
	}
	c, o, book := start("sasl_password", "new")
	setPassword(t, c, "me", "new")
	flush(t, o, chunkOf("b", 10), "app")
	flush(t, o, chunkOf("a", 10), "app")
	read(c)
	if book.count("Kafka is reachable again") != 1 {
		t.Error("not one line that it is over")
	}

	password := file(t, []byte("wrong"))
	c, o, _ = start("sasl_password_file", password)
	write(t, password, []byte("old"))
	flush(t, o, chunkOf("b", 10), "app")
	flush(t, o, chunkOf("a", 10), "app")
	read(c)
}

// setPassword is what kafka-configs.sh --alter --add-config SCRAM-SHA-512=… does.
func setPassword(t testing.TB, c *kfake.Cluster, user, password string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.SASL(scram.Auth{User: "admin", Pass: "admin"}.AsSha512Mechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations, u.Salt = user, 2, 4096, []byte("salt salt salt")
	if u.SaltedPassword, err = pbkdf2.Key(sha512.New, password, u.Salt, int(u.Iterations), sha512.Size); err != nil {
		t.Fatal(err)
	}
	req.Upsertions = append(req.Upsertions, u)
	res, err := req.RequestWith(context.Background(), cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Results {
		if r.ErrorCode != 0 {
			t.Fatalf("code %d", r.ErrorCode)
		}
	}
}

// The brokers end sessions that are too old (connections.max.reauth.ms, KIP-368), at a time of their own: a batch that
// was on its way goes again over a connection that authenticates anew. Nothing is lost and nothing twice.
func TestSessionsExpire(t *testing.T) {
	var n sessionNet
	c := broker(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanismSCRAM256, "me", "pass"), n.option())
	o, book := output(t, c.ListenAddrs(), "security_protocol", "sasl_plaintext", "sasl_mechanism", mechanismSCRAM256, "sasl_username", "me", "sasl_password", "pass")
	var names []string
	for i := range 5 {
		names = append(names, fmt.Sprint("c", i))
		flush(t, o, chunkOf(names[i], 10), "app")
		n.expire()
	}
	consume(t, c.ListenAddrs(), kgo.SASL(scram.Auth{User: "me", Pass: "pass"}.AsSha256Mechanism())).expect(t, 10, names...)
	if book.count("level=WARN") > 0 {
		t.Error("a session that expires is worth no line")
	}
	if o.stats.newProducer.Load() != 0 {
		t.Error("a new producer id was needed")
	}
}

// sessionNet closes connections as a broker does whose sessions expire: at the next request.
type sessionNet struct {
	mu    sync.Mutex
	conns []*sessionConn
}

type sessionConn struct {
	net.Conn
	expired atomic.Bool
}

func (c *sessionConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.expired.Load() && n > 0 {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

type sessionListener struct {
	net.Listener
	n *sessionNet
}

func (l *sessionListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	s := &sessionConn{Conn: c}
	l.n.conns = append(l.n.conns, s)
	return s, nil
}

func (n *sessionNet) option() kfake.Opt {
	return kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return &sessionListener{l, n}, err
	})
}

func (n *sessionNet) expire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.expired.Store(true)
	}
	n.conns = nil
}

// A broker takes connections and says nothing more: during the TLS handshake, or while the client authenticates, where
// kafka-go has no deadline. Flushes answer within their time, Close returns, and nothing is left behind (goleak).
func TestHangingHandshakes(t *testing.T) {
	f := func(name string, addr string, wake func(), options ...string) {
		t.Run(name, func(t *testing.T) {
			defer wake()
			o, book := output(t, []string{addr}, append([]string{"flush_timeout", "300ms", "connect_timeout", "500ms"}, options...)...)
			start := time.Now()
			_ = o.Flush(chunkOf("a", 10), "app", false)
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("a flush took %v", d)
			}
			o.cluster.check()
			eventually(t, "a line", func() bool { return book.count("no Kafka broker can be reached") > 0 })
			eventually(t, "no more than the connection of a probe or two is open", func() bool {
				o.cluster.dialer.mu.Lock()
				defer o.cluster.dialer.mu.Unlock()
				return len(o.cluster.dialer.open) <= 2
			})
			start = time.Now()
			o.Close()
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("Close took %v", d)
			}
		})
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f("TLS", silent.Addr().String(), func() {}, "security_protocol", "ssl")
	f("plaintext", silent.Addr().String(), func() {})

	credentials := []string{"security_protocol", "sasl_plaintext", "sasl_mechanism", mechanismPlain, "sasl_username", "me", "sasl_password", "pass"}
	for _, key := range []kmsg.Key{kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate} {
		n := faultNet{key: uint16(key)}
		c := broker(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanismPlain, "me", "pass"), n.option())
		f(key.Name(), c.ListenAddrs()[0], n.holdAll(), credentials...)
	}
}

// One of two brokers hangs in its TLS handshake, or has a certificate that is not to be trusted. The other one is found.
func TestOneBadBrokerOfTwo(t *testing.T) {
	right, other := newAuthority(t), newAuthority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	wrong, err := tls.Listen("tcp", "127.0.0.1:0", newServer(other.issue(t, soon)).config)
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	go func() {
		for {
			c, err := wrong.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	c := broker(t, 1, kfake.TLS(newServer(right.issue(t, soon)).config))
	for _, bad := range []net.Listener{silent, wrong} {
		for i := range 4 { // the order is random
			o, _ := output(t, append([]string{bad.Addr().String()}, c.ListenAddrs()...), "security_protocol", "ssl", "ssl_ca_file", file(t, right.pem), "flush_timeout", "10s")
			if err := o.Flush(chunkOf(fmt.Sprint("c", i), 10), "app", false); err != nil {
				t.Errorf("%v: %v", bad.Addr(), err)
			}
		}
	}
}

// Combinations that make no sense end the start; each error names the option and what is wrong.
func TestSecurityErrors(t *testing.T) {
	right := newAuthority(t)
	client, another := right.issue(t, soon), right.issue(t, soon)
	ca, cert, key, otherKey := file(t, right.pem), file(t, client.cert), file(t, client.key), file(t, another.key)
	encrypted := file(t, encryptPKCS8(t, client.private, "secret"))
	f := func(want []string, options ...string) {
		t.Helper()
		_, _, err := parseConfig(getter(options...))
		if err == nil {
			t.Errorf("%v was accepted", options)
			return
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(want) {
			t.Errorf("%v: %d errors: %v", options, len(lines), err)
			return
		}
		for i, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("%v: %s\nwant %s", options, lines[i], w)
			}
		}
	}
	f([]string{"option security_protocol"}, "security_protocol", "tls")
	f([]string{"ssl_ca_file", "ssl_key_password: needs TLS", "ssl_verify"}, "ssl_ca_file", ca, "ssl_verify", "off", "ssl_key_password", "x")
	f([]string{"sasl_mechanism", "sasl_username", "sasl_password: needs SASL, which security_protocol ssl has not, for example: security_protocol sasl_ssl"},
		"security_protocol", "ssl", "sasl_mechanism", "PLAIN", "sasl_username", "me", "sasl_password", "x")
	f([]string{"ssl_ca_file: \"" + ca + "\": needs TLS, which security_protocol sasl_plaintext has not, for example: security_protocol sasl_ssl"},
		"security_protocol", "sasl_plaintext", "ssl_ca_file", ca, "sasl_mechanism", "PLAIN", "sasl_username", "me", "sasl_password", "x")

	ssl := func(want string, options ...string) {
		t.Helper()
		f([]string{want}, append([]string{"security_protocol", "ssl"}, options...)...)
	}
	ssl("option ssl_ca_file: \"/nowhere\": stat /nowhere: no such file", "ssl_ca_file", "/nowhere")
	ssl("ssl_ca_file", "ssl_ca_file", t.TempDir())
	ssl("is not a regular file", "ssl_ca_file", "/dev/null")
	ssl("has no PEM certificate in it", "ssl_ca_file", key)
	ssl("is set, and so is ssl_ca_file: only one of them is read", "ssl_ca_file", ca, "ssl_ca_pem", string(right.pem))
	ssl("needs its private key", "ssl_certificate_file", cert)
	ssl("needs its certificate", "ssl_key_file", key)
	ssl("option ssl_key_file: \""+otherKey+"\": with the certificate of ssl_certificate_file: tls: private key does not match", "ssl_certificate_file", cert, "ssl_key_file", otherKey)
	ssl("option ssl_certificate_file: \""+key+"\": has no PEM certificate", "ssl_certificate_file", key, "ssl_key_file", key)
	ssl("has no PEM private key", "ssl_certificate_file", cert, "ssl_key_file", cert)
	ssl("option ssl_key_file: \""+encrypted+"\": is encrypted, and ssl_key_password is not set", "ssl_certificate_file", cert, "ssl_key_file", encrypted)
	ssl("option ssl_key_file: \""+encrypted+"\": cannot be decrypted with ssl_key_password", "ssl_certificate_file", cert, "ssl_key_file", encrypted, "ssl_key_password", "hunter2")
	ssl("option ssl_key_password: is for a private key, and there is none", "ssl_key_password", "hunter2")
	ssl("which ssl_verify off does not", "ssl_verify", "off", "ssl_ca_file", ca)
	ssl("which ssl_verify off leaves out", "ssl_verify", "off", "ssl_verify_hostname", "on")

	sasl := func(want []string, options ...string) {
		t.Helper()
		f(want, append([]string{"security_protocol", "sasl_plaintext"}, options...)...)
	}
	sasl([]string{"option sasl_mechanism: is missing: security_protocol sasl_plaintext needs it, for example: sasl_mechanism SCRAM-SHA-512"})
	sasl([]string{`option sasl_mechanism: "GSSAPI": must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER`}, "sasl_mechanism", "GSSAPI")
	sasl([]string{"option sasl_username: is missing", "option sasl_password: is missing"}, "sasl_mechanism", "plain")
	sasl([]string{"option sasl_username: is missing"}, "sasl_mechanism", "SCRAM-SHA-256", "sasl_password", "hunter2")
	sasl([]string{"option sasl_password: is missing"}, "sasl_mechanism", "SCRAM-SHA-256", "sasl_username", "me")
	sasl([]string{"only one of them is read"}, "sasl_mechanism", "PLAIN", "sasl_username", "me", "sasl_password", "hunter2", "sasl_password_file", "/x")
	sasl([]string{"option sasl_password: or sasl_username has characters that SCRAM-SHA-512 does not allow"}, "sasl_mechanism", "SCRAM-SHA-512", "sasl_username", "me", "sasl_password", "hunter2\x07")
	sasl([]string{"option sasl_oauthbearer_token_file", "is not used by sasl_mechanism PLAIN"}[:1], "sasl_mechanism", "PLAIN", "sasl_username", "me", "sasl_password", "hunter2", "sasl_oauthbearer_token_file", "/x")
	sasl([]string{"option sasl_oauthbearer_token_file: is missing"}, "sasl_mechanism", "OAUTHBEARER")
	sasl([]string{"sasl_username", "option sasl_password: is not used by sasl_mechanism OAUTHBEARER"}, "sasl_mechanism", "OAUTHBEARER", "sasl_oauthbearer_token_file", "/x", "sasl_username", "me", "sasl_password", "hunter2")
	for _, bad := range []string{"auth=x", "a1=x", "a=x,a=y", "a=\x01", "a=ü", "=x"} {
		sasl([]string{"option sasl_oauthbearer_extensions"}, "sasl_mechanism", "OAUTHBEARER", "sasl_oauthbearer_token_file", "/x", "sasl_oauthbearer_extensions", bad)
	}
}

// Secrets are in every option that may hold one; the brokers refuse, repeat them in their messages, and are not to be
// trusted. None is in the log, at its most talkative, or in an error, whether the start fails or not.
func TestNoSecretInTheLog(t *testing.T) {
	right := newAuthority(t)
	client := right.issue(t, soon)
	const secret = "hunter2-3c0f9e"
	token := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImV4cCI6MX0." + secret
	encrypted := encryptPKCS8(t, client.private, secret)
	plainKey := string(client.key)
	for _, echo := range []string{secret, token} {
		c := broker(t, 1)
		mechanisms := []string{mechanismPlain, mechanismSCRAM256, mechanismOAuth}
		c.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			res := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
			res.SupportedMechanisms = mechanisms
			return res, nil, true
		})
		c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			message := "refused: " + echo + ` {"status":"` + echo + `"}`
			res.SASLAuthBytes, res.ErrorMessage = []byte(`{"status":"`+echo+`"}`), &message
			if !bytes.HasPrefix(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, []byte("n,,\x01")) {
				res.ErrorCode = 58
			}
			return res, nil, true
		})
		f := func(options ...string) {
			t.Helper()
			set := map[string]string{"brokers": strings.Join(c.ListenAddrs(), ","), "topics": "logs", "flush_timeout": "500ms"}
			for i := 0; i < len(options); i += 2 {
				set[options[i]] = options[i+1]
			}
			book := &logBook{}
			o, err := New(slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})), func(name string) string { return set[name] })
			if o != nil {
				go func() { _ = o.Flush(chunkOf("a", 10), "app", false) }()
				eventually(t, "a line", func() bool { return book.count("level=WARN") > 0 && o.cluster.isUnreachable() })
				o.Close()
			}
			all := fmt.Sprint(err, book)
			for _, s := range []string{secret, token, strings.Split(plainKey, "\n")[1], strings.Split(string(encrypted), "\n")[1]} {
				if strings.Contains(all, s) {
					t.Errorf("%v: %q is in %s", options, s, all)
				}
			}
		}
		tokenFile, passwordFile := file(t, []byte(token)), file(t, []byte(secret))
		for _, protocol := range []string{"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"} { // most of these fail the start
			f("security_protocol", protocol, "sasl_mechanism", mechanismPlain, "sasl_username", "me", "sasl_password", secret, "ssl_key_password", secret,
				"ssl_key_pem", string(encrypted), "ssl_certificate_pem", string(client.cert), "sasl_password_file", passwordFile)
			f("security_protocol", protocol, "ssl_key_pem", plainKey, "ssl_key_password", secret, "ssl_certificate_pem", string(right.pem))
			f("security_protocol", protocol, "ssl_key_pem", string(encrypted), "ssl_key_password", "not "+secret, "ssl_certificate_pem", string(client.cert))
		}
		for i := range foreigns {
			if f0 := &foreigns[i]; f0.secret || f0.target != "" && rowOf(f0.target).Secret {
				for _, key := range f0.keys {
					f(key, secret)
				}
			}
		}
		for _, m := range mechanisms[:2] {
			f("security_protocol", "sasl_plaintext", "sasl_mechanism", m, "sasl_username", "me", "sasl_password", secret)
			f("security_protocol", "sasl_plaintext", "sasl_mechanism", m, "sasl_username", "me", "sasl_password_file", passwordFile)
		}
		f("security_protocol", "sasl_plaintext", "rdkafka.sasl.mechanism", mechanismPlain, "rdkafka.sasl.username", "me", "rdkafka.sasl.password", secret)
		f("security_protocol", "sasl_plaintext", "rdkafka.sasl.mechanism", mechanismPlain, "sasl_username", "me", "rdkafka.sasl.password", secret, "sasl_password", "not "+secret)
		f("security_protocol", "sasl_plaintext", "sasl_mechanism", mechanismOAuth, "sasl_oauthbearer_token_file", tokenFile)
	}
}

func rowOf(name string) *option.Option {
	for i := range Options {
		if Options[i].Name == name {
			return &Options[i]
		}
	}
	return &option.Option{}
}
