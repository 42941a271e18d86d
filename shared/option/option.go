// Package option is the table from which a plugin's configuration is read, checked, reported and documented.
//
// A plugin declares its options once, as a Table. From that one table come the parsed values, the errors (all of
// them at once), the line logged at start (secrets masked) and the table in its README.
//
// Fluent Bit hands a plugin only the first value of a key and cannot list keys, so no option depends on repetition:
// a list is one comma-separated value. An option that is set to nothing is the same as one that is not set.
package option

import (
	"fmt"
	"strings"
)

// Getter returns the configured text of an option, or "" where it is not set. Names are compared by the host without
// regard to case.
type Getter func(name string) string

// Kind is the form of an option's value.
type Kind uint8

// The kinds, with the form that a user writes.
const (
	Text     Kind = iota // any text
	Bool                 // on, off (also true, false, yes, no)
	Int                  // 1000
	Size                 // 512K, 5M, 1G: bytes, powers of 1,024
	Duration             // 250ms, 10s, 5m; a plain number is seconds
	List                 // a,b,c — a backslash takes the next character as it is
	Pairs                // k=v,k=v — in the order given; a backslash takes the next character as it is
	Choice               // one of Option.Choices
)

var kindNames = [...]string{"text", "on/off", "number", "size", "duration", "list", "k=v list", "choice"}

// String names the kind as the README tables do.
func (k Kind) String() string { return kindNames[k] }

// Option is one row of a Table.
type Option struct {
	Name     string   // snake_case
	Aliases  []string // other names that are read when Name is not set
	Kind     Kind
	Default  string   // in the form a user writes; "" is the kind's zero value
	Choices  []string // for Choice
	Min, Max int64    // for Int, Size (bytes) and Duration (nanoseconds), inclusive; both 0 = no bound
	Required bool
	Secret   bool   // never shown in a log line or an error
	Example  string // a valid value, shown in errors and documentation
	Help     string // one sentence
}

// Table is all options of a plugin, in the order of its documentation.
type Table []Option

// Names are all names that a section may have, aliases included.
func (t Table) Names() []string {
	var names []string
	for i := range t {
		names = append(append(names, t[i].Name), t[i].Aliases...)
	}
	return names
}

// reserved are the keys that Fluent Bit takes for itself, so that an output never sees them. "match" and "tls",
// "net." and "oauth2" are prefixes. Filters lose fewer, but one list for all keeps names movable.
var reserved = []string{"alias", "log_level", "log_suppress_interval", "host", "port", "ipv6", "retry_limit", "workers",
	"storage.total_limit_size", "name"}

// Lint returns what is wrong with the table itself: names that Fluent Bit swallows, duplicates, bounds that nothing can
// meet, defaults and examples that do not parse. A plugin's test holds it to be empty.
func (t Table) Lint() []string {
	var bad []string
	seen := map[string]bool{}
	for i := range t {
		o := &t[i]
		wrong := func(format string, args ...any) {
			bad = append(bad, o.Name+": "+fmt.Sprintf(format, args...))
		}
		if strings.Trim(o.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || o.Name == "" {
			wrong("the name is not snake_case")
		}
		for _, n := range append([]string{o.Name}, o.Aliases...) {
			if l := strings.ToLower(n); isReserved(l) {
				wrong("the host keeps the name %s to itself", n)
			} else if seen[l] {
				wrong("%s is named twice", n)
			} else {
				seen[l] = true
			}
		}
		for _, text := range []string{o.Default, o.Example} {
			if text == "" {
				continue
			}
			if _, err := o.parse(text); err != nil {
				wrong("%q: %v", text, err)
			}
		}
		if (o.Kind == Choice) != (len(o.Choices) > 0) {
			wrong("a choice, and nothing else, has Choices")
		}
		if o.Min > o.Max {
			wrong("nothing is from %d to %d", o.Min, o.Max)
		}
		if o.Required && (o.Default != "" || o.Example == "") {
			wrong("what is required has no default, and an example for whoever forgot it")
		}
		if o.Secret && o.Default != "" {
			wrong("a secret with a default is none")
		}
		if o.Help == "" {
			wrong("no help")
		}
	}
	return bad
}

func isReserved(name string) bool {
	for _, p := range []string{"match", "tls", "net.", "oauth2"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	for _, n := range reserved {
		if name == n {
			return true
		}
	}
	return false
}

// Markdown returns the table as the README shows it.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| option | form | default | what it does |\n|---|---|---|---|\n")
	for i := range t {
		o := &t[i]
		form := o.Kind.String()
		if o.Kind == Choice {
			form = strings.Join(o.Choices, ", ")
		}
		def := "`" + strings.ReplaceAll(o.Default, "|", "\\|") + "`"
		switch {
		case o.Required:
			def = "required"
		case o.Default == "":
			def = "–"
		}
		help := o.Help
		if len(o.Aliases) > 0 {
			help += " Also read as `" + strings.Join(o.Aliases, "`, `") + "`."
		}
		if o.Example != "" {
			help += " Example: `" + o.Example + "`."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.Name, form, def, strings.ReplaceAll(help, "|", "\\|"))
	}
	return b.String()
}
