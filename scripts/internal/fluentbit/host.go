// Package fluentbit runs real Fluent Bits for the demo and the end-to-end tests: the binaries that FLUENT_BIT names,
// what their versions can do, and their processes.
package fluentbit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Host is one Fluent Bit binary.
type Host struct {
	Path                string
	Version             string // "1.8.15"
	major, minor, patch int
}

var versionLine = regexp.MustCompile(`Fluent Bit v((\d+)\.(\d+)\.(\d+)\S*)`)

// Hosts returns the binaries that the environment's FLUENT_BIT names, separated by colons. The Makefile sets it to what
// scripts/fluent-bit.sh found; an empty one is an error, because a test of no host would look like a success.
func Hosts(ctx context.Context) ([]Host, error) {
	var hosts []Host
	for _, path := range filepath.SplitList(os.Getenv("FLUENT_BIT")) {
		if path == "" {
			continue
		}
		h, err := Probe(ctx, path)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	if len(hosts) == 0 {
		return nil, errors.New("FLUENT_BIT is not set: start this through make, which finds or builds one, or set it, for example FLUENT_BIT=/opt/fluent-bit/bin/fluent-bit")
	}
	return hosts, nil
}

// Probe asks a binary for its version.
func Probe(ctx context.Context, path string) (Host, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	m := versionLine.FindSubmatch(out)
	if err != nil || m == nil {
		return Host{}, fmt.Errorf("FLUENT_BIT names %s, which does not answer --version as Fluent Bit does (%w)", path, cmpErr(err))
	}
	h := Host{Path: path, Version: string(m[1])}
	h.major, _ = strconv.Atoi(string(m[2]))
	h.minor, _ = strconv.Atoi(string(m[3]))
	h.patch, _ = strconv.Atoi(string(m[4]))
	return h, nil
}

func cmpErr(err error) error {
	if err == nil {
		return errors.New("no version in its answer")
	}
	return err
}

// AtLeast compares versions.
func (h Host) AtLeast(major, minor int) bool {
	return h.major > major || h.major == major && h.minor >= minor
}

// YAML tells whether the host reads conf/fluent-bit.yaml: YAML with processors, and db.compare_filename, which came
// during 3.0.
func (h Host) YAML() bool { return h.AtLeast(3, 1) }

// HotReload tells whether the host reloads on SIGHUP.
func (h Host) HotReload() bool { return h.AtLeast(2, 1) }

// Metadata tells whether the host's events carry metadata: [[time, metadata], map].
func (h Host) Metadata() bool { return h.AtLeast(2, 1) }

// StopsUnderLoad tells whether SIGTERM is safe while lines come in. Before 2.0 the thread that gets the signal pauses the
// inputs while the engine's thread reads: what tail has just read is refused, and its offset saved all the same.
func (h Host) StopsUnderLoad() bool { return h.AtLeast(2, 0) }

// KeepsUnmapped tells whether the host appends to a chunk that is not mapped without damage. Before 1.9.9 it zeroes up to
// a page of it, which happens when several inputs go over storage.max_chunks_up together.
func (h Host) KeepsUnmapped() bool { return h.AtLeast(1, 10) || h.AtLeast(1, 9) && h.patch >= 9 }

// FiltersFirst tells whether the host filters what it reads before it writes it to a chunk. Before 2.2 it writes, filters
// and writes again: after a SIGKILL a record may be on disk as it was between two filters, and its line is read again.
func (h Host) FiltersFirst() bool { return h.AtLeast(2, 2) }

// Outputs are the names of the outputs that the host lists in its help.
func (h Host) Outputs(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, h.Path, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --help: %w", h.Path, err)
	}
	_, list, _ := strings.Cut(string(out), "Outputs")
	names := map[string]bool{}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); strings.HasPrefix(line, "  ") && len(f) > 0 {
			names[f[0]] = true
		} else if len(names) > 0 {
			break // the next list
		}
	}
	if !names["null"] {
		return nil, fmt.Errorf("%s --help lists no output null: its format is not the one known", h.Path)
	}
	return names, nil
}

// Untestable lists what of the end-to-end tests this host cannot show, by name.
func (h Host) Untestable() []string {
	var missing []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"YAML configuration and enrich as a processor", h.YAML()},
		{"hot reload", h.HotReload()},
		{"more chunks than storage.max_chunks_up of several inputs (the host damages some)", h.KeepsUnmapped()},
		{"a stop while lines come in (the host drops what it reads at that moment)", h.StopsUnderLoad()},
		{"event metadata", h.Metadata()},
	} {
		if !f.has {
			missing = append(missing, f.name)
		}
	}
	return missing
}

// String is "Fluent Bit 1.8.15".
func (h Host) String() string { return "Fluent Bit " + strings.TrimSpace(h.Version) }
