package batch

import (
	"strings"

	"flbgo/shared/option"
)

// Check reads the options as a start does, and returns everything that is wrong with them, one line each. It is for
// tools that look at a configuration without starting it.
func Check(get option.Getter) error {
	_, _, err := parseConfig(get)
	return err
}

// ForeignKeys are the names of Fluent Bit's own kafka output and of librdkafka that a section may also have.
func ForeignKeys() []string {
	var keys []string
	for i := range foreigns {
		keys = append(keys, foreigns[i].keys...)
	}
	return keys
}

// Setting is an option of this plugin as another section sets it.
type Setting struct {
	Name, Value string
	From        string // the key of the section, where that is another
	Secret      bool
}

// Migrate reads a section that was written for Fluent Bit's own kafka output. It returns the options that say the same
// here, in the order of their table, what there is to know about the other keys, and what cannot be had.
func Migrate(get option.Getter) (settings []Setting, notes, refused []string) {
	r := newReader(get)
	r.readAll()
	for i := range Options {
		o := &Options[i]
		if from, value := r.setting(o); value != "" {
			settings = append(settings, Setting{Name: o.Name, Value: value, From: from, Secret: o.Secret})
		}
	}
	for _, n := range r.notes {
		notes = append(notes, n.text)
	}
	for _, f := range r.failed {
		refused = append(refused, f.key+": "+strings.ReplaceAll(f.text, "\n", " "))
	}
	return settings, notes, refused
}

// setting is the value of an option, and the key that it comes from where that has another name.
func (r *reader) setting(o *option.Option) (from, value string) {
	if from, value = r.now(o.Name); from != "" && from != o.Name {
		return from, value
	}
	if implied, ok := r.given[o.Name]; ok {
		return "", implied
	}
	for _, name := range append([]string{o.Name}, o.Aliases...) {
		if value = strings.TrimSpace(r.get(name)); value != "" {
			return "", value
		}
	}
	return "", ""
}
