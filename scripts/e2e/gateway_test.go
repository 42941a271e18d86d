package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/loggen"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority writes its own certificate to ca.pem in dir.
func newAuthority(t *testing.T, dir string) *authority {
	a := &authority{t: t, dir: dir}
	a.cert, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes NAME.pem and NAME.key.
func (a *authority) sign(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed, key
}

// The gateway for untrusted networks: a sender with the shared key over TLS and a client with a certificate deliver, one
// with another key and one without a certificate do not.
func TestEdgeGatewaySecure(t *testing.T) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			if !h.AtLeast(5, 0) {
				t.Skipf("%s: client certificates are checked from 5.0 on", h)
			}
			dir := t.TempDir()
			ca := newAuthority(t, dir)
			ca.sign("gateway", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
				ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
			ca.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			forward, https := freePort(t), freePort(t)
			r := newRig(t, h, "conf/edge-gateway/secure.conf",
				"FORWARD_LISTEN=127.0.0.1", "FORWARD_PORT="+forward, "FORWARD_SHARED_KEY=right", "HTTP_LISTEN=127.0.0.1", "HTTPS_PORT="+https,
				"TLS_CERT="+filepath.Join(dir, "gateway.pem"), "TLS_KEY="+filepath.Join(dir, "gateway.key"), "TLS_CLIENT_CA="+filepath.Join(dir, "ca.pem"),
				"GATEWAY_NAME=edge-7", "UPLINK_BYTES=2M", "HTTP_PORT="+freePort(t))
			r.startHost()
			secure := []string{"    Self_Hostname sender-1", "    tls On", "    tls.verify On", "    tls.ca_file " + filepath.Join(dir, "ca.pem")}
			stranger := newRig(t, h, "conf/edge-gateway/secure.conf") // for its folders
			startSender(t, stranger, h, forward, append(secure, "    Shared_Key wrong")...)
			stranger.write(loggen.Config{Streams: jsonStreams, Rate: 4000, Count: 500, StartSeq: 100_000, Seed: 25})
			startSender(t, r, h, forward, append(secure, "    Shared_Key right")...)
			r.write(loggen.Config{Streams: jsonStreams, Rate: 4000, Count: 4000, Seed: 24})
			r.mustBeWhole(r.await(20*time.Second), 4000) // and no event is there that was not written: the stranger's

			post := func(certificates ...tls.Certificate) (int, error) {
				pool := x509.NewCertPool()
				pool.AddCert(ca.cert)
				client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
					TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates}, DisableKeepAlives: true}}
				resp, err := client.Post("https://127.0.0.1:"+https+"/app", "application/json",
					strings.NewReader(`[{"level":"warn","msg":"posted 1"},{"level":"info","msg":"posted 2"}]`))
				if err != nil {
					return 0, err
				}
				defer resp.Body.Close()
				return resp.StatusCode, nil
			}
			if status, err := post(); err == nil {
				t.Errorf("a client without a certificate is answered %d", status)
			}
			certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
			if err != nil {
				t.Fatal(err)
			}
			if status, err := post(certificate); err != nil || status != http.StatusCreated {
				t.Errorf("a client with a certificate is answered %d, %v", status, err)
			}
			posted := 0
			for _, rec := range r.topicRecords(4002, 10*time.Second, r.Topic) {
				if bytes.Contains(rec.Value, []byte(`"posted `)) && bytes.Contains(rec.Value, []byte(`"gateway.name":"edge-7"`)) {
					posted++
				}
			}
			if posted != 2 {
				t.Errorf("%d posted records arrived", posted)
			}
		})
	}
}

// The systemd unit is one that systemd understands, and has next to no rights.
func TestEdgeGatewayUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze (Debian package systemd)")
	}
	unit, err := os.ReadFile(filepath.Join(root, "conf/edge-gateway/fluent-bit-edge.service"))
	if err != nil {
		t.Fatal(err)
	}
	// systemd looks for the program; the official package's is not here.
	path := filepath.Join(t.TempDir(), "fluent-bit-edge.service")
	if err := os.WriteFile(path, regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAll(unit, []byte("ExecStart=/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	// 0 is locked up, 100 is none of it.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=20", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
