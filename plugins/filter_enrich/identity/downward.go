package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxFile bounds what is read of one file: annotations of a pod are 256 KB at the most.
const maxFile = 1 << 20

// readDownward reads what the Kubernetes downward API says of Fluent Bit's own pod: variables under the names that the
// Kubernetes documentation, OpenTelemetry's operator and the usual charts give them, and the files of a volume. A file
// beats a variable, which stays what it was when the process began.
func readDownward(s *System, folder string) ([]Attribute, State, error) {
	env := Pod{
		Name:      s.first("K8S_POD_NAME", "POD_NAME", "MY_POD_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"),
		Namespace: s.first("K8S_NAMESPACE_NAME", "K8S_NAMESPACE", "POD_NAMESPACE", "MY_POD_NAMESPACE"),
		UID:       s.first("K8S_POD_UID", "POD_UID", "MY_POD_UID", "OTEL_RESOURCE_ATTRIBUTES_POD_UID"),
		Node:      s.first("K8S_NODE_NAME", "NODE_NAME", "MY_NODE_NAME", "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME"),
		Container: s.first("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
		Cluster:   s.first("K8S_CLUSTER_NAME", "CLUSTER_NAME"),
	}
	folder = filepath.Join(s.Root, folder)
	p, dir, err := env, volume(""), error(nil)
	for range 3 {
		if dir, err = openVolume(folder); err != nil {
			break
		}
		p = env
		err = dir.read(&p)
		if now, _ := openVolume(folder); now == dir {
			break
		}
		// The link was swapped meanwhile, and the kubelet removes what it led to.
	}
	attrs := p.attributes()
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return attrs, Failed, err
	case attrs == nil:
		return nil, Absent, nil
	}
	return attrs, Found, nil
}

// volume is a folder of the downward API. Kubernetes replaces all its files at once, by swapping the link ..data; the
// link is followed once, so that what is read is of one moment.
type volume string

func openVolume(folder string) (volume, error) {
	target, err := filepath.EvalSymlinks(filepath.Join(folder, "..data"))
	if errors.Is(err, fs.ErrNotExist) {
		target, err = folder, nil // files that were mounted one by one
	}
	if err == nil {
		_, err = os.Stat(target)
	}
	return volume(target), err
}

func (v volume) read(p *Pod) error {
	var errs []error
	text := func(into *string, names ...string) {
		for _, name := range names {
			b, err := v.file(name)
			if err != nil {
				errs = append(errs, err)
			}
			if t := strings.TrimSpace(string(b)); t != "" && !strings.ContainsRune(t, '\n') {
				*into = t
				return
			}
		}
	}
	pairs := func(into *map[string]string, name string) {
		b, err := v.file(name)
		if err == nil && b != nil {
			*into, err = parsePairs(string(b))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	pairs(&p.Labels, "labels")
	pairs(&p.Annotations, "annotations")
	text(&p.Name, "pod_name", "podname", "pod-name", "name")
	text(&p.Namespace, "pod_namespace", "podnamespace", "pod-namespace", "namespace")
	text(&p.UID, "pod_uid", "poduid", "pod-uid", "uid")
	text(&p.Node, "node_name", "nodename", "node-name")
	return errors.Join(errs...)
}

// file is what a file has; nil where it is not there.
func (v volume) file(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(v), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// parsePairs reads lines of key="value", the value quoted as Go's %q does, which is what the kubelet writes
// (pkg/fieldpath in Kubernetes). A line that is none is an error, and the others count all the same. The error does not
// quote the line: annotations may hold secrets.
func parsePairs(text string) (map[string]string, error) {
	pairs := map[string]string{}
	var bad error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		key, quoted, ok := strings.Cut(line, "=")
		value, err := strconv.Unquote(quoted)
		if !ok || key == "" || err != nil {
			bad = fmt.Errorf("line %d is not key=\"value\"", number)
			continue
		}
		pairs[key] = value
	}
	return pairs, bad
}
