package confcheck

import (
	"fmt"
	"strings"
)

// readClassic reads the format of fluent-bit.conf: [SECTION] lines, and below them indented lines of key and value.
// Commands (@SET, @INCLUDE) are for users' files; elsewhere what they bring in would pass unread.
func readClassic(f *File, content []byte) error {
	var open *Section           // nil in a section that has no rules
	indent, uneven := "", false // of this file, as its first indented line has it
	for i, line := range strings.Split(string(content), "\n") {
		n, line, text := i+1, strings.TrimSuffix(line, "\r"), strings.TrimSpace(line)
		if f.users != nil && line != "" && blank(line[0]) {
			if blanks := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; indent == "" {
				indent = blanks
			} else if blanks != indent && blanks != indent+indent && !uneven { // twice as many: 1.9 and later
				uneven = true // Fluent Bit stops here
				f.fault(n, "the indentation is not that of the file's first indented line: Fluent Bit stops at it, in comments and blank lines too")
			}
		}
		switch {
		case text == "" || text[0] == '#':
		case text[0] == '@':
			if f.users == nil {
				return fmt.Errorf("line %d: %s: commands are not understood here", n, text)
			}
			if blank(line[0]) {
				f.fault(n, "%s is indented, and so a setting for Fluent Bit", firstWord(text))
			}
			if err := f.command(n, text); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		case text[0] == '[':
			name, after, ok := strings.Cut(text[1:], "]")
			if !ok || after != "" && f.users == nil {
				return fmt.Errorf("line %d: %s is no section", n, text)
			}
			if f.users != nil && blank(line[0]) {
				f.fault(n, "[%s] is indented, and so no section for Fluent Bit", name)
			}
			var err error
			if open, err = f.section(strings.ToLower(name), n); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		case f.Kind == "" && f.users == nil:
			return fmt.Errorf("line %d: a setting before the first section", n)
		case !blank(line[0]):
			return fmt.Errorf("line %d: settings are indented", n)
		default:
			key, value := f.setting(n, text)
			if open != nil {
				open.set(n, key, value)
			}
		}
	}
	return nil
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

// setting splits a line. For Fluent Bit a space, and nothing else, ends the key.
func (f *File) setting(n int, text string) (key, value string) {
	key = firstWord(text)
	value = strings.TrimSpace(text[len(key):])
	switch {
	case f.users == nil:
	case value == "":
		f.fault(n, "%s has no value", key)
	case text[len(key)] == '\t' && !strings.HasPrefix(strings.TrimLeft(text[len(key):], "\t"), " "):
		f.fault(n, "a tab follows %s: Fluent Bit ends a key at a space alone", key)
	}
	return key, value
}

func firstWord(text string) string {
	if at := strings.IndexAny(text, " \t"); at >= 0 {
		return text[:at]
	}
	return text
}

// section begins a section and returns where its settings go; nil for those that have no rules.
func (f *File) section(name string, line int) (*Section, error) {
	kind := Pipeline
	var list *[]Section
	switch name {
	case "parser", "multiline_parser":
		kind = Parsers
	case "plugins":
		kind = Plugins
	case "service":
		if f.Service.Line != 0 && f.users == nil {
			return nil, fmt.Errorf("a second [SERVICE]")
		}
	case "input":
		list = &f.Inputs
	case "filter":
		list = &f.Filters
	case "output":
		list = &f.Outputs
	default:
		if f.users != nil {
			f.leaveOut(line, "section [%s]", strings.ToUpper(name))
			return nil, nil
		}
		return nil, fmt.Errorf("[%s] is not known here", strings.ToUpper(name))
	}
	if f.users != nil && f.Kind != Pipeline {
		f.Kind = kind
	}
	if f.Kind == "" {
		f.Kind = kind
	}
	if f.Kind != kind && f.users == nil {
		return nil, fmt.Errorf("[%s] in a file that is a %s", strings.ToUpper(name), f.Kind)
	}
	switch {
	case kind != Pipeline:
		return nil, nil
	case list == nil:
		f.Service.File, f.Service.Line = f.Path, line
		return &f.Service, nil
	}
	*list = append(*list, Section{File: f.Path, Line: line})
	return &(*list)[len(*list)-1], nil
}

// several are the settings that may be given more than once: the parser filter tries its parsers in turn, record_modifier
// takes a field away with each, modify has several conditions.
var several = map[string]bool{"parser": true, "remove_key": true, "condition": true}

// set adds a setting; the plugin's name is kept apart.
func (s *Section) set(line int, key, value string) {
	if key = strings.ToLower(key); key == "name" {
		s.Name = strings.ToLower(value)
		return
	}
	s.Props = append(s.Props, Prop{line, key, value})
}
