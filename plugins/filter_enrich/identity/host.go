package identity

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// fqdnTimeout bounds the question for the host's full name: a name server that does not answer takes far longer.
const fqdnTimeout = 2 * time.Second

// readHost is what the machine knows of itself. In a container that is the container's host name.
func readHost(s *System) ([]Attribute, State, error) {
	name, err := os.Hostname()
	attrs := add(nil, "host.name", name)
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if b, err := os.ReadFile(filepath.Join(s.Root, path)); err == nil {
			attrs = add(attrs, "host.id", strings.TrimSpace(string(b)))
			break
		}
	}
	attrs = add(attrs, "host.arch", runtime.GOARCH)
	attrs = add(attrs, "os.type", runtime.GOOS)
	if err != nil {
		return attrs, Failed, err
	}
	return attrs, Found, nil
}

// readFQDN asks for the host's full name. Where there is none, host.name is all there is.
func readFQDN(ctx context.Context, lookup func(context.Context, string) (string, error)) []Attribute {
	name, err := os.Hostname()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fqdnTimeout)
	defer cancel()
	if lookup == nil {
		lookup = net.DefaultResolver.LookupCNAME
	}
	full, err := lookup(ctx, name)
	full = strings.TrimSuffix(full, ".")
	if err != nil || !strings.Contains(full, ".") || full == name {
		return nil
	}
	return []Attribute{{"host.fqdn", full}}
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

// readContainer takes the id from the cgroup's path. Under cgroup 2 a process sees no path of its own; there the files
// that the runtime mounts for it, /etc/hostname for one, lie in a folder of that name.
func readContainer(s *System) ([]Attribute, State, error) {
	var errs []error
	for _, from := range []struct{ path, mark string }{
		{"/proc/self/cgroup", ""},
		{"/proc/self/mountinfo", "/containers/"},
	} {
		id, err := findID(filepath.Join(s.Root, from.path), from.mark)
		if id != "" {
			return []Attribute{{"container.id", id}}, Found, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, Failed, err
	}
	return nil, Absent, nil
}

// findID is the last id in the first line that has the mark and an id.
func findID(path, mark string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if i := strings.Index(line, mark); i >= 0 {
			if ids := containerID.FindAllString(line[i:], -1); ids != nil {
				return ids[len(ids)-1], nil
			}
		}
	}
	return "", lines.Err()
}
