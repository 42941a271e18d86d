package confcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"flbgo/scripts/dist"
)

// dockerfile parses the project's Dockerfile as BuildKit does.
func dockerfile(t *testing.T) (stages []instructions.Stage, args []instructions.ArgCommand) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	ast, err := parser.Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ast.Warnings {
		t.Errorf("Dockerfile: %v", w.Short)
	}
	stages, args, err = instructions.Parse(ast.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages, args
}

// commands returns those of one type.
func commands[T instructions.Command](s instructions.Stage) (out []T) {
	for _, c := range s.Commands {
		if c, ok := c.(T); ok {
			out = append(out, c)
		}
	}
	return out
}

// last returns the last command of a type, which is the one that counts.
func last[T instructions.Command](t *testing.T, s instructions.Stage) (c T) {
	t.Helper()
	all := commands[T](s)
	if len(all) == 0 {
		t.Fatalf("stage %q has no %T", s.Name, c)
	}
	return all[len(all)-1]
}

func TestDockerfileStages(t *testing.T) {
	stages, args := dockerfile(t)
	var names, bases []string
	for _, s := range stages {
		names, bases = append(names, s.Name), append(bases, s.BaseName)
	}
	if !slices.Equal(names, []string{"builder", "plugins", ""}) ||
		!slices.Equal(bases, []string{"${GO_IMAGE}", "scratch", "fluent/fluent-bit:${FLUENT_BIT_VERSION}"}) {
		t.Fatalf("stages %q from %q", names, bases)
	}
	defaults := map[string]string{}
	for _, a := range args {
		for _, kv := range a.Args {
			if kv.Value == nil {
				t.Errorf("ARG %s before the first FROM has no default", kv.Key)
				continue
			}
			defaults[kv.Key] = *kv.Value
		}
	}
	for key, form := range map[string]string{"FLUENT_BIT_VERSION": `^\d+\.\d+\.\d+$`, "GO_IMAGE": `^golang:1\.\d+-bookworm$`} {
		if !regexp.MustCompile(form).MatchString(defaults[key]) {
			t.Errorf("ARG %s is %q before the first FROM, want %s", key, defaults[key], form)
		}
	}
	// The go directive is what the builder must have.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if version == nil || defaults["GO_IMAGE"] != "golang:"+string(version[1])+"-bookworm" {
		t.Errorf("the builder is %s, go.mod says %s", defaults["GO_IMAGE"], version[0])
	}

	plugins := stages[1]
	if copies := commands[*instructions.CopyCommand](plugins); len(plugins.Commands) != 1 || len(copies) != 1 ||
		copies[0].From != "builder" || !slices.Equal(copies[0].SourcePaths, []string{"/src/bin/*.so"}) {
		t.Errorf("the plugins stage must hold the .so files and nothing else: %v", plugins.Commands)
	}
}

// What is copied from the work tree is there and is not left out by .dockerignore; what is copied from a stage is
// from one before.
func TestDockerfileCopies(t *testing.T) {
	stages, _ := dockerfile(t)
	ignore, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	var before []string
	for _, s := range stages {
		for _, c := range commands[*instructions.CopyCommand](s) {
			if c.From != "" {
				if !slices.Contains(before, c.From) {
					t.Errorf("line %d: no stage %q before this one", c.Location()[0].Start.Line, c.From)
				}
				continue
			}
			for _, source := range c.SourcePaths {
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Errorf("line %d: %v", c.Location()[0].Start.Line, err)
				}
				for _, line := range strings.Fields(string(ignore)) {
					if top, _, _ := strings.Cut(source, "/"); line == top {
						t.Errorf("%s is copied, and .dockerignore leaves it out", source)
					}
				}
			}
		}
		before = append(before, s.Name)
	}
}

// The builder runs on its own platform and builds for the image's, by the script that make dist uses, every plugin under
// the name that conf/plugins.conf loads.
func TestDockerfileBuilds(t *testing.T) {
	stages, _ := dockerfile(t)
	builder := stages[0]
	if builder.Platform != "${BUILDPLATFORM}" {
		t.Errorf("the builder is for %q: it would be emulated", builder.Platform)
	}
	if p := stages[len(stages)-1].Platform; p != "" {
		t.Errorf("the image is for %q, not for the platform that is asked for", p)
	}
	var runs []string
	for _, r := range commands[*instructions.RunCommand](builder) {
		runs = append(runs, strings.Join(r.CmdLine, " "))
	}
	if !slices.Contains(runs, `scripts/release.sh "$TARGETARCH" bin "$VERSION"`) {
		t.Errorf("the builder runs %q, not release.sh", runs)
	}
	var args []string
	for _, a := range commands[*instructions.ArgCommand](builder) {
		args = append(args, a.Args[0].Key)
	}
	if !slices.Equal(args, []string{"TARGETARCH", "VERSION"}) {
		t.Errorf("the builder has ARG %q, and uses TARGETARCH and VERSION", args)
	}
	script, err := os.ReadFile(filepath.Join(root, "scripts/release.sh"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(root, "conf/plugins.conf"))
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`(?m)^\s*Path\s+(\S+)`).FindAllSubmatch(list, -1)
	if len(paths) != 3 {
		t.Errorf("conf/plugins.conf has %d plugins", len(paths))
	}
	for _, p := range paths {
		file := strings.TrimSuffix(filepath.Base(string(p[1])), ".so")
		folder := strings.TrimPrefix(file, "flb-")
		if !strings.Contains(string(script), folder+":"+file) {
			t.Errorf("release.sh does not build %s from plugins/%s", p[1], folder)
		}
		if _, err := os.Stat(filepath.Join(root, "plugins", folder, "main.go")); err != nil {
			t.Error(err)
		}
	}
}

// Releases load in the official image that is chosen, by its system's C library.
func TestDockerfileBase(t *testing.T) {
	_, args := dockerfile(t)
	for _, a := range args {
		for _, kv := range a.Args {
			if kv.Key != "FLUENT_BIT_VERSION" {
				continue
			}
			base, err := dist.ImageBase(*kv.Value)
			if err != nil {
				t.Fatal(err)
			}
			if dist.Floor.Compare(base.Glibc) > 0 {
				t.Errorf("Fluent Bit %s is on %s with glibc %s, the plugins need %s", *kv.Value, base.Name, base.Glibc, dist.Floor)
			}
		}
	}
}

func TestDockerfileImage(t *testing.T) {
	stages, _ := dockerfile(t)
	image := stages[len(stages)-1]

	user := last[*instructions.UserCommand](t, image).User
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER is %q, want numbers that are not root's: Kubernetes' runAsNonRoot understands no names", user)
	}
	if l := last[*instructions.WorkdirCommand](t, image); l.Path != "/opt/flbgo" {
		t.Errorf("WORKDIR is %s", l.Path)
	}
	health := last[*instructions.HealthCheckCommand](t, image).Health
	if !slices.Equal(health.Test, []string{"CMD", "/opt/flbgo/bin/healthcheck"}) {
		t.Errorf("HEALTHCHECK runs %q; there is no shell in the image", health.Test)
	}
	if entry := last[*instructions.EntrypointCommand](t, image); entry.PrependShell {
		t.Errorf("ENTRYPOINT needs a shell, which the image does not have")
	}
	cmd := last[*instructions.CmdCommand](t, image)
	if cmd.PrependShell || len(cmd.CmdLine) != 2 || cmd.CmdLine[0] != "-c" {
		t.Fatalf("CMD is %q", cmd.CmdLine)
	}
	if len(commands[*instructions.RunCommand](image)) > 0 {
		t.Error("RUN needs a shell, which the image does not have")
	}

	// The configuration that it runs is copied, and all of its environment is set but the broker.
	conf, err := os.ReadFile(filepath.Join(root, cmd.CmdLine[1]))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, e := range commands[*instructions.EnvCommand](image) {
		for _, kv := range e.Env {
			env[kv.Key] = kv.Value
		}
	}
	for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllSubmatch(conf, -1) {
		key := string(m[1])
		if _, ok := env[key]; !ok && key != "KAFKA_BROKERS" {
			t.Errorf("%s uses ${%s}, which the image does not set", cmd.CmdLine[1], key)
		}
	}

	// The folders that it writes to belong to its user.
	owned := map[string]bool{}
	for _, c := range commands[*instructions.CopyCommand](image) {
		if c.Chown == user {
			owned[c.DestPath] = true
		}
	}
	for _, key := range []string{"STATE_DIR", "LOG_DIR"} {
		if dir := filepath.Dir(env[key]) + "/"; !owned[dir] {
			t.Errorf("%s is %s, and nothing is copied to %s for user %s", key, env[key], dir, user)
		}
	}
	if v := last[*instructions.VolumeCommand](t, image).Volumes; !slices.Contains(v, env["STATE_DIR"]) {
		t.Errorf("STATE_DIR %s is no volume: %q", env["STATE_DIR"], v)
	}
}
