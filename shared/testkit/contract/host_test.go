//go:build contract

package contract

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that takes milliseconds. It is never waited for when all is well.
const patience = 20 * time.Second

// A line is one of the host's: a word, then name=value.
type line struct {
	word   string
	fields map[string]string
}

func parseLine(text string) line {
	words := strings.Fields(text)
	l := line{fields: map[string]string{}}
	for i, w := range words {
		if i == 0 {
			l.word = w
			continue
		}
		name, value, _ := strings.Cut(w, "=")
		if v, err := url.PathUnescape(value); err == nil {
			value = v
		}
		l.fields[name] = value
	}
	return l
}

func (l line) text(name string) string { return l.fields[name] }

// number returns a numeric field, -1 where there is none.
func (l line) number(name string) int {
	n, err := strconv.Atoi(l.fields[name])
	if err != nil {
		return -1
	}
	return n
}

// A host is one process of the program in host/. Its methods fail the test when the host does not answer.
type host struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr bytes.Buffer
	dead   chan struct{} // closed when the process is gone and all that it said is here

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, with each line
	answers []line
	done    map[int]line
	logs    []line
	other   []line // fatal, violation
	ended   error
}

// startHost starts a host with no plugin in it. The test's end is its end.
func startHost(t *testing.T, g generation, env ...string) *host {
	t.Helper()
	program, err := hostProgram(g)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, cmd: command(emulator(), program), dead: make(chan struct{}), changed: make(chan struct{}), done: map[int]line{}}
	h.cmd.Env = append(os.Environ(), env...)
	h.cmd.Stderr = &h.stderr
	// A group of its own, so that a child that it forked goes with it.
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go h.listen(out)
	t.Cleanup(func() {
		h.end()
		if t.Failed() {
			t.Logf("the host on stderr:\n%s", h.stderr.String())
		}
	})
	return h
}

// end ends the host, which it does when its input ends, and waits until it is gone.
func (h *host) end() {
	h.in.Close()
	select {
	case <-h.dead:
	case <-time.After(patience):
		h.t.Error("the host did not end with its input")
		syscall.Kill(-h.cmd.Process.Pid, syscall.SIGKILL)
		<-h.dead
	}
}

func (h *host) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := parseLine(lines.Text())
		h.mu.Lock()
		switch l.word {
		case "ok", "fail":
			h.answers = append(h.answers, l)
		case "done":
			h.done[l.number("job")] = l
		case "log":
			h.logs = append(h.logs, l)
		default:
			h.other = append(h.other, l)
		}
		close(h.changed)
		h.changed = make(chan struct{})
		h.mu.Unlock()
	}
	err := h.cmd.Wait()
	h.mu.Lock()
	h.ended = err
	h.mu.Unlock()
	close(h.dead)
}

// until waits for cond, which is called with the host's lines locked. It is false when the host died before, or when
// patience ran out.
func (h *host) until(cond func() bool) bool {
	deadline := time.After(patience)
	for {
		h.mu.Lock()
		ok, changed := cond(), h.changed
		h.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-h.dead:
			h.mu.Lock()
			defer h.mu.Unlock()
			return cond()
		case <-deadline:
			return false
		}
	}
}

// ask gives the host a command and returns its answer, "ok" or "fail"; an empty line when it died of it.
func (h *host) ask(words ...string) line {
	h.t.Helper()
	for i, w := range words {
		words[i] = strings.ReplaceAll(strings.ReplaceAll(w, "%", "%25"), " ", "%20")
	}
	if _, err := fmt.Fprintln(h.in, strings.Join(words, " ")); err != nil {
		return line{}
	}
	var answer line
	h.until(func() bool {
		if len(h.answers) == 0 {
			return false
		}
		answer, h.answers = h.answers[0], h.answers[1:]
		return true
	})
	return answer
}

// do is ask for commands that must work.
func (h *host) do(words ...string) line {
	h.t.Helper()
	answer := h.ask(words...)
	if answer.word != "ok" {
		h.t.Fatalf("%s: answered %q %q; %s", strings.Join(words, " "), answer.word, answer.text("text"), h.state())
	}
	return answer
}

// state tells what there is to know about a host that did not answer.
func (h *host) state() string {
	select {
	case <-h.dead:
	case <-time.After(time.Second):
		return "it is still running"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("it ended: %v; it said %v and on stderr:\n%s", h.ended, h.other, h.stderr.String())
}

// open loads a plugin under its own name and registers it, as an output or a filter.
func (h *host) open(name string) line {
	h.t.Helper()
	h.do("load", name, library(h.t, name))
	if name == "filter_enrich" {
		return h.do("native", name, "filter_enrich_plugin")
	}
	return h.do("register", name)
}

// output starts an instance of an output that must start.
func (h *host) output(id, name string, options ...string) {
	h.t.Helper()
	if ret := h.do(append([]string{"output", id, name}, options...)...).number("ret"); ret != 1 {
		h.t.Fatalf("output %s: its start answered %d; the log: %q", id, ret, h.log(""))
	}
}

// filter starts an instance of a filter that must start.
func (h *host) filter(id, name string, options ...string) {
	h.t.Helper()
	if ret := h.do(append([]string{"filter", id, name}, options...)...).number("ret"); ret != 0 {
		h.t.Fatalf("filter %s: its start answered %d; the log: %q", id, ret, h.log(""))
	}
}

// chunk gives the host bytes to lend out.
func (h *host) chunk(name string, content []byte) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "chunk")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.do("chunk", name, path)
}

// flush hands a chunk to an output; see wait.
func (h *host) flush(id, tag, chunk string, options ...string) (job int) {
	h.t.Helper()
	return h.do(append([]string{"flush", id, tag, chunk}, options...)...).number("job")
}

// apply hands a chunk to a filter; see wait.
func (h *host) apply(id, tag, chunk string, options ...string) (job int) {
	h.t.Helper()
	return h.do(append([]string{"apply", id, tag, chunk}, options...)...).number("job")
}

// wait returns what came of a flush or an apply.
func (h *host) wait(job int) line {
	h.t.Helper()
	var l line
	if !h.until(func() bool { found := false; l, found = h.done[job]; return found }) {
		h.t.Fatalf("job %d is not done; %s", job, h.state())
	}
	return l
}

// flushed is flush and wait, for one chunk: the verdict.
func (h *host) flushed(id, tag, chunk string) string {
	h.t.Helper()
	return verdict(h.wait(h.flush(id, tag, chunk)))
}

func verdict(done line) string {
	for _, v := range []string{"ok", "retry", "error"} {
		if done.number(v) == 1 {
			return v
		}
	}
	return fmt.Sprint(done.fields)
}

// run hands content to a filter once and returns the result; the same slice where it was not touched.
func (h *host) run(id, tag, chunk string, content []byte) (result []byte, done line) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "result")
	done = h.wait(h.apply(id, tag, chunk, "result="+path))
	if done.number("stray") != 0 {
		h.t.Errorf("%s: %s", chunk, fmt.Sprintf("a result that does not belong to the host: %v", done.fields))
	}
	if done.number("notouch") == 1 {
		return content, done
	}
	result, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return result, done
}

// log returns the log lines that contain a text. Every line so far must have come on a thread of the host.
func (h *host) log(contains string) []string {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	for _, l := range h.logs {
		if l.text("thread") == "foreign" {
			h.t.Errorf("logged on a thread that the host does not know: %s", l.text("text"))
		}
		if strings.Contains(l.text("text"), contains) {
			found = append(found, l.text("text"))
		}
	}
	return found
}

// logsAt returns the log lines of a level.
func (h *host) logsAt(level int) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	for _, l := range h.logs {
		if l.number("level") == level {
			found = append(found, l.text("text"))
		}
	}
	return found
}

// calls the plugin until it returns at least n, for things that other threads bring about.
func (h *host) reaches(library, symbol string, n int) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if h.do("call", library, symbol).number("value") >= n {
			return
		}
	}
	h.t.Fatalf("%s did not reach %d", symbol, n)
}

// fatal waits for the end of a host that must not survive, and returns what it said last.
func (h *host) fatal() []line {
	h.t.Helper()
	select {
	case <-h.dead:
	case <-time.After(patience):
		h.t.Fatal("the host lives")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended == nil {
		h.t.Fatal("the host ended in peace")
	}
	return h.other
}
