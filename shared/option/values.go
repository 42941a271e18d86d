package option

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Pair is one k=v of a Pairs option.
type Pair struct{ Key, Value string }

// Values are the parsed options of one instance. The accessors panic on a name that the table does not have or a kind
// that it does not declare: that is a mistake in the plugin, which its first test shows.
type Values struct {
	table  Table
	parsed map[string]any
	set    map[string]string // as configured, only what was
	named  map[string]string // the name under which it was, where that is an alias
	errs   []error
}

// Parse reads every option of the table. It never stops at the first error: Err joins them all. A value that is wrong
// is replaced by the default, so that checks across options still make sense.
func (t Table) Parse(get Getter) *Values {
	v := &Values{table: t, parsed: make(map[string]any, len(t)), set: map[string]string{}, named: map[string]string{}}
	for i := range t {
		o := &t[i]
		name, text := o.Name, strings.TrimSpace(get(o.Name))
		for _, alias := range o.Aliases {
			if text == "" {
				name, text = alias, strings.TrimSpace(get(alias))
			}
		}
		if text != "" && name != o.Name {
			v.named[o.Name] = name
		}
		if text == "" && o.Required {
			v.errs = append(v.errs, fmt.Errorf("option %s is missing: %s Example: %s %s", o.Name, o.Help, o.Name, o.Example))
		}
		if text != "" {
			v.set[o.Name] = text
			p, err := o.parse(text)
			if err == nil {
				v.parsed[o.Name] = p
				continue
			}
			v.errs = append(v.errs, fmt.Errorf("option %s: %s: %w", name, o.show(text), err))
		}
		p, err := o.parse(o.Default)
		if err != nil {
			panic("option " + o.Name + ": default: " + err.Error())
		}
		v.parsed[o.Name] = p
	}
	return v
}

// Fail records an error that only the plugin can know. It names the option as the user did, and its value where one was
// set and is no secret.
func (v *Values) Fail(name, format string, args ...any) {
	o := v.option(name)
	shown, err := "", fmt.Errorf(format, args...)
	if text := v.set[name]; text != "" && !o.Secret {
		shown = ": " + o.show(text)
		if Redact(text) != text { // what is quoted from it may have a part of a password
			err = errors.New(quoted.ReplaceAllString(err.Error(), `"…"`))
		}
	}
	if alias := v.named[name]; alias != "" {
		name = alias
	}
	v.errs = append(v.errs, fmt.Errorf("option %s%s: %w", name, shown, err))
}

var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// Err joins all errors, one a line; nil when there is none.
func (v *Values) Err() error { return errors.Join(v.errs...) }

// Describe returns what was configured, in the order of the table, as "name=value" separated by spaces, secrets and the user information of URLs as ***.
func (v *Values) Describe() string {
	var b strings.Builder
	for i := range v.table {
		o := &v.table[i]
		text, ok := v.set[o.Name]
		if !ok {
			continue
		}
		if text = Redact(text); o.Secret {
			text = "***"
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if strings.ContainsAny(text, " \t\r\n\"") {
			text = fmt.Sprintf("%q", text)
		}
		b.WriteString(o.Name + "=" + text)
	}
	return b.String()
}

// IsSet tells whether the user set the option.
func (v *Values) IsSet(name string) bool { v.option(name); return v.set[name] != "" }

// Text returns a Text or Choice option.
func (v *Values) Text(name string) string { return get[string](v, name) }

// Bool returns a Bool option.
func (v *Values) Bool(name string) bool { return get[bool](v, name) }

// Int returns an Int option, or a Size option in bytes.
func (v *Values) Int(name string) int64 { return get[int64](v, name) }

// Duration returns a Duration option.
func (v *Values) Duration(name string) time.Duration { return get[time.Duration](v, name) }

// List returns a List option; nil when it is empty.
func (v *Values) List(name string) []string { return get[[]string](v, name) }

// Pairs returns a Pairs option in the order given; nil when it is empty.
func (v *Values) Pairs(name string) []Pair { return get[[]Pair](v, name) }

func get[T any](v *Values, name string) T {
	t, ok := v.parsed[name].(T)
	if !ok {
		panic(fmt.Sprintf("option %s is a %s, not a %T", name, v.option(name).Kind, t))
	}
	return t
}

func (v *Values) option(name string) *Option {
	for i := range v.table {
		if v.table[i].Name == name {
			return &v.table[i]
		}
	}
	panic("option " + name + " is not in the table")
}
