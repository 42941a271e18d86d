// Package confcheck reads the project's Fluent Bit configuration files, classic and YAML, and holds those that describe
// a pipeline to the settings that decide whether lines are lost. The reasons stand in conf/README.md, in short beside
// each rule of this package.
//
// It is no Fluent Bit: what it does not know is an error, so that nothing passes unread. Open, for files of users, leaves
// out what it does not know instead, and says so.
package confcheck

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// Kind is what a configuration file is for.
type Kind string

const (
	Pipeline Kind = "pipeline"    // inputs, filters, outputs
	Parsers  Kind = "parsers"     // for Parsers_File
	Plugins  Kind = "plugin list" // for Plugins_File
	Metrics  Kind = "metrics"     // for field_metrics' Metrics_File, which its own tests read
)

// File is a configuration file that was read.
type File struct {
	Path string // as given to Parse
	YAML bool
	Kind Kind

	Service Section // of a pipeline; Kind "" where there is none
	Inputs  []Section
	Filters []Section // filters, and in YAML processors too
	Outputs []Section

	LeftOut []string // what Open did not understand, with its place
	Faults  []Fault  // what Fluent Bit does not start with, or reads as something else than it looks like

	users *users // of a file that Open reads
}

// Section is one plugin instance, or the service.
type Section struct {
	File  string // it is in: that of the pipeline, or one that this includes
	Line  int    // 1-based; of its first line
	Name  string // of the plugin, in lower case
	Props []Prop
}

// Fault is one place that Open found to be wrong in the format itself.
type Fault struct {
	File string
	Line int // 1-based
	Text string
}

// Prop is one setting.
type Prop struct {
	Line  int
	Key   string // in lower case: Fluent Bit does not care
	Value string
}

// Get returns the value of a setting, which a section has at most once. Key is in lower case.
func (s *Section) Get(key string) (string, bool) {
	for _, p := range s.Props {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Is tells whether a setting is there and is value, whatever the case.
func (s *Section) Is(key, value string) bool {
	v, ok := s.Get(key)
	return ok && strings.EqualFold(v, value)
}

// Off tells whether a setting is there and means no.
func (s *Section) Off(key string) bool {
	return s.Is(key, "off") || s.Is(key, "false") || s.Is(key, "no")
}

// On tells whether a setting is there and means yes.
func (s *Section) On(key string) bool {
	return s.Is(key, "on") || s.Is(key, "true") || s.Is(key, "yes")
}

// Parse reads a configuration file; the end of its name says in which format. The error says what was not understood,
// and in which line.
func Parse(name string, content []byte) (*File, error) {
	f := &File{Path: name}
	err := f.read(content)
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// read reads a file by the end of its name.
func (f *File) read(content []byte) error {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	switch path.Ext(f.Path) {
	case ".conf":
		return readClassic(f, content)
	case ".yaml", ".yml":
		f.YAML = true
		return readYAML(f, content)
	}
	if f.users != nil {
		return readClassic(f, content) // as Fluent Bit does
	}
	return fmt.Errorf("neither .conf, .yaml nor .yml")
}

// check refuses what would be read differently by Fluent Bit, or not at all.
func (f *File) check() error {
	if f.Kind == "" {
		return fmt.Errorf("neither a pipeline nor parsers, a plugin list or metrics")
	}
	if f.Kind != Pipeline {
		return nil
	}
	if len(f.Inputs) == 0 || len(f.Outputs) == 0 {
		return fmt.Errorf("a pipeline without inputs or without outputs")
	}
	sections := append([]Section{f.Service}, f.Inputs...)
	sections = append(append(sections, f.Filters...), f.Outputs...)
	for i, s := range sections {
		if i > 0 && s.Name == "" {
			return fmt.Errorf("line %d: a section without a name", s.Line)
		}
		seen := map[string]bool{}
		for _, p := range s.Props {
			if seen[p.Key] && !several[p.Key] {
				return fmt.Errorf("line %d: %s is set twice", p.Line, p.Key)
			}
			seen[p.Key] = true
		}
	}
	return nil
}
