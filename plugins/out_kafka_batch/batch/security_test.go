package batch

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flbgo/shared/option"
)

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

// A broker takes connections and says nothing more: during the TLS handshake, or while the client authenticates, where
// kafka-go has no deadline. Flushes answer within their time, Close returns, and nothing is left behind (goleak).
func TestHangingHandshakes(t *testing.T) {
	f := func(name, addr, want string, wake func(), options ...string) {
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
			if book.count(want) == 0 {
				t.Errorf("it does not say %q", want)
			}
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
	f("TLS", silent.Addr().String(), "does not answer the TLS handshake", func() {}, "security_protocol", "ssl")
	f("plaintext", silent.Addr().String(), "i/o timeout", func() {})

	credentials := []string{"security_protocol", "sasl_plaintext", "sasl_mechanism", mechanismPlain, "sasl_username", "me", "sasl_password", "pass"}
	for _, key := range []kmsg.Key{kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate} {
		n := faultNet{key: uint16(key)}
		c := broker(t, 1, kfake.EnableSASL(), kfake.Superuser(mechanismPlain, "me", "pass"), n.option())
		want := "does not answer while this client authenticates"
		if key == kmsg.ApiVersions {
			want = "i/o timeout"
		}
		f(key.Name(), c.ListenAddrs()[0], want, n.holdAll(), credentials...)
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
			o, _ := output(t, append([]string{bad.Addr().String()}, c.ListenAddrs()...), "security_protocol", "ssl", "ssl_ca_file", file(t, right.pem), "flush_timeout", "10s", "connect_timeout", "2s")
			if err := o.Flush(chunkOf(fmt.Sprint("c", i), 10), "app", false); err != nil {
				t.Errorf("%v: %v", bad.Addr(), err)
			}
			if i > 0 {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // as kafka-go has it
			_, err := o.cluster.dialer.dial(ctx, "tcp", bad.Addr().String())
			if err == nil || ctx.Err() != nil {
				t.Errorf("%v: %v, and no time is left for the other broker", bad.Addr(), err)
			}
			cancel()
		}
	}
}

// Connections that nobody uses are closed, and only addresses of one family are tried where that is wanted.
func TestConnectionOptions(t *testing.T) {
	c := broker(t, 1)
	o, _ := output(t, c.ListenAddrs(), "connections_max_idle", "1s", "broker_address_family", "v4")
	open := func() int {
		o.cluster.dialer.mu.Lock()
		defer o.cluster.dialer.mu.Unlock()
		return len(o.cluster.dialer.open)
	}
	flush(t, o, chunkOf("a", 10), "app")
	if n := open(); n < 2 {
		t.Errorf("%d connections, want one for requests to any broker and one for the leader", n)
	}
	eventually(t, "the leader's connection is closed", func() bool { return open() < 2 })
	flush(t, o, chunkOf("b", 10), "app")
	consume(t, c.ListenAddrs()).expect(t, 10, "a", "b")

	o, book := output(t, c.ListenAddrs(), "broker_address_family", "v6")
	turnedAway(t, o, book, "no suitable address")
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
