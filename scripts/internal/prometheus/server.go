// Package prometheus runs a real Prometheus and, where it is installed, a real Alertmanager with the project's own
// configuration, for the demo and the end-to-end tests.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flbgo/scripts/internal/pipeline"
)

// Programs, as Debian's packages prometheus and prometheus-alertmanager name them.
const (
	Program      = "prometheus"
	AlertProgram = "prometheus-alertmanager"
)

// Config says what to run. All fields are required but Receiver.
type Config struct {
	Conf     string    // folder with prometheus.yml and the files that it names; it is copied and not changed
	Dir      string    // a folder for the copy, the data and the logs, empty or not there
	Targets  []string  // host:port of what is scraped, in place of targets.yml's
	Receiver *Receiver // where an Alertmanager sends alerts, in place of alertmanager.yml's; nil runs no Alertmanager
}

// Server is a running Prometheus. Its methods are safe for concurrent use, but Close.
type Server struct {
	URL       string // http://host:port
	AlertURL  string // the Alertmanager's, "" where none runs
	processes []*process
}

// process is one of the two programs.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
}

// Start runs Prometheus, and the Alertmanager before it, and returns when both answer. Close stops them.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	s := &Server{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	conf := filepath.Join(cfg.Dir, "conf")
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.CopyFS(conf, os.DirFS(cfg.Conf)); err != nil {
		return nil, err
	}
	var managers []string
	if cfg.Receiver != nil {
		addr, err := pipeline.FreeAddr()
		if err != nil {
			return nil, err
		}
		file := filepath.Join(conf, "alertmanager.yml")
		if err := edit(file, cfg.Receiver.replace()); err != nil {
			return nil, err
		}
		err = s.run(ctx, cfg.Dir, addr, AlertProgram, "--config.file="+file, "--storage.path="+filepath.Join(cfg.Dir, "alerts"),
			"--web.listen-address="+addr, "--cluster.listen-address=")
		if err != nil {
			return nil, err
		}
		s.AlertURL = "http://" + addr
		managers = []string{addr}
	}
	for file, addrs := range map[string][]string{"targets.yml": cfg.Targets, "alertmanagers.yml": managers} {
		if err := os.WriteFile(filepath.Join(conf, file), targets(addrs), 0o644); err != nil {
			return nil, err
		}
	}
	addr, err := pipeline.FreeAddr()
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + addr
	return s, s.run(ctx, cfg.Dir, addr, Program, "--config.file="+filepath.Join(conf, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(cfg.Dir, "data"),
		"--web.listen-address="+addr, "--enable-feature=exemplar-storage,native-histograms")
}

// targets is a list as file_sd_configs reads it. No target is an empty list.
func targets(addrs []string) []byte {
	var b strings.Builder
	b.WriteString("- targets: [")
	for i, a := range addrs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", a)
	}
	b.WriteString("]\n")
	return []byte(b.String())
}

// edit replaces texts in a file; one that is not there is an error: the file has changed since.
func edit(file string, replace map[string]string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := string(b)
	for from, to := range replace {
		if !strings.Contains(text, from) {
			return fmt.Errorf("%s does not have %q", file, from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// run starts a program in a process group of its own, so that a Ctrl-C reaches the caller alone, and waits until it
// answers at addr.
func (s *Server) run(ctx context.Context, dir, addr, program string, args ...string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("%s is not installed: %w", program, err)
	}
	p := &process{name: program, log: filepath.Join(dir, program+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	for deadline := time.Now().Add(20 * time.Second); ; {
		resp, err := http.Get("http://" + addr + "/-/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return fmt.Errorf("%s ended; its log:\n%s", program, p.tail())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer at %s; its log:\n%s", program, addr, p.tail())
		}
	}
}

// tail is the end of what the program said.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	l := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(l[max(0, len(l)-15):], "\n")
}

// Logs is the end of what the programs said.
func (s *Server) Logs() string {
	var b strings.Builder
	for _, p := range s.processes {
		fmt.Fprintf(&b, "%s:\n%s\n", p.name, p.tail())
	}
	return b.String()
}

// Close stops what runs, Prometheus first.
func (s *Server) Close() error {
	var errs []error
	for len(s.processes) > 0 {
		p := s.processes[len(s.processes)-1]
		s.processes = s.processes[:len(s.processes)-1]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
			errs = append(errs, fmt.Errorf("%s did not stop within 20 s of SIGTERM", p.name))
		}
	}
	return errors.Join(errs...)
}
