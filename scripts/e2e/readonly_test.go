package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

// imageUser is who the image runs as.
const imageUser = 65532

// asImage runs Fluent Bit as a container of the image with a read-only root would: in a mount namespace in which only
// STATE_DIR can be written to, as a user without rights. The process stays the one that was started.
const asImage = `#!/bin/sh
exec unshare --mount sh -ec '
	mount --bind "$STATE_DIR" "$STATE_DIR"
	mount -o remount,bind,ro /
	if touch "$0.probe" 2>/dev/null; then echo "the root is not read-only" >&2; exit 1; fi
	exec setpriv --reuid %d --regid %d --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
' "$0" %s "$@"
`

// What the image runs writes nowhere but to its volume.
func TestSidecarOnReadOnlyRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine allows no mount namespace: %v %s", err, out)
	}
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			// The image's /opt/flbgo, and whatever the user must be able to read.
			dir := t.TempDir()
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			top := filepath.Join(dir, "flbgo")
			for _, folder := range []string{"bin", "conf"} {
				if err := os.CopyFS(filepath.Join(top, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
					t.Fatal(err)
				}
			}
			program := filepath.Join(dir, "fluent-bit")
			if out, err := exec.Command("cp", h.Path, program).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			script := filepath.Join(dir, "as-image")
			if err := os.WriteFile(script, fmt.Appendf(nil, asImage, imageUser, imageUser, program), 0o755); err != nil {
				t.Fatal(err)
			}
			image := h
			image.Path = script
			r := newRigOf(t, pipeline.Config{Root: top, Dir: filepath.Join(dir, "run"), Host: image, Conf: "conf/sidecar/fluent-bit.conf", Env: []string{
				"SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2", "HTTP_PORT=" + freePort(t)}})
			if err := os.Chown(r.State, imageUser, imageUser); err != nil {
				t.Fatal(err)
			}
			r.startHost()
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Host().PID()))
			if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", imageUser)) {
				t.Errorf("Fluent Bit is not the user's process: %v\n%s", err, status)
			}
			r.write(loggen.Config{Streams: jsonStreams, Rate: 3000, Count: 3000, Seed: 25, RotateEvery: 1000})
			r.mustBeWhole(r.await(20*time.Second), 3000)
			r.stopHost()
			said, err := os.ReadFile(r.HostLog)
			if err != nil {
				t.Fatal(err)
			}
			for _, trouble := range []string{"Read-only file system", "Permission denied"} {
				if i := strings.Index(string(said), trouble); i >= 0 {
					t.Errorf("the log: %s", said[max(0, i-200):min(len(said), i+100)])
				}
			}
		})
	}
}
