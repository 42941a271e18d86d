package batch

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"flbgo/shared/option"
)

// minDialTimeout is what one address gets of connect_timeout at least.
const minDialTimeout = time.Second

// connections is how an instance connects to the brokers.
type connections struct {
	timeout  time.Duration // for setting one up, authentication included
	maxIdle  time.Duration
	family   string // "": any, "4" or "6"
	security security
}

func (c *connections) parse(v *option.Values) (notes []note) {
	c.timeout, c.maxIdle = v.Duration("connect_timeout"), v.Duration("connections_max_idle")
	switch v.Text("broker_address_family") {
	case "v4":
		c.family = "4"
	case "v6":
		c.family = "6"
	}
	c.security, notes = parseSecurity(v)
	return notes
}

// dialer opens connections, with TLS where that is configured, and knows which are open, so that an instance can close
// all of them at its end: kafka-go lets a connection with an abandoned request run into its deadline. TLS is done here
// and not by kafka-go, so that a broker that fails at it costs no more than one that does not answer: the next address is
// tried, within the same time. Safe for concurrent use.
type dialer struct {
	*connections
	share int // how many addresses may have to be tried within the timeout

	mu     sync.Mutex
	open   map[*trackedConn]struct{}
	closed bool
	err    error // that the last connection failed with, while it was set up
	at     time.Time
}

// trackedConn follows what kafka-go does with a connection, by the deadlines that it sets.
type trackedConn struct {
	net.Conn
	raw      net.Conn // without TLS
	d        *dialer
	stage    stage
	setupEnd time.Time
	answered bool // a request
}

// stage is how far a connection is.
type stage uint8

const (
	stageVersions stage = iota // the versions of requests are asked for, under a deadline that is then taken away
	stageSASL                  // without one, but for the one that SetDeadline leaves
	stageReady                 // from the first deadline of a request on
)

// perAddress is for one address. kafka-go tries them in turn, in another order each time; one that swallows packets must
// leave time for others, and however many there are each gets enough for a slow name server or a distant broker.
func (d *dialer) perAddress() time.Duration {
	return max(d.timeout/time.Duration(max(d.share, 1)), minDialTimeout)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, d.failed(err)
	}
	return c, nil
}

// failed notes why a connection could not be set up.
func (d *dialer) failed(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.at = err, time.Now()
	return err
}

// failure is why the last one could not, if that was after since.
func (d *dialer) failure(since time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.Before(since) {
		return nil
	}
	return d.err
}

func (d *dialer) connect(ctx context.Context, network, address string) (*trackedConn, error) {
	nd := net.Dialer{Timeout: d.perAddress(), KeepAlive: 30 * time.Second}
	raw, err := nd.DialContext(ctx, network+d.family, address)
	if err != nil {
		return nil, err
	}
	t := &trackedConn{Conn: raw, raw: raw, d: d}
	if t.setupEnd, _ = ctx.Deadline(); t.setupEnd.IsZero() {
		t.setupEnd = time.Now().Add(d.timeout)
	}
	if c := d.security.certificates; c != nil {
		ctx, cancel := context.WithTimeout(ctx, d.perAddress())
		defer cancel()
		if t.Conn, err = c.secure(ctx, raw, address); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	if d.open == nil {
		d.open = map[*trackedConn]struct{}{}
	}
	d.open[t] = struct{}{}
	return t, nil
}

// close closes every connection and refuses new ones.
func (d *dialer) close() {
	d.mu.Lock()
	open := d.open
	d.open, d.closed = nil, true
	d.mu.Unlock()
	for c := range open {
		_ = c.raw.Close() // TLS would first say goodbye to a broker that may hang
	}
}

// SetDeadline implements net.Conn. kafka-go authenticates without a deadline; it gets the one of the whole set-up.
func (c *trackedConn) SetDeadline(t time.Time) error {
	switch {
	case c.stage == stageVersions && t.IsZero():
		c.stage = stageReady
		if c.d.security.sasl != nil {
			c.stage, t = stageSASL, c.setupEnd
		}
	case c.stage == stageSASL && !t.IsZero():
		c.stage = stageReady
	}
	return c.Conn.SetDeadline(t)
}

// Read implements net.Conn. An end says by when it comes what it may mean.
func (c *trackedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.stage == stageReady {
		c.answered = true
	}
	if n > 0 || err == nil {
		return n, err
	}
	withTLS, sasl := c.d.security.certificates != nil, c.d.security.sasl
	switch timeout := errors.Is(err, os.ErrDeadlineExceeded); {
	case c.stage == stageSASL && timeout:
		err = &adviceError{text: "the broker does not answer while this client authenticates"}
	case !cutOff(err):
		// With TLS 1.3 a broker refuses the client's certificate only after the handshake.
		if see := adviseTLS(err); see != "" && c.stage != stageReady {
			err = &adviceError{err.Error() + "; " + see, err, true}
		}
	case c.stage == stageSASL:
		err = &adviceError{text: "the broker closed the connection while this client authenticated, as some do for wrong credentials; see " + sasl.see(), operator: true}
	case c.stage == stageVersions && !withTLS:
		err = &adviceError{text: "the broker closed the connection before it said anything; if that stays it may expect TLS: see security_protocol"}
	case c.stage == stageReady && !c.answered && sasl == nil:
		err = &adviceError{text: "the broker closed the connection at the first request; if that stays it may expect SASL: see security_protocol"}
	}
	if c.stage != stageReady {
		_ = c.d.failed(err)
	}
	return n, err
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.d.mu.Lock()
	delete(c.d.open, c)
	c.d.mu.Unlock()
	return c.Conn.Close()
}
