package batch

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha512"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

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
