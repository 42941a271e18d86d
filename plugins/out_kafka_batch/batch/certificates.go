package batch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/youmark/pkcs8"
	"golang.org/x/time/rate"

	"flbgo/shared/option"
)

const (
	// maxPEM bounds a file of certificates or a key; the authorities of a whole system are 220 KB.
	maxPEM = 4 << 20
	// maxPEMFiles bounds a directory of authorities.
	maxPEMFiles = 1000
)

// certificates make the TLS side of connections. Files are read at start, where an error ends it, and again when they
// change: agents run for longer than certificates. A renewal that cannot be used is said, and what was there before
// stays. Safe for concurrent use.
type certificates struct {
	ca, cert, key pemSource
	password      string // of the key
	serverName    string // "" is the host of the address
	verify        bool   // the broker's certificate at all
	verifyName    bool   // and that it is for the host
	log           *slog.Logger

	mu     sync.Mutex
	config *tls.Config
	stamps string // of the files that config was made from
	notice rate.Sometimes
}

// pemSource is a file, or text in the configuration. The zero value is neither.
type pemSource struct {
	option string // that set it
	file   string
	text   string
}

func (p *pemSource) isSet() bool { return p.file != "" || p.text != "" }

// optionError is what is wrong with an option.
type optionError struct {
	option string
	err    error
}

func (e *optionError) Error() string { return e.option + ": " + e.err.Error() }

// Unwrap returns what is wrong.
func (e *optionError) Unwrap() error { return e.err }

func parseCertificates(v *option.Values) (c *certificates, warnings []note) {
	source := func(file, text string) pemSource {
		switch {
		case v.IsSet(file) && v.IsSet(text):
			v.Fail(text, "is set, and so is %s: only one of them is read", file)
		case v.IsSet(text):
			// Where a value is one line, line breaks are written \n.
			return pemSource{option: text, text: strings.ReplaceAll(v.Text(text), `\n`, "\n")}
		}
		return pemSource{option: file, file: v.Text(file)}
	}
	c = &certificates{
		ca:         source("ssl_ca_file", "ssl_ca_pem"),
		cert:       source("ssl_certificate_file", "ssl_certificate_pem"),
		key:        source("ssl_key_file", "ssl_key_pem"),
		password:   v.Text("ssl_key_password"),
		serverName: v.Text("ssl_server_name"),
		verify:     v.Bool("ssl_verify"),
		verifyName: v.Bool("ssl_verify_hostname"),
		notice:     rate.Sometimes{Interval: time.Minute},
	}
	switch {
	case c.cert.isSet() && !c.key.isSet():
		v.Fail(c.cert.option, "needs its private key, for example: ssl_key_file /etc/fluent-bit/client.key")
		return c, nil
	case c.key.isSet() && !c.cert.isSet():
		v.Fail(c.key.option, "needs its certificate, for example: ssl_certificate_file /etc/fluent-bit/client.crt")
		return c, nil
	case c.password != "" && !c.key.isSet():
		v.Fail("ssl_key_password", "is for a private key, and there is none, for example: ssl_key_file /etc/fluent-bit/client.key")
	}
	if !c.verify && c.ca.isSet() {
		v.Fail(c.ca.option, "verifies the broker's certificate, which ssl_verify off does not")
	}
	if !c.verify && v.IsSet("ssl_verify_hostname") && c.verifyName {
		v.Fail("ssl_verify_hostname", "is part of the verification, which ssl_verify off leaves out")
	}
	switch {
	case !c.verify:
		warnings = append(warnings, note{slog.LevelWarn, "ssl_verify off: the brokers' certificates are not verified, so that anybody in between can read and change everything"})
	case !c.verifyName:
		warnings = append(warnings, note{slog.LevelWarn, "ssl_verify_hostname off: a certificate of any host that the authorities signed is taken for a broker's"})
	}
	stamps := c.stamp()
	config, err := c.load()
	if err != nil {
		var o *optionError
		if errors.As(err, &o) {
			v.Fail(o.option, "%w", o.err)
		}
		return c, warnings
	}
	c.config, c.stamps = config, stamps
	if len(config.Certificates) > 0 {
		if leaf := config.Certificates[0].Leaf; leaf != nil && time.Now().After(leaf.NotAfter) {
			warnings = append(warnings, note{slog.LevelWarn, fmt.Sprintf("the certificate of %s expired at %s, unless this host's clock is wrong", c.cert.option, leaf.NotAfter.UTC().Format(time.RFC3339))})
		}
	}
	return c, warnings
}

// secure puts TLS on a connection to address. ctx bounds the handshake.
func (c *certificates) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	config := c.current()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	t := tls.Client(conn, config)
	err := t.HandshakeContext(ctx)
	switch {
	case err == nil:
		return t, nil
	case cutOff(err):
		return nil, &adviceError{text: "the broker closed the connection during the TLS handshake; if that stays it may not speak TLS on this port: see security_protocol and brokers"}
	case ctx.Err() != nil:
		return nil, &adviceError{text: "the broker does not answer the TLS handshake; if that stays it may not speak TLS on this port: see security_protocol and brokers", err: err}
	}
	if see := adviseTLS(err); see != "" {
		err = &adviceError{err.Error() + "; " + see, err, true}
	}
	return nil, err
}

// current is the configuration from the files as they are now.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps := c.stamp()
	if stamps == c.stamps {
		return c.config
	}
	config, err := c.load()
	if err != nil {
		c.notice.Do(func() {
			c.log.Warn("certificates have changed on disk and cannot be used; those from before stay", "error", err.Error())
		})
		return c.config
	}
	c.log.Info("certificates were read again: their files have changed")
	c.config, c.stamps = config, stamps
	return config
}

// stamp changes when a file does.
func (c *certificates) stamp() string {
	var b strings.Builder
	for _, p := range []*pemSource{&c.ca, &c.cert, &c.key} {
		if p.file == "" {
			continue
		}
		if info, err := os.Stat(p.file); err == nil {
			fmt.Fprintf(&b, "%d %d;", info.ModTime().UnixNano(), info.Size())
		} else {
			b.WriteString("-;")
		}
	}
	return b.String()
}

// load reads everything. Its errors are optionErrors.
func (c *certificates) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.serverName}
	if c.ca.isSet() {
		pool, err := c.ca.authorities()
		if err != nil {
			return nil, &optionError{c.ca.option, err}
		}
		config.RootCAs = pool
	}
	if c.cert.isSet() {
		pair, err := c.pair()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	switch {
	case !c.verify:
		config.InsecureSkipVerify = true
	case !c.verifyName:
		config.InsecureSkipVerify = true // replaced by this, which does the same but for the name
		config.VerifyConnection = func(s tls.ConnectionState) error {
			options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
			for _, cert := range s.PeerCertificates[1:] {
				options.Intermediates.AddCert(cert)
			}
			_, err := s.PeerCertificates[0].Verify(options)
			return err
		}
	}
	return config, nil
}

// pair is the client's certificate with its key.
func (c *certificates) pair() (pair tls.Certificate, err error) {
	cert, err := c.cert.read()
	if err != nil {
		return pair, &optionError{c.cert.option, err}
	}
	if !hasBlock(cert, "CERTIFICATE") {
		return pair, &optionError{c.cert.option, errors.New("has no PEM certificate in it")}
	}
	key, err := c.key.read()
	if err != nil {
		return pair, &optionError{c.key.option, err}
	}
	if key, err = decryptKey(key, c.password); err != nil {
		return pair, &optionError{c.key.option, err}
	}
	if pair, err = tls.X509KeyPair(cert, key); err != nil {
		return pair, &optionError{c.key.option, fmt.Errorf("with the certificate of %s: %w", c.cert.option, err)}
	}
	return pair, nil
}

func hasBlock(text []byte, kind string) bool {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return false
		}
		if block.Type == kind {
			return true
		}
	}
}

// decryptKey returns the private key in text as a PEM block that is not encrypted. It reads PKCS#8 with PBES2 (PBKDF2 or
// scrypt, AES-CBC or triple DES), which is what openssl writes, and the older PEM encryption of PKCS#1 and SEC 1 keys.
// Errors hold nothing of the key or the password.
func decryptKey(text []byte, password string) ([]byte, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("has no PEM private key in it")
		}
		//lint:ignore SA1019 weak, but it is what the file has
		legacy := x509.IsEncryptedPEMBlock(block)
		switch {
		case block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY"):
			continue
		case block.Type != "ENCRYPTED PRIVATE KEY" && !legacy:
			return pem.EncodeToMemory(block), nil
		case password == "":
			return nil, errors.New("is encrypted, and ssl_key_password is not set")
		case legacy:
			//lint:ignore SA1019 as above
			der, err := x509.DecryptPEMBlock(block, []byte(password))
			if err != nil {
				return nil, fmt.Errorf("cannot be decrypted with ssl_key_password: %w", err)
			}
			return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
		}
		key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("cannot be decrypted with ssl_key_password: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
}

// read returns the PEM text.
func (p *pemSource) read() ([]byte, error) {
	if p.file == "" {
		return []byte(p.text), nil
	}
	return readFile(p.file, maxPEM)
}

// authorities are the certificates in a file, or in every file of a directory, as c_rehash makes them.
func (p *pemSource) authorities() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if info, err := os.Stat(p.file); p.file != "" && err == nil && info.IsDir() {
		entries, err := os.ReadDir(p.file)
		if err != nil {
			return nil, err
		}
		found := false
		for _, e := range entries[:min(len(entries), maxPEMFiles)] {
			if text, err := readFile(filepath.Join(p.file, e.Name()), maxPEM); err == nil {
				found = pool.AppendCertsFromPEM(text) || found
			}
		}
		if !found {
			return nil, errors.New("the directory has no file with a PEM certificate in it")
		}
		return pool, nil
	}
	text, err := p.read()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("has no PEM certificate in it that can be read")
	}
	return pool, nil
}

// readFile returns the content of a regular file of at most limit bytes: opening anything else could block.
func readFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is not a regular file")}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("has more than %d bytes", limit)}
	}
	return text, err
}
