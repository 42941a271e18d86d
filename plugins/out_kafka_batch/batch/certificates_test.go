package batch

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/youmark/pkcs8"
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

	write(t, cert, []byte("rubbish"))
	o.cluster.transport.CloseIdleConnections()
	flush(t, o, chunkOf("still good", 10), "app")
	write(t, cert, renewed.cert)

	other := second.issue(t, soon)
	s.cert.Store(&other.pair)
	o.cluster.check() // connections that are open stay good
	eventually(t, "the other authority's certificate is refused", func() bool { return o.cluster.isUnreachable() })
	write(t, ca, append(bytes.Clone(first.pem), second.pem...))
	flush(t, o, chunkOf("b", 10), "app")
	if book.count("certificates were read again") != 3 {
		t.Error("not three lines about renewals")
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
	//lint:ignore SA1019 old files have it
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", sec1, []byte(password), x509.PEMCipherAES256)
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

// encryptPKCS8 writes a key as openssl does.
func encryptPKCS8(t testing.TB, key *ecdsa.PrivateKey, password string) []byte {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(key, []byte(password), nil)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
}
