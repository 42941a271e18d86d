package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/pipeline"
)

// settle is how long a host is left alone after its last record before it is ended.
const settle = 500 * time.Millisecond

const logName = "fluent-bit.log" // in a session's folder

// session is one Fluent Bit with what it reads and where it delivers.
type session struct {
	side    *side
	input   string
	dir     string
	kafka   *cluster // nil when the side delivers none
	metrics string   // host:port, "" when the side serves none
	proc    *fluentbit.Process
	fd      string // the input's number in /proc/PID/fd; "" until the host has opened it
	before  load
	keep    bool // dir
}

// start starts the host with the configuration of s and more arguments. close ends it, and its broker.
func (b *bench) start(ctx context.Context, h fluentbit.Host, s *side, input string, args ...string) (_ *session, err error) {
	v := &session{side: s, input: input, before: now(0), keep: b.keep}
	defer func() {
		if err != nil {
			v.close()
		}
	}()
	if v.dir, err = os.MkdirTemp(b.dir, s.name()+"-"); err != nil {
		return nil, err
	}
	env := []string{"INPUT=" + input}
	if s.kafka {
		if v.kafka, err = b.newCluster(ctx); err != nil {
			return nil, err
		}
		env = append(env, "KAFKA_BROKERS="+strings.Join(v.kafka.brokers, ","), "KAFKA_TOPIC="+v.kafka.topic)
	}
	if s.metrics {
		if v.metrics, err = pipeline.FreeAddr(); err != nil {
			return nil, err
		}
		host, port, err := net.SplitHostPort(v.metrics)
		if err != nil {
			return nil, err
		}
		env = append(env, "METRICS_HOST="+host, "METRICS_PORT="+port)
	}
	var load []string
	for _, p := range s.plugins {
		load = append(load, "-e", filepath.Join("bin", p))
	}
	v.proc, err = h.Start(fluentbit.Options{
		Config: filepath.Join(b.root, "scripts", "bench", "peers", s.conf),
		Dir:    b.root,
		Env:    env,
		Log:    filepath.Join(v.dir, logName),
		Args:   append(load, args...),
	})
	return v, err
}

// close ends what still runs.
func (v *session) close() {
	if v.proc != nil {
		v.proc.Kill()
	}
	if v.kafka != nil {
		v.kafka.close()
	}
	if !v.keep {
		os.RemoveAll(v.dir)
	}
}

// end kills the host, whose work is done, and returns what it used: the work, without an orderly stop.
func (v *session) end() (r Run, err error) {
	if r.RSS, err = v.peakRSS(); err != nil {
		return r, err
	}
	v.proc.Kill()
	u := v.proc.Usage()
	r.User, r.Sys = seconds(u.Utime), seconds(u.Stime)
	r.CPU = r.User + r.Sys
	broker := 0
	if v.kafka != nil && v.kafka.own != nil {
		broker = v.kafka.own.Process.Pid
	}
	after := now(broker)
	r.Others = max(0, after.machine-v.before.machine-(after.ours-v.before.ours)-r.CPU)
	r.Complaints, r.Complaint, err = v.complaints()
	return r, err
}

// complaints counts the warnings and errors in the host's log, which may be long.
func (v *session) complaints() (n int, first string, err error) {
	f, err := os.Open(filepath.Join(v.dir, logName))
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		l := ansi.ReplaceAll(sc.Bytes(), nil)
		if bytes.Contains(l, []byte("[error]")) || bytes.Contains(l, []byte("[ warn]")) {
			if n++; n == 1 {
				first = string(l)
			}
		}
	}
	return n, first, sc.Err()
}

func seconds(t syscall.Timeval) float64 { return time.Duration(t.Nano()).Seconds() }

// dead returns an error with the end of the log when the host is no longer there.
func (v *session) dead() error {
	select {
	case <-v.proc.Done():
		return fmt.Errorf("%s ended by itself (%v); the end of its log:\n%s", v.proc.Host, v.proc.Err(), v.proc.Tail(15))
	default:
		return nil
	}
}

// position is how far the host has read its input; false as long as it has not opened it.
func (v *session) position() (int64, bool) {
	proc := fmt.Sprintf("/proc/%d/", v.proc.PID())
	if v.fd == "" {
		fds, err := os.ReadDir(proc + "fd")
		if err != nil {
			return 0, false
		}
		for _, f := range fds {
			if to, err := os.Readlink(proc + "fd/" + f.Name()); err == nil && to == v.input {
				v.fd = f.Name()
			}
		}
		if v.fd == "" {
			return 0, false
		}
	}
	info, err := os.ReadFile(proc + "fdinfo/" + v.fd)
	if err != nil {
		return 0, false
	}
	var pos int64
	_, err = fmt.Sscanf(string(info), "pos:\t%d", &pos)
	return pos, err == nil
}

// peakRSS is the kernel's VmHWM, in bytes. The rusage of a child would count the memory of the parent that forked it.
func (v *session) peakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.proc.PID()))
	if err != nil {
		return 0, errors.Join(v.dead(), err)
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb * 1024, nil
		}
	}
	return 0, errors.New("/proc/PID/status has no VmHWM")
}
