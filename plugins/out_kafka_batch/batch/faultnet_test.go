package batch

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// faultNet stands between kfake and its clients: the broker has done what was asked, and then something happens to its
// answer. Only answers to one kind of requests are touched.
type faultNet struct {
	key  uint16 // of the requests; 0 is Produce
	mu   sync.Mutex
	cut  int           // so many answers are lost with their connections
	hold chan struct{} // answers wait until it is closed; nil: they do not
	held int           // answers that wait, or have
	lost int
}

func (f *faultNet) option() kfake.Opt {
	return kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return &faultListener{l, f}, err
	})
}

func (f *faultNet) cutNext(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = n
}

// holdAll makes answers wait until the function that it returns is called.
func (f *faultNet) holdAll() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.hold = hold
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hold = nil
		close(hold)
	})
}

// counts are the answers that were held and lost so far.
func (f *faultNet) counts() (held, lost int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held, f.lost
}

type faultListener struct {
	net.Listener
	f *faultNet
}

func (l *faultListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &faultConn{Conn: c, f: l.f}, nil
}

// faultConn knows the kind of the request that is being answered: kfake reads four bytes of length, then the request,
// and takes the next one only when it has written the answer.
type faultConn struct {
	net.Conn
	f *faultNet

	mu     sync.Mutex
	inBody bool
	left   int
	key    uint16
}

func (c *faultConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case n == 0:
	case c.left > 0: // more of a request
		c.left -= n
	case !c.inBody && len(p) == 4:
		c.inBody = true
		if n == 4 {
			c.left = 0
		}
	case c.inBody:
		if n >= 2 {
			c.key = binary.BigEndian.Uint16(p)
		}
		c.left, c.inBody = len(p)-n, false
	}
	return n, err
}

func (c *faultConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	touched := c.key == c.f.key
	c.mu.Unlock()
	if !touched {
		return c.Conn.Write(p)
	}
	c.f.mu.Lock()
	hold := c.f.hold
	if hold != nil {
		c.f.held++
	}
	c.f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	c.f.mu.Lock()
	cut := c.f.cut > 0
	if cut {
		c.f.cut--
		c.f.lost++
	}
	c.f.mu.Unlock()
	if cut {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}
