package confcheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// image runs scripts/image.sh with an engine that only says what it is asked to do, or none that answers.
func image(t *testing.T, engine string, args ...string) (said string, err error) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" != info ] || exit " + map[bool]string{true: "0", false: "1"}[engine != ""] + "\necho \"ran $*\"\n"
	for _, name := range []string{"docker", "podman"} {
		text := script
		if engine != "" && name != engine {
			text = "#!/bin/sh\nexit 1\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(root, "scripts/image.sh"), args...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestImage(t *testing.T) {
	for _, c := range []struct {
		what, engine string
		args         []string
		want         string
		fails        bool
	}{
		{"no engine", "", []string{"v1", "x", ""}, "error: no container engine answers", true},
		{"docker", "docker", []string{"v1", "x", ""}, "ran build --build-arg VERSION=v1 --tag x:v1 --tag x:latest .\n", false},
		{"podman", "podman", []string{"v1", "x", "linux/arm64"}, "ran build --build-arg VERSION=v1 --tag x:v1 --tag x:latest --platform linux/arm64 .\n", false},
		{"both", "docker", []string{"v1", "x", "linux/amd64,linux/arm64", "--push"}, "ran buildx build --build-arg VERSION=v1 --tag x:v1 --tag x:latest --platform linux/amd64,linux/arm64 --push .\n", false},
		{"both, nowhere", "docker", []string{"v1", "x", "linux/amd64,linux/arm64"}, "add IMAGE_FLAGS=--push", true},
	} {
		said, err := image(t, c.engine, c.args...)
		if !strings.Contains(said, c.want) || (err != nil) != c.fails {
			t.Errorf("%s: %v, said:\n%s", c.what, err, said)
		}
	}
}
