package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// usage is what a process holds.
type usage struct {
	rss     int64 // bytes
	threads int
	files   int // descriptors
	listens int // TCP sockets that listen
}

func (u usage) String() string {
	return fmt.Sprintf("%.0f MB, %d threads, %d descriptors, %d listeners", float64(u.rss)/1e6, u.threads, u.files, u.listens)
}

// leaks says what there is more of than chance explains, "" for nothing. A goroutine that stays shows as memory.
func (u usage) leaks(after usage) string {
	var s []string
	if after.listens > u.listens {
		s = append(s, fmt.Sprintf("%d listeners, before %d", after.listens, u.listens))
	}
	if after.threads > u.threads+8 { // a runtime starts one for every call into the kernel that takes long
		s = append(s, fmt.Sprintf("%d threads, before %d", after.threads, u.threads))
	}
	if after.files > u.files+16 {
		s = append(s, fmt.Sprintf("%d descriptors, before %d", after.files, u.files))
	}
	if after.rss > u.rss+u.rss/4+20e6 {
		s = append(s, fmt.Sprintf("%.0f MB, before %.0f", float64(after.rss)/1e6, float64(u.rss)/1e6))
	}
	return strings.Join(s, "; ")
}

func usageOf(pid int) (u usage, err error) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch n, _ := strconv.Atoi(f[1]); f[0] {
		case "VmRSS:":
			u.rss = int64(n) << 10
		case "Threads:":
			u.threads = n
		}
	}
	listening := map[string]bool{} // inodes
	tcp, err := os.ReadFile(filepath.Join(proc, "net", "tcp"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(tcp)) {
		const state, inode, listen = 3, 9, "0A"
		if f := strings.Fields(line); len(f) > inode && f[state] == listen {
			listening["socket:["+f[inode]+"]"] = true
		}
	}
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return u, err
	}
	u.files = len(fds)
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(proc, "fd", fd.Name())); err == nil && listening[to] {
			u.listens++
		}
	}
	return u, nil
}

// buildFaulty builds the plugin of the contract tests that panics when its tag says so, into the run's folder.
func (r *Run) buildFaulty(ctx context.Context) (path string, err error) {
	path = filepath.Join(r.Dir, "faulty.so")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-buildvcs=false", "-o", path, "./shared/testkit/contract/faulty")
	cmd.Dir = r.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the plugin that panics: %w: %s", err, out)
	}
	return path, nil
}
