package devkafka

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// Faults stands between a broker and its clients, for tests: the broker has appended a batch, and then something happens
// to its answer (CutNext, HoldAll; only answers to produce requests are touched), or the broker stands still, or the
// network is bad (all requests of all clients). The zero value lets everything pass; safe for concurrent use. One Faults
// may go with a broker over several starts.
type Faults struct {
	mu      sync.Mutex
	cut     int           // so many answers are lost with their connections
	hold    chan struct{} // answers wait until it is closed; nil: they do not
	frozen  chan struct{} // everything waits until it is closed
	latency time.Duration
	link    int       // bytes per second towards the broker, over all connections; 0 is no limit
	free    time.Time // when the link has carried what is on it

	lost, held int
	open       map[*faultConn]bool
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

// Freeze makes the broker stand still, as SIGSTOP does: connections are made by the kernel, requests are taken into its
// buffers, and nothing is read or answered until the function that it returns is called.
func (f *Faults) Freeze() (thaw func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	frozen := make(chan struct{})
	f.frozen = frozen
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.frozen = nil
		close(frozen)
	})
}

// Delay makes each answer come so much later; 0 ends it. Answers on their way do not wait for each other.
func (f *Faults) Delay(latency time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = latency
}

// Limit gives all connections together so many bytes per second towards the broker; 0 is no limit.
func (f *Faults) Limit(bytesPerSecond int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = bytesPerSecond
}

// Reset resets the open connections that pick chooses, and returns how many.
func (f *Faults) Reset(pick func() bool) (n int) {
	f.mu.Lock()
	var chosen []*faultConn
	for c := range f.open {
		if pick() {
			chosen = append(chosen, c)
		}
	}
	f.mu.Unlock()
	for _, c := range chosen {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // RST in place of FIN; what is on its way is gone
		}
		c.Close()
	}
	return len(chosen)
}

// Counts are the answers that were lost and held so far, and the connections that are open, from whatever client.
func (f *Faults) Counts() (lost, held, open int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost, f.held, len(f.open)
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

// stand waits while the broker stands still.
func (f *Faults) stand() {
	f.mu.Lock()
	frozen := f.frozen
	f.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// carry waits as long as n bytes take on the link.
func (f *Faults) carry(n int) {
	f.mu.Lock()
	if f.link == 0 {
		f.mu.Unlock()
		return
	}
	if now := time.Now(); f.free.Before(now) {
		f.free = now
	}
	f.free = f.free.Add(time.Duration(n) * time.Second / time.Duration(f.link))
	wait := time.Until(f.free)
	f.mu.Unlock()
	time.Sleep(wait)
}

type faultListener struct {
	net.Listener
	f *Faults
}

func (l faultListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.f.stand()
	c := &faultConn{Conn: conn, f: l.f, gone: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		l.f.mu.Lock()
		defer l.f.mu.Unlock()
		delete(l.f.open, c)
		close(c.gone)
		return conn.Close()
	})
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	if l.f.open == nil {
		l.f.open = map[*faultConn]bool{}
	}
	l.f.open[c] = true
	return c, nil
}

// faultConn knows which request is being answered: kfake hands a request of a connection on only when the one before has
// been answered, and reads but one ahead.
type faultConn struct {
	net.Conn
	f     *Faults
	close func() error  // once
	gone  chan struct{} // closed by it

	mu    sync.Mutex
	head  [6]byte // length and kind of the request that is being read
	have  int     // bytes of head
	left  int     // of the request behind head
	kinds []uint16
	late  chan lateAnswer // nil as long as answers are not delayed
}

// lateAnswer is an answer that goes out at a time.
type lateAnswer struct {
	at time.Time
	b  []byte
}

func (c *faultConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.f.carry(n)
	c.f.stand()
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
	c.f.stand()
	return c.send(p)
}

// send writes now or, with a latency, later. An answer never overtakes another.
func (c *faultConn) send(p []byte) (int, error) {
	c.f.mu.Lock()
	latency := c.f.latency
	c.f.mu.Unlock()
	c.mu.Lock()
	if c.late == nil && latency > 0 {
		c.late = make(chan lateAnswer, 1024)
		go c.deliver(c.late)
	}
	late := c.late
	c.mu.Unlock()
	if late == nil {
		return c.Conn.Write(p)
	}
	select {
	case late <- lateAnswer{time.Now().Add(latency), bytes.Clone(p)}:
		return len(p), nil
	case <-c.gone:
		return 0, net.ErrClosed
	}
}

func (c *faultConn) deliver(late <-chan lateAnswer) {
	for {
		select {
		case <-c.gone:
			return
		case a := <-late:
			time.Sleep(time.Until(a.at))
			if _, err := c.Conn.Write(a.b); err != nil {
				c.Close()
				return
			}
		}
	}
}

func (c *faultConn) Close() error { return c.close() }
