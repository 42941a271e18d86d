package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"flbgo/scripts/internal/fluentbit"
)

// secret marks what must not be seen anywhere.
const secret = "kQ7-hush"

// With a secret in every option that may have one, right and wrong ones, at the noisiest level, and against a broker that
// refuses them: no output of the process has it, nor has what listen serves.
func TestKafkaBatchKeepsSecrets(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "logs"), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "u", "other"), kfake.Superuser("SCRAM-SHA-256", "u", "other"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	password, token := file("password", secret+"-file\n"), file("token", secret+"-token")
	certificate := file("certificate", selfSigned(t))
	key := `-----BEGIN PRIVATE KEY-----\n` + secret + `\n-----END PRIVATE KEY-----`

	for _, s := range []struct {
		name, options string
		runs          bool // the start succeeds
		says          string
	}{
		{"plain", "Security_Protocol sasl_plaintext\nSASL_Mechanism PLAIN\nSASL_Username u\nSASL_Password " + secret, true, "uthenticat"},
		{"scram, file", "Security_Protocol sasl_plaintext\nSASL_Mechanism SCRAM-SHA-256\nSASL_Username u\nSASL_Password_File " + password, true, "uthenticat"},
		{"token", "Security_Protocol sasl_plaintext\nSASL_Mechanism OAUTHBEARER\nSASL_OAuthBearer_Token_File " + token, true, ""},
		{"librdkafka's names", "rdkafka.security.protocol sasl_plaintext\nrdkafka.sasl.mechanism PLAIN\nrdkafka.sasl.username u\nrdkafka.sasl.password " + secret, true, "uthenticat"},
		{"no TLS there", "Security_Protocol sasl_ssl\nSASL_Mechanism PLAIN\nSASL_Username u\nSASL_Password " + secret, true, ""},
		{"wrong key", "Security_Protocol ssl\nSSL_Certificate_File " + certificate + "\nSSL_Key_PEM " + key + "\nSSL_Key_Password " + secret, false, "ssl_key_pem"},
		{"key for a certificate", "Security_Protocol ssl\nSSL_Certificate_PEM " + key + "\nSSL_Key_PEM " + key, false, "ssl_certificate_pem"},
		{"key for an authority", "Security_Protocol ssl\nSSL_CA_PEM " + key, false, "ssl_ca_pem"},
		{"wrong key, librdkafka's names", "rdkafka.security.protocol ssl\nrdkafka.ssl.certificate.location " + certificate + "\nrdkafka.ssl.key.pem " + key + "\nrdkafka.ssl.key.password " + secret, false, "rdkafka.ssl.key.pem"},
		{"refused", "rdkafka.sasl.oauthbearer.client.secret " + secret + "\nrdkafka.ssl.keystore.password " + secret + "\nschema_registry_bearer_token " + secret + "\nschema_registry_http_passwd " + secret, false, "rdkafka.sasl.oauthbearer.client.secret"},
		{"where it does not belong", "SASL_Password " + secret + "\nSSL_Key_Password " + secret + "\nCompression rar", false, "sasl_password"},
	} {
		t.Run(s.name, func(t *testing.T) {
			eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
				dir, port := t.TempDir(), freePort(t)
				conf := fmt.Sprintf("[SERVICE]\n    Log_Level trace\n    Flush 0.2\n    Grace 1\n    Plugins_File %s\n[INPUT]\n    Name dummy\n[OUTPUT]\n    Name kafka_batch\n    Match *\n    Workers 1\n"+
					"    Brokers %s\n    Flush_Timeout 900ms\n    Listen 127.0.0.1:%s\n    %s\n", filepath.Join(root, "conf/plugins.conf"), c.ListenAddrs()[0], port, strings.ReplaceAll(s.options, "\n", "\n    "))
				path := filepath.Join(dir, "fluent-bit.conf")
				if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
					t.Fatal(err)
				}
				p, err := h.Start(fluentbit.Options{Config: path, Dir: root, Log: filepath.Join(dir, "log")})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Kill()
				served := ""
				select {
				case <-p.Done():
					if s.runs {
						t.Errorf("the host ended: %v", p.Err())
					}
				case <-time.After(2500 * time.Millisecond):
					if !s.runs {
						t.Error("the host runs with a wrong configuration")
					}
					served = get(t, "http://127.0.0.1:"+port+"/metrics") + get(t, "http://127.0.0.1:"+port+"/healthz")
				}
				if err := p.Stop(10 * time.Second); err != nil {
					t.Error(err)
				}
				said := strings.Join(p.Lines(), "\n")
				if s.says != "" && !strings.Contains(said, s.says) {
					t.Errorf("the host does not say %q", s.says)
				}
				for _, text := range []string{said, served} {
					for line := range strings.SplitSeq(text, "\n") {
						if strings.Contains(line, secret) {
							t.Errorf("a secret is seen: %s", line)
						}
					}
				}
				if t.Failed() {
					t.Logf("the end of its log:\n%s", p.Tail(25))
				}
			})
		})
	}
}

// selfSigned is a certificate as PEM, to whose key nobody has access.
func selfSigned(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
