// Package docs holds what the project's prose says to what there is: links, make targets, metrics, messages of the log.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

const root = "../../.."

// pages are all Markdown files, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, path)
			out[rel] = string(b)
		}
		return nil
	})
	if err != nil || len(out) < 6 {
		t.Fatalf("%d pages, %v", len(out), err)
	}
	return out
}

// anchor is what a heading is called in a link.
func anchor(heading string) string {
	heading = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, heading)
	return heading
}

func TestLinks(t *testing.T) {
	all := pages(t)
	anchors := func(page string) map[string]bool {
		out := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(all[page], -1) {
			out[anchor(m[1])] = true
		}
		return out
	}
	n := 0
	for page, text := range all {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, part, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			n++
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			info, err := os.Stat(filepath.Join(root, path))
			if err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
				continue
			}
			if info.IsDir() {
				path = filepath.Join(path, "README.md")
			}
			if part != "" && !anchors(path)[part] {
				t.Errorf("%s: %s has no heading for #%s", page, path, part)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links were found", n)
	}
}

// The file map of shared/README.md has every folder that somebody looks for something in.
func TestFileMap(t *testing.T) {
	_, table, _ := strings.Cut(pages(t)["shared/README.md"], "\n## Where things are\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, dir := range []string{"shared", "conf", "scripts", "scripts/internal"} {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() && !regexp.MustCompile("[`/{,]"+e.Name()+"[`},]").MatchString(table) {
				t.Errorf("the map has no %s/%s", dir, e.Name())
			}
		}
	}
}

// A `make` of the documentation is a target of the Makefile.
func TestMakeTargets(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z_0-9-]*):`).FindAllStringSubmatch(string(b), -1) {
		targets[m[1]] = true
	}
	n := 0
	for page, text := range pages(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^    (?:sudo )?|`)make ([a-z][a-z_0-9-]*)").FindAllStringSubmatch(text, -1) {
			if n++; !targets[m[1]] {
				t.Errorf("%s: make %s is no target", page, m[1])
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d commands were found", n)
	}
}

// A metric of a plugin that any page or rule names is one that the plugin's README has in its table, which is made from
// the code.
func TestMetrics(t *testing.T) {
	all := pages(t)
	known := map[string]bool{}
	for page, text := range all {
		if strings.HasPrefix(page, "plugins/") {
			for _, m := range regexp.MustCompile("(?m)^\\| `((?:kafka_batch|enrich|field_metrics)_[a-z_]+)` \\|").FindAllStringSubmatch(text, -1) {
				known[m[1]] = true
			}
		}
	}
	if len(known) < 25 {
		t.Fatalf("only %d metrics are in the tables", len(known))
	}
	for _, page := range []string{"conf/README.md", "README.md"} {
		for _, m := range regexp.MustCompile(`\b((?:kafka_batch|enrich)_[a-z_]+[a-z])\b`).FindAllStringSubmatch(all[page], -1) {
			name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m[1], "_bucket"), "_count"), "_sum")
			if !known[name] && !strings.HasPrefix(name, "enrich_modify") {
				t.Errorf("%s: there is no metric %s", page, name)
			}
		}
	}
}

// What "Troubleshooting" shows as a message of the plugins is one.
func TestMessages(t *testing.T) {
	var code strings.Builder
	for _, dir := range []string{"plugins", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			code.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text := pages(t)["conf/README.md"]
	_, text, ok := strings.Cut(text, "\n## Troubleshooting\n")
	if !ok {
		t.Fatal("no section Troubleshooting")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	n := 0
	for _, line := range strings.Split(text, "\n") {
		seen, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, m := range regexp.MustCompile("`([^`]{20,})`").FindAllStringSubmatch(seen, -1) {
			if strings.Contains(seen, "Fluent Bit's log") {
				continue // the host's
			}
			if n++; !strings.Contains(code.String(), m[1]) {
				t.Errorf("no message of the plugins has %q", m[1])
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d messages were found", n)
	}
}
