// Package contracthost drives the C program of shared/testkit/contract/host, which dlopens plugins and hands them chunks
// as Fluent Bit does, for measurements: nothing else runs in its process.
package contracthost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Plugins are the three, by folder, with the names that they have as files.
var Plugins = map[string]string{
	"filter_enrich":     "flb-filter_enrich.so",
	"out_field_metrics": "out_field_metrics.so",
	"out_kafka_batch":   "out_kafka_batch.so",
}

// Program is the host, and plugins, built from the sources of this tree.
type Program struct{ dir string }

// Build builds the host, as Fluent Bit is from 2.2 on, and the three plugins into dir. The plugins have a symbol table,
// which the ones in bin/ lack: instructions have a function's name. Their code is the same.
func Build(ctx context.Context, root, dir string) (Program, error) {
	sources, err := filepath.Glob(filepath.Join(root, "shared/testkit/contract/host/*.c"))
	if err != nil || len(sources) == 0 {
		return Program{}, fmt.Errorf("%s has no sources of the contract host: %w", root, err)
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "gcc"
	}
	// -fno-builtin: see shared/testkit/contract/build_test.go.
	args := []string{"-std=gnu11", "-O1", "-fvisibility=hidden", "-pthread", "-rdynamic", "-fno-builtin", "-DHOST=22", "-o", filepath.Join(dir, "host")}
	if err := run(ctx, root, cc, append(append(args, sources...), "-ldl")...); err != nil {
		return Program{}, err
	}
	for folder, file := range Plugins {
		if err := run(ctx, root, "go", "build", "-buildmode=c-shared", "-buildvcs=false", "-trimpath", "-ldflags=-w",
			"-o", filepath.Join(dir, file), "./plugins/"+folder); err != nil {
			return Program{}, err
		}
	}
	return Program{dir}, nil
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said)
	}
	return nil
}
