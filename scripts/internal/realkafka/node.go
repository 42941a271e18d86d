package realkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	readyTimeout = 90 * time.Second
	// stopTimeout is for one that looks for a controller and finds none.
	stopTimeout = 30 * time.Second
)

// Node is one broker, which is a controller too.
type Node struct {
	ID   int32
	Addr string // without security

	root, dir string
	cmd       *exec.Cmd     // nil before the first start
	done      chan struct{} // closed when the process has ended
	from      int64         // where this start's lines begin in the log
}

func (n *Node) folder() string { return filepath.Join(n.dir, strconv.Itoa(int(n.ID))) }

func (n *Node) log() string { return filepath.Join(n.folder(), "kafka.log") }

func (n *Node) file(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(n.folder(), name))
	return strings.TrimSpace(string(b)), err
}

// Start starts the node, again on its ports and with its data. It does not wait for it.
func (n *Node) Start() error {
	if n.running() {
		return nil
	}
	n.from = 0
	if st, err := os.Stat(n.log()); err == nil {
		n.from = st.Size()
	}
	n.cmd = exec.Command(filepath.Join(n.root, "scripts", "kafka.sh"), "run", n.dir, strconv.Itoa(int(n.ID)))
	// A group of its own, since a Ctrl-C is for the caller; and no broker outlives a caller that is killed.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil
		return err
	}
	done := make(chan struct{})
	n.done = done
	go func(cmd *exec.Cmd) {
		cmd.Wait()
		close(done)
	}(n.cmd)
	return nil
}

// Ready waits until the node serves.
func (n *Node) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		b, _ := os.ReadFile(n.log())
		b = b[min(n.from, int64(len(b))):]
		if bytes.Contains(b, []byte("Kafka Server started")) {
			return nil
		}
		select {
		case <-n.done:
			return fmt.Errorf("node %d of Kafka ended (%v) before it served; the end of its log:\n%s", n.ID, n.cmd.ProcessState, tail(b, 1500))
		case <-ctx.Done():
			return fmt.Errorf("node %d of Kafka does not serve: %w; the end of its log:\n%s", n.ID, ctx.Err(), tail(b, 1500))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func (n *Node) running() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// Stop asks the node to hand over and to end, and waits. One that does not end is killed, which is an error.
func (n *Node) Stop() error {
	if !n.running() {
		return nil
	}
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-n.done:
		return nil
	case <-time.After(stopTimeout):
		n.Kill()
		return fmt.Errorf("node %d of Kafka did not stop within %v of SIGTERM", n.ID, stopTimeout)
	}
}

// Kill ends the node with SIGKILL and waits for it.
func (n *Node) Kill() {
	if n.running() {
		n.signal(syscall.SIGKILL)
		<-n.done
	}
}

// Freeze stops the node where it is: its connections stay open, and it answers nothing until Thaw.
func (n *Node) Freeze() error { return n.signal(syscall.SIGSTOP) }

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) error {
	if !n.running() {
		return fmt.Errorf("node %d of Kafka does not run", n.ID)
	}
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("node %d of Kafka: %w", n.ID, err)
	}
	return nil
}
