package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"flbgo/scripts/internal/fluentbit"
)

// machine is "Intel Xeon …, 2 CPUs, 25 GB, Linux 6.1.0".
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	var info syscall.Sysinfo_t
	var name syscall.Utsname
	if syscall.Sysinfo(&info) != nil || syscall.Uname(&name) != nil {
		return model
	}
	var release []byte
	for _, c := range name.Release {
		release = append(release, byte(c))
	}
	release, _, _ = bytes.Cut(release, []byte{0})
	return fmt.Sprintf("%s, %d CPUs, %.0f GB, Linux %s", model, runtime.NumCPU(), float64(info.Totalram)*float64(info.Unit)/1e9, release)
}

func versions(h fluentbit.Host) string { return fmt.Sprintf("%s, %s", h, runtime.Version()) }

// commit is what the plugins were built from, if bin/ is as new as the sources: make sees to that. Changes elsewhere in
// the tree, such as results, do not make it dirty.
func commit(root string) string {
	git := func(args ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	at, err := git("describe", "--tags", "--always")
	if err != nil {
		return "unknown"
	}
	changed, err := git("status", "--porcelain", "--", "plugins", "shared", "go.mod", "go.sum", "scripts/bench")
	if err != nil || changed != "" {
		at += "-dirty"
	}
	return at
}

// load is CPU time used since some moment, in seconds.
type load struct {
	machine float64 // by everything
	ours    float64 // by this process and the broker
}

// tick is what /proc counts in: USER_HZ, 100 on every Linux that Go runs on.
const tick = 100

// now reads it; broker is a process id, 0 for none. What cannot be read counts as 0: it only feeds a note.
func now(broker int) load {
	var l load
	var user, nice, system, idle, wait, irq, soft float64
	if b, err := os.ReadFile("/proc/stat"); err == nil {
		fmt.Sscanf(string(b), "cpu %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &wait, &irq, &soft)
		l.machine = (user + nice + system + irq + soft) / tick
	}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		l.ours = seconds(u.Utime) + seconds(u.Stime)
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", broker)); err == nil {
		// The name, in parentheses, may hold anything; utime and stime are the 12th and 13th field behind it.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		utime, _ := strconv.ParseFloat(fields[11], 64)
		stime, _ := strconv.ParseFloat(fields[12], 64)
		l.ours += (utime + stime) / tick
	}
	return l
}
