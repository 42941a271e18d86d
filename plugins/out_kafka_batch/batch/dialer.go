package batch

import (
	"context"
	"net"
	"sync"
	"time"
)

// dialTimeout bounds setting up a connection, authentication included.
const dialTimeout = 3 * time.Second

// minDialTimeout is what one address gets of it at least.
const minDialTimeout = time.Second

// dialer opens connections and knows which are open, so that an instance can close all of them at its end: kafka-go
// lets a connection with an abandoned request run into its deadline. Safe for concurrent use.
type dialer struct {
	share int // how many addresses may have to be tried within dialTimeout

	mu     sync.Mutex
	open   map[*trackedConn]struct{}
	closed bool
}

type trackedConn struct {
	net.Conn
	d *dialer
}

// timeout is for one address. kafka-go tries them in turn, in another order each time; one that swallows packets must
// leave time for others, and however many there are each gets enough for a slow name server or a distant broker.
func (d *dialer) timeout() time.Duration {
	return max(dialTimeout/time.Duration(max(d.share, 1)), minDialTimeout)
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nd := net.Dialer{Timeout: d.timeout(), KeepAlive: 30 * time.Second}
	c, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t := &trackedConn{Conn: c, d: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = c.Close()
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
		_ = c.Conn.Close()
	}
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.d.mu.Lock()
	delete(c.d.open, c)
	c.d.mu.Unlock()
	return c.Conn.Close()
}
