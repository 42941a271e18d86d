package devkafka

import (
	"encoding/binary"
	"net"
	"sync"
)

// Faults stands between a broker and its clients, for tests: the broker has appended a batch, and then something happens
// to its answer. Only answers to produce requests are touched. The zero value lets everything pass; safe for concurrent
// use. One Faults may go with a broker over several starts.
type Faults struct {
	mu   sync.Mutex
	cut  int           // so many answers are lost with their connections
	hold chan struct{} // answers wait until it is closed; nil: they do not

	lost, held, open int
}

// CutNext loses the next n answers, each with its connection.
func (f *Faults) CutNext(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = n
}

// HoldAll makes answers wait until the function that it returns is called.
func (f *Faults) HoldAll() (release func()) {
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

// Counts are the answers that were lost and held so far, and the connections that are open, from whatever client.
func (f *Faults) Counts() (lost, held, open int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost, f.held, f.open
}

// answer waits while answers are held, and says whether this one is to be lost.
func (f *Faults) answer() (lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if hold := f.hold; hold != nil {
		f.held++
		f.mu.Unlock()
		<-hold
		f.mu.Lock()
	}
	if f.cut == 0 {
		return false
	}
	f.cut--
	f.lost++
	return true
}

func (f *Faults) connections(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open += n
}

type faultListener struct {
	net.Listener
	f *Faults
}

func (l faultListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.f.connections(1)
	return &faultConn{Conn: c, closed: sync.OnceFunc(func() { l.f.connections(-1) }), f: l.f}, nil
}

// faultConn knows which request is being answered: kfake hands a request of a connection on only when the one before has
// been answered, and reads but one ahead.
type faultConn struct {
	net.Conn
	closed func()
	f      *Faults

	mu    sync.Mutex
	head  [6]byte // length and kind of the request that is being read
	have  int     // bytes of head
	left  int     // of the request behind head
	kinds []uint16
}

func (c *faultConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := p[:n]; len(b) > 0; {
		if c.have < len(c.head) {
			k := copy(c.head[c.have:], b)
			c.have, b = c.have+k, b[k:]
			if c.have == len(c.head) {
				c.left = int(binary.BigEndian.Uint32(c.head[:])) - 2
				c.kinds = append(c.kinds, binary.BigEndian.Uint16(c.head[4:]))
			}
			continue
		}
		k := min(c.left, len(b))
		c.left, b = c.left-k, b[k:]
		if c.left == 0 {
			c.have = 0
		}
	}
	return n, err
}

// Write gets one whole answer at a time.
func (c *faultConn) Write(p []byte) (int, error) {
	const produce = 0
	c.mu.Lock()
	touched := len(c.kinds) > 0 && c.kinds[0] == produce
	c.kinds = c.kinds[min(1, len(c.kinds)):]
	c.mu.Unlock()
	if touched && c.f.answer() {
		c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *faultConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
