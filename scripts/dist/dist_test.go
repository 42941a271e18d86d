//go:build dist

package dist

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// folder holds what `make dist` wrote.
var folder = os.Getenv("FLBGO_DIST")

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

var plugins = []string{"flb-filter_enrich.so", "out_field_metrics.so", "out_kafka_batch.so"}

// The only libraries that a plugin may need: glibc's own.
var libraries = []string{"libc.so.6", "libpthread.so.0", "libdl.so.2", "libresolv.so.2"}

// one returns the only file that matches.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("FLBGO_DIST=%s: %d files match %s, want one: make dist writes them (%v)", folder, len(found), pattern, err)
	}
	return found[0]
}

// run runs a command that must work, within a minute.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func unpack(t *testing.T, arch string) (top string) {
	t.Helper()
	dir := t.TempDir()
	run(t, "tar", "-xzf", one(t, "fluent-bit-flbgo-*-linux-"+arch+".tar.gz"), "-C", dir)
	found, err := filepath.Glob(filepath.Join(dir, "fluent-bit-flbgo-*-linux-"+arch))
	if err != nil || len(found) != 1 {
		t.Fatalf("folders in the tar.gz: %q, %v", found, err)
	}
	return found[0]
}

func TestChecksums(t *testing.T) {
	sums, err := os.ReadFile(one(t, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	listed := []string{"SHA256SUMS"}
	for _, line := range strings.Split(strings.TrimSpace(string(sums)), "\n") {
		sum, name, ok := strings.Cut(line, "  ")
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); !ok || hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s: SHA-256 is %x, SHA256SUMS has %s", name, got, sum)
		}
		listed = append(listed, name)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	slices.Sort(listed)
	if !slices.Equal(listed, there) || len(there) != 7 {
		t.Errorf("SHA256SUMS lists %q, the folder has %q", listed, there)
	}
}

// The plugins are for their architecture, load on every system of the table and bring nothing that the machine they
// were built on knows.
func TestPlugins(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for arch, machine := range machines {
		t.Run(arch, func(t *testing.T) {
			top := unpack(t, arch)
			for _, name := range plugins {
				file, err := elf.Open(filepath.Join(top, "bin", name))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if file.Machine != machine {
					t.Errorf("%s is for %s", name, file.Machine)
				}
				needs, err := Needs(file)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				t.Logf("%s needs glibc %s", name, needs)
				if needs.Compare(Floor) > 0 {
					t.Errorf("%s needs glibc %s, later than %s", name, needs, Floor)
				}
				for _, s := range Systems {
					if needs.Compare(s.Glibc) > 0 {
						t.Errorf("%s needs glibc %s, %s has %s", name, needs, s.Name, s.Glibc)
					}
				}
				linked, err := file.ImportedLibraries()
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range linked {
					if !slices.Contains(libraries, l) {
						t.Errorf("%s needs %s", name, l)
					}
				}
				// What is not listed is found in libc.so.6 by a new glibc only: before 2.34 these were apart.
				for _, l := range []string{"libpthread.so.0", "libdl.so.2"} {
					if !slices.Contains(linked, l) {
						t.Errorf("%s does not list %s, where glibc before 2.34 has its functions", name, l)
					}
				}
				content, err := os.ReadFile(filepath.Join(top, "bin", name))
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range []string{home + "/", os.TempDir() + "/", "/ziglang/lib"} {
					if i := strings.Index(string(content), path); i >= 0 {
						t.Errorf("%s names a folder of this machine: %q", name, content[i:min(len(content), i+80)])
					}
				}
			}
		})
	}
}

func TestTarball(t *testing.T) {
	for arch := range machines {
		t.Run(arch, func(t *testing.T) {
			top := unpack(t, arch)
			for _, name := range []string{"LICENSE", "README.md", "conf/fluent-bit.conf", "conf/plugins.conf", "licences/go/LICENSE"} {
				if info, err := os.Stat(filepath.Join(top, name)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", name, err)
				}
			}
			modules, err := os.ReadFile(filepath.Join(top, "MODULES"))
			if err != nil {
				t.Fatal(err)
			}
			linked := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)\t`).FindAllSubmatch(modules, -1)
			if len(linked) < 20 {
				t.Errorf("the manifest has %d modules", len(linked))
			}
			for _, m := range linked {
				if found, _ := filepath.Glob(filepath.Join(top, "licences", string(m[1])+"@"+string(m[2]), "*")); len(found) == 0 {
					t.Errorf("no licence of %s %s", m[1], m[2])
				}
			}
			for _, name := range plugins {
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `: go1\.`).Match(modules) {
					t.Errorf("the manifest does not have %s", name)
				}
			}
			beside, err := os.ReadFile(one(t, "fluent-bit-flbgo-*-linux-"+arch+".modules.txt"))
			if err != nil || string(beside) != string(modules) {
				t.Errorf("the manifest beside the tar.gz is another one: %v", err)
			}
		})
	}
}

// A database is an empty system for dpkg, with a C library of a version.
func database(t *testing.T, arch, glibc string) (root string, dpkg []string) {
	t.Helper()
	root = t.TempDir()
	admin := filepath.Join(root, "var/lib/dpkg")
	for _, dir := range []string{"info", "updates", "triggers"} {
		if err := os.MkdirAll(filepath.Join(admin, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	status := fmt.Sprintf("Package: libc6\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n"+
		"Maintainer: nobody <nobody@localhost>\nDescription: C library\n\n", arch, glibc)
	// dpkg knows a foreign architecture by this file.
	for name, content := range map[string]string{"status": status, "arch": "amd64\narm64\n"} {
		if err := os.WriteFile(filepath.Join(admin, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, []string{"--root=" + root, "--log=/dev/null", "--force-not-root", "--force-bad-path"}
}

// files returns the files below root but dpkg's own.
func files(t *testing.T, root string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if rel == "var/lib/dpkg" {
			return fs.SkipDir
		}
		if !entry.IsDir() {
			list = append(list, "/"+rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

const listFile = "/etc/fluent-bit/plugins-flbgo.conf"

// dpkg installs, removes and purges the package, in a folder of its own.
func TestDebInstallAndRemove(t *testing.T) {
	for arch := range machines {
		t.Run(arch, func(t *testing.T) {
			deb := one(t, "fluent-bit-flbgo_*_"+arch+".deb")
			root, dpkg := database(t, arch, "2.17")
			run(t, "dpkg", append(dpkg, "-i", deb)...)

			there := files(t, root)
			for _, name := range plugins {
				if !slices.Contains(there, "/opt/fluent-bit/lib/fluent-bit/"+name) {
					t.Errorf("%s is not where Fluent Bit's own package keeps such files", name)
				}
			}
			list, err := os.ReadFile(filepath.Join(root, listFile))
			if err != nil {
				t.Fatal(err)
			}
			paths := regexp.MustCompile(`(?m)^    Path (\S+)$`).FindAllSubmatch(list, -1)
			if !strings.HasPrefix(string(list), "[PLUGINS]\n") || len(paths) != len(plugins) {
				t.Errorf("the plugin list:\n%s", list)
			}
			for _, p := range paths {
				if !slices.Contains(there, string(p[1])) {
					t.Errorf("the plugin list names %s, which is not there", p[1])
				}
			}
			if out := run(t, "dpkg", append(dpkg, "--verify", "fluent-bit-flbgo:"+arch)...); out != "" {
				t.Errorf("dpkg --verify: %s", out)
			}

			// Again, over itself.
			run(t, "dpkg", append(dpkg, "-i", deb)...)
			if again := files(t, root); !slices.Equal(again, there) {
				t.Errorf("installed twice: %q", again)
			}

			// A plugin list that was changed stays as it is when the package goes, until it is purged.
			run(t, "dpkg", append(dpkg, "-r", "fluent-bit-flbgo:"+arch)...)
			if left := files(t, root); !slices.Equal(left, []string{listFile}) {
				t.Errorf("removing leaves %q", left)
			}
			run(t, "dpkg", append(dpkg, "-P", "fluent-bit-flbgo:"+arch)...)
			if left := files(t, root); len(left) != 0 {
				t.Errorf("purging leaves %q", left)
			}
			if _, err := os.Stat(filepath.Join(root, "opt")); err == nil {
				t.Error("purging leaves /opt")
			}
		})
	}
}

// On a system whose C library is too old, dpkg says so, and not the loader.
func TestDebWantsItsLibrary(t *testing.T) {
	deb := one(t, "fluent-bit-flbgo_*_amd64.deb")
	_, dpkg := database(t, "amd64", "2.13")
	out, err := command(t, "dpkg", append(dpkg, "-i", deb)...)
	if err == nil || !strings.Contains(out, "libc6 (>= "+Floor.String()+")") {
		t.Errorf("with glibc 2.13: %v\n%s", err, out)
	}
}

// The versions of the package order as those of the project do.
func TestDebVersion(t *testing.T) {
	script, err := os.ReadFile("../dist.sh")
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?ms)^debian_version\(\) \{.*?^\}\n`).Find(script)
	var before string
	for _, version := range []string{"d627df9", "v0.9.0", "v1.0.0-rc1", "v1.0.0-rc2", "v1.0.0", "v1.0.0-2-gd627df9", "v1.0.0-10-gabc1234-dirty", "v1.0.1", "v1.10.0"} {
		debian := strings.TrimSpace(run(t, "bash", "-euc", "version=$1 SOURCE_DATE_EPOCH=1790000000\n"+string(function)+"debian_version", "bash", version))
		if out, err := command(t, "dpkg", "--validate-version", debian); err != nil || out != "" {
			t.Errorf("%s: %s is no version: %v %s", version, debian, err, out)
		}
		if before != "" {
			if _, err := command(t, "dpkg", "--compare-versions", before, "lt", debian); err != nil {
				t.Errorf("%s is not before %s, of %s", before, debian, version)
			}
		}
		before = debian
	}
}
