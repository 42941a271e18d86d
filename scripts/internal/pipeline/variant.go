package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Variant writes the configuration of the project at root with changes into the folder dir, and returns its path. Each
// change is an expression and what replaces it. An expression that matches nothing is an error: the file has changed
// since.
func Variant(root, conf, dir string, changes [][2]string) (path string, err error) {
	b, err := os.ReadFile(filepath.Join(root, conf))
	if err != nil {
		return "", err
	}
	text := string(b)
	for _, c := range changes {
		re, err := regexp.Compile(c[0])
		if err != nil {
			return "", err
		}
		if !re.MatchString(text) {
			return "", fmt.Errorf("%s has nothing that matches %s", conf, c[0])
		}
		text = re.ReplaceAllString(text, c[1])
	}
	path = filepath.Join(dir, filepath.Base(conf))
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// FilesOf is a change for Variant: the parsers and plugins that conf names lie beside it, and not beside its variant.
func FilesOf(root, conf string) [2]string {
	return [2]string{`(?mi)^(\s*(?:Parsers|Plugins)_File:?\s+)`, "${1}" + filepath.Join(root, filepath.Dir(conf)) + "/"}
}
