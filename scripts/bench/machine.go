package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
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

// commit is what the plugins were built from, if bin/ is as new as the sources: make sees to that.
func commit(root string) string {
	cmd := exec.Command("git", "describe", "--tags", "--always", "--dirty")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
