package confcheck

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// users is what Open needs besides.
type users struct {
	env      map[string]string // set by the file itself
	root     string            // the folder of the first file
	included []string          // absolute paths, so that a circle ends
}

// Open reads a pipeline of a user with all that it includes. What it does not know is left out, and listed in
// File.LeftOut; a setting that is given more than once is kept each time. The error is that a file cannot be read, or is
// not in Fluent Bit's format, with its line.
func Open(path string) (*File, error) {
	f := &File{Path: path, users: &users{env: map[string]string{}, root: filepath.Dir(path)}}
	if err := f.include(1, path); err != nil {
		return nil, err
	}
	if f.Kind != Pipeline {
		return nil, fmt.Errorf("%s: no pipeline: there are no inputs and outputs in it", path)
	}
	return f, nil
}

// include reads another file of the same pipeline.
func (f *File) include(line int, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if slices.Contains(f.users.included, abs) {
		f.fault(line, "%s is included a second time", path)
		return nil
	}
	f.users.included = append(f.users.included, abs)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	outer := f.Path
	defer func() { f.Path = outer }()
	f.Path = path
	if err := f.read(content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// includeAll takes the name of a file, or a pattern with a *. In a classic file it is relative to the working directory or
// the folder of the first file, a pattern to the latter alone, and variables are not put in; in YAML it is relative to the
// file that it stands in.
func (f *File) includeAll(line int, pattern string) error {
	path, many := pattern, strings.Contains(pattern, "*")
	if !filepath.IsAbs(path) {
		folder := f.users.root
		if f.YAML {
			folder = filepath.Dir(f.Path)
		}
		if _, err := os.Stat(path); err != nil || many || f.YAML {
			path = filepath.Join(folder, path)
		}
	}
	paths := []string{path}
	if many {
		var err error
		if paths, err = filepath.Glob(path); err != nil {
			return fmt.Errorf("include %s: %w", path, err)
		}
	} else if _, err := os.Stat(path); err != nil {
		paths = nil
	}
	if len(paths) == 0 {
		f.fault(line, "include of %s, which is not there", pattern)
	}
	for _, path := range paths {
		if err := f.include(line, path); err != nil {
			return err
		}
	}
	return nil
}

// command is a line that begins with @.
func (f *File) command(line int, text string) error {
	name, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(name) {
	case "@include":
		return f.includeAll(line, rest)
	case "@set":
		key, value, _ := strings.Cut(rest, "=")
		f.users.env[strings.TrimSpace(key)] = strings.TrimSpace(value)
	default:
		f.leaveOut(line, "command %s", name)
	}
	return nil
}

// userKey is a key of a YAML file that has no part in a pipeline of the project's.
func (f *File) userKey(key string, value *yaml.Node) error {
	switch key {
	case "includes":
		for _, v := range value.Content {
			if err := f.includeAll(v.Line, v.Value); err != nil {
				return err
			}
		}
	case "env":
		for i := 0; i+1 < len(value.Content); i += 2 { // of a map, whose names are as they are written
			f.users.env[value.Content[i].Value] = value.Content[i+1].Value
		}
	default:
		f.leaveOut(value.Line, "%s", key)
	}
	return nil
}

func (f *File) fault(line int, format string, args ...any) {
	f.Faults = append(f.Faults, Fault{f.Path, line, fmt.Sprintf(format, args...)})
}

func (f *File) leaveOut(line int, format string, args ...any) {
	f.LeftOut = append(f.LeftOut, fmt.Sprintf("%s:%d: %s", f.Path, line, fmt.Sprintf(format, args...)))
}

// Expand puts in the variables that the environment or the file has, as Fluent Bit does: ${NAME}. Those that are not set
// are empty, and returned by name.
func (f *File) Expand(text string) (expanded string, unset []string) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		b.WriteString(before)
		if !ok || !closed {
			b.WriteString(text[len(before):])
			return b.String(), unset
		}
		value, set := "", false
		if f.users != nil {
			value, set = f.users.env[name]
		}
		if !set {
			value, set = os.LookupEnv(name)
		}
		if !set {
			unset = append(unset, name)
		}
		b.WriteString(value)
		text = after
	}
}

// Values are all values of a setting, which may be given several times.
func (s *Section) Values(key string) (out []string) {
	for _, p := range s.Props {
		if p.Key == key {
			out = append(out, p.Value)
		}
	}
	return out
}
