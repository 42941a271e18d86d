package fluentbit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Options say how a host is started.
type Options struct {
	Config string   // configuration file
	Dir    string   // working folder: plugin lists have paths relative to it
	Env    []string // KEY=value, added to this process's environment
	Log    string   // file to which its output is appended
	Args   []string // after -c Config
}

// Process is a running host. Its methods are safe for concurrent use.
type Process struct {
	Host Host
	opt  Options
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
	err  error         // of Wait, valid after done
	from int64         // where this start's lines begin in the log
}

// Start runs the host in a process group of its own, so that a Ctrl-C at the terminal reaches the caller alone, which
// then stops the host in order. The caller must end it with Stop or Kill.
func (h Host) Start(opt Options) (*Process, error) {
	log, err := os.OpenFile(opt.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Process{Host: h, opt: opt, done: make(chan struct{})}
	if st, err := log.Stat(); err == nil {
		p.from = st.Size()
	}
	p.cmd = exec.Command(h.Path, append([]string{"-c", opt.Config}, opt.Args...)...)
	p.cmd.Dir = opt.Dir
	p.cmd.Env = append(os.Environ(), opt.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", h, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended: nil for exit code 0. It waits for the end.
func (p *Process) Err() error { <-p.done; return p.err }

// Signal sends a signal; one to a process that has ended is no error.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks with SIGTERM and waits; a process that is there after the timeout is killed, which is an error.
func (p *Process) Stop(timeout time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("%s did not stop within %v of SIGTERM", p.Host, timeout)
	}
}

// Lines returns the log of this start, line by line.
func (p *Process) Lines() []string {
	b, err := os.ReadFile(p.opt.Log)
	if err != nil || int64(len(b)) < p.from {
		return nil
	}
	return strings.Split(string(bytes.TrimRight(b[p.from:], "\n")), "\n")
}

// WaitFor waits until a line of this start's log contains the text. It fails when the process ends or the time is up,
// with the end of the log.
func (p *Process) WaitFor(text string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		for _, l := range p.Lines() {
			if strings.Contains(l, text) {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended (%v) before it said %q; the end of its log:\n%s", p.Host, p.err, text, p.Tail(15))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not say %q within %v; the end of its log:\n%s", p.Host, text, timeout, p.Tail(15))
		}
	}
}

// Tail is the last n lines of this start's log.
func (p *Process) Tail(n int) string {
	l := p.Lines()
	return strings.Join(l[max(0, len(l)-n):], "\n")
}

// Usage is what the process and the children that it waited for used. It waits for the end.
func (p *Process) Usage() *syscall.Rusage {
	<-p.done
	return p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
}
