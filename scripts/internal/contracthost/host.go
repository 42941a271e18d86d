package contracthost

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Host is one process with one instance of one plugin. Its methods are not for concurrent use.
type Host struct {
	program Program
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	stderr  bytes.Buffer              // to be read when the process is gone
	log     strings.Builder           // of the plugin
	done    map[int]map[string]string // jobs whose end was read
	filter  bool
	ended   bool
}

// Options are how a host is started.
type Options struct {
	Plugin  string   // a folder's name: out_kafka_batch
	Options []string // name=value
	Workers int      // of an output; a filter has none
	Env     []string
	// Wrap is a program and its arguments that run the host: valgrind.
	Wrap []string
}

// Start starts a host that ends with ctx, with an instance of the plugin.
func (p Program) Start(ctx context.Context, o Options) (_ *Host, err error) {
	args := append(append([]string{}, o.Wrap...), filepath.Join(p.dir, "host"))
	h := &Host{program: p, cmd: exec.CommandContext(ctx, args[0], args[1:]...), done: map[int]map[string]string{}}
	h.cmd.Env = append(os.Environ(), o.Env...)
	h.cmd.Stderr = &h.stderr
	// Not the terminal's Ctrl-C: it ends with its standard input.
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.out = bufio.NewScanner(out)
	h.out.Buffer(nil, 1<<20)
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.cmd.Process.Kill()
			h.cmd.Wait()
		}
	}()
	if _, err := h.ask("measure"); err != nil {
		return nil, err
	}
	if _, err := h.ask("load", "p", filepath.Join(p.dir, Plugins[o.Plugin])); err != nil {
		return nil, err
	}
	register, create, well := []string{"register", "p"}, []string{"output", "i", "p", "workers=" + strconv.Itoa(o.Workers)}, "1"
	if h.filter = strings.HasPrefix(o.Plugin, "filter_"); h.filter {
		register, create, well = []string{"native", "p", o.Plugin + "_plugin"}, []string{"filter", "i", "p"}, "0"
	}
	if _, err := h.ask(register...); err != nil {
		return nil, err
	}
	answer, err := h.ask(append(create, o.Options...)...)
	if err == nil && answer["ret"] != well {
		err = fmt.Errorf("%s did not start with %v; its log: %s", o.Plugin, o.Options, h.log.String())
	}
	return h, err
}

// line reads one line: "ok", "fail", "done", "log".
func (h *Host) line() (word string, fields map[string]string, err error) {
	if !h.out.Scan() {
		err := h.cmd.Wait()
		h.ended = true
		return "", nil, fmt.Errorf("the host ended (%v); it said:\n%s%s", err, h.log.String(), h.stderr.String())
	}
	words := strings.Fields(h.out.Text())
	if len(words) == 0 {
		return "", nil, nil
	}
	fields = map[string]string{}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		if v, err := url.PathUnescape(value); err == nil {
			value = v
		}
		fields[name] = value
	}
	switch words[0] {
	case "done":
		job, _ := strconv.Atoi(fields["job"])
		h.done[job] = fields
	case "log":
		fmt.Fprintln(&h.log, fields["text"])
	}
	return words[0], fields, nil
}

func (h *Host) ask(words ...string) (map[string]string, error) {
	for i, w := range words {
		words[i] = strings.ReplaceAll(strings.ReplaceAll(w, "%", "%25"), " ", "%20")
	}
	if _, err := fmt.Fprintln(h.in, strings.Join(words, " ")); err != nil {
		return nil, err
	}
	for {
		word, fields, err := h.line()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", words[0], err)
		case word == "fail":
			return nil, fmt.Errorf("%s: %s", strings.Join(words, " "), fields["text"])
		case word == "ok":
			return fields, nil
		}
	}
}

// Chunk lends the host bytes under a name, until it ends; up to 256.
func (h *Host) Chunk(name string, content []byte) error {
	path := filepath.Join(h.program.dir, "chunk")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	_, err := h.ask("chunk", name, path)
	return err
}

// Give hands a chunk to the instance so many times, one after the other; by turns to the workers of an output, and for a
// filter before it returns. See Wait.
func (h *Host) Give(tag, chunk string, times int) (job int, err error) {
	word := "flush"
	if h.filter {
		word = "apply"
	}
	answer, err := h.ask(word, "i", tag, chunk, "times="+strconv.Itoa(times))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer["job"])
}

// Wait waits for a job, and returns an error where not every chunk was taken well.
func (h *Host) Wait(job, times int) error {
	for h.done[job] == nil {
		if _, _, err := h.line(); err != nil {
			return err
		}
	}
	well := "ok"
	if h.filter {
		well = "modified"
	}
	fields := h.done[job]
	delete(h.done, job)
	if fields[well] != strconv.Itoa(times) {
		return fmt.Errorf("not all of %d chunks were %s: %v; the log:\n%s", times, well, fields, h.log.String())
	}
	return nil
}

// Run is Give and Wait.
func (h *Host) Run(tag, chunk string, times int) error {
	job, err := h.Give(tag, chunk, times)
	if err != nil {
		return err
	}
	return h.Wait(job, times)
}

// CPU is what the process has used, of all its threads.
func (h *Host) CPU() (time.Duration, error) {
	// The kernel's clock of another process: clock_getcpuclockid(3).
	id := int32(^h.cmd.Process.Pid<<3 | 2)
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(ts.Nano()), nil
}

// Close ends the instance and the process.
func (h *Host) Close() error {
	if h.ended {
		return nil
	}
	end := "exit"
	if h.filter {
		end = "end"
	}
	_, err := h.ask(end, "i")
	if h.ended {
		return err
	}
	h.in.Close()
	for h.out.Scan() {
	}
	h.ended = true
	return errors.Join(err, h.cmd.Wait())
}

// Kill ends the process at once, if it has not ended.
func (h *Host) Kill() {
	if !h.ended {
		h.cmd.Process.Kill()
		h.cmd.Wait()
		h.ended = true
	}
}
