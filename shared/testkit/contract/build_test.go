//go:build contract

package contract

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A generation is one form of the host's ABI, named by the oldest Fluent Bit that has it.
type generation int

const (
	v1_8 generation = 18 // to 2.0
	v2_1 generation = 21
	v2_2 generation = 22 // and later
	asan generation = -1 // v2_2, watched by AddressSanitizer
)

var generations = []generation{v1_8, v2_1, v2_2}

func (g generation) String() string {
	switch g {
	case v1_8:
		return "1.8"
	case v2_1:
		return "2.1"
	case v2_2:
		return "2.2"
	}
	return "2.2, AddressSanitizer"
}

// root is the module's folder, work where this run's programs are. Each is built when a test first asks for it.
var root, work string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if root, err = filepath.Abs("../../.."); err == nil {
			work, err = os.MkdirTemp("", "contract")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(work)
		return m.Run()
	}())
}

// built runs a build once and remembers how it ended.
var built = struct {
	sync.Mutex
	done map[string]func() (string, error)
}{done: map[string]func() (string, error){}}

func build(name string, how func(out string) *exec.Cmd) (string, error) {
	built.Lock()
	once, ok := built.done[name]
	if !ok {
		once = sync.OnceValues(func() (string, error) {
			out := filepath.Join(work, name)
			cmd := how(out)
			cmd.Dir = root
			if said, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
			}
			return out, nil
		})
		built.done[name] = once
	}
	built.Unlock()
	return once()
}

// hostProgram returns the path of the host of a generation.
func hostProgram(g generation) (string, error) {
	sources, err := filepath.Glob("host/*.c")
	if err != nil || len(sources) == 0 {
		return "", fmt.Errorf("no host/*.c: %w", err)
	}
	cc := compiler()
	return build("host-"+fmt.Sprint(int(g)), func(out string) *exec.Cmd {
		// -rdynamic: plugins find the host's functions by name, in the program itself.
		args := []string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-pthread", "-rdynamic", "-o", out}
		if g == asan {
			args = append(args, "-fsanitize=address", "-fno-omit-frame-pointer", "-DHOST_ASAN", "-DHOST=22")
		} else {
			// Without -fno-builtin the compiler removes what is written to a block just before it is freed.
			args = append(args, "-fno-builtin", "-DHOST="+fmt.Sprint(int(g)))
		}
		for _, s := range sources {
			args = append(args, filepath.Join("shared/testkit/contract", s))
		}
		return command(cc, append(args, "-ldl")...)
	})
}

// compiler returns the words of FLBGO_CC, else of CC, which is also the one of this test's own program.
func compiler() []string {
	return strings.Fields(cmp.Or(os.Getenv("FLBGO_CC"), os.Getenv("CC"), "gcc"))
}

// emulator returns the words before a program of FLBGO_GOARCH, none where that is the machine's own.
func emulator() []string { return strings.Fields(os.Getenv("FLBGO_EMULATOR")) }

func command(words []string, more ...string) *exec.Cmd {
	words = append(slices.Clone(words), more...)
	return exec.Command(words[0], words[1:]...)
}

// files are the names that the plugins have as files; they are part of the ABI.
var files = map[string]string{
	"filter_enrich":     "flb-filter_enrich.so",
	"out_field_metrics": "out_field_metrics.so",
	"out_kafka_batch":   "out_kafka_batch.so",
}

// library returns the path of a plugin's .so: one of the three in plugins/, or "faulty".
func library(t *testing.T, name string) string {
	t.Helper()
	folder, file := "./shared/testkit/contract/faulty", "faulty.so"
	if name != "faulty" {
		folder, file = "./plugins/"+name, files[name]
		if given := os.Getenv("FLBGO_PLUGINS"); given != "" {
			path, err := filepath.Abs(filepath.Join(given, file))
			if err == nil {
				_, err = os.Stat(path)
			}
			if err != nil {
				t.Fatalf("FLBGO_PLUGINS: %v", err)
			}
			return path
		}
	}
	path, err := build(file, func(out string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-buildvcs=false", "-trimpath", "-o", out, folder)
		if arch := os.Getenv("FLBGO_GOARCH"); arch != "" {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOARCH="+arch, "CC="+os.Getenv("FLBGO_CC"))
		}
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}
