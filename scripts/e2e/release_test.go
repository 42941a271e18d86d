//go:build dist

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/pipeline"
)

// What a user downloads and unpacks: the tar.gz's plugins with the tar.gz's configuration, run from its folder. make
// test-dist names the folder of the packages.
func TestReleaseRunsFromItsFolder(t *testing.T) {
	pattern := filepath.Join(os.Getenv("FLBGO_DIST"), "fluent-bit-flbgo-*-linux-"+runtime.GOARCH+".tar.gz")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("FLBGO_DIST: %q match %s, want one file: %v", found, pattern, err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", found[0], "--strip-components=1", "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			r := newRigOf(t, pipeline.Config{Root: dir, Dir: t.TempDir(), Host: h, Conf: "conf/sidecar/fluent-bit.conf", Env: []string{
				"SERVICE_NAME=checkout", "SERVICE_VERSION=1.4.2", "HTTP_PORT=" + freePort(t)}})
			r.startHost()
			r.write(loggen.Config{Streams: jsonStreams, Rate: 3000, Count: 3000, Seed: 24, RotateEvery: 1000})
			r.mustBeWhole(r.await(20*time.Second), 3000)
		})
	}
}
