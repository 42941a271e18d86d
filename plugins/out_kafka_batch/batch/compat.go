package batch

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"flbgo/shared/option"
)

// note is a line for the log at start.
type note struct {
	level slog.Level
	text  string
}

// foreign is a setting of Fluent Bit's own kafka output or of librdkafka (rdkafka.*) that has another name or form here,
// so that an [OUTPUT] section which was written for it works, or says at the start why not. Fluent Bit cannot list a
// section's keys: what is not in the table goes unseen.
type foreign struct {
	keys   []string // that mean the same, the first being the usual one
	use    handling
	target string                       // for mapped and bound: the option
	form   func(string) (string, error) // for mapped and bound: the value in the option's form; nil: as it is
	values []string                     // for accepted: those that are, in lower case; nil: any
	text   string                       // of mapped and bound: what there is to know; of refused: why, and what to do; of accepted: why
	others string                       // for values: why no others
	secret bool
}

// handling is what becomes of a foreign setting.
type handling uint8

const (
	mapped   handling = iota // target is set to it
	bound                    // target is to be no larger
	accepted                 // nothing has to be done for it
	refused                  // doing without it would change what happens to records, brokers or security
)

// readOptions is Options.Parse for a section that may have foreign settings in it: each is put under the option that it
// maps to, or under its own name with an error or a note. Errors name the key that the user wrote.
func readOptions(get option.Getter) (v *option.Values, notes []note) {
	r := newReader(get)
	r.readAll()
	v = r.table.Parse(func(name string) string {
		if text, ok := r.given[name]; ok {
			return text
		}
		return get(name)
	})
	for _, f := range r.failed {
		v.Fail(f.key, "%s", f.text)
	}
	return v, r.notes
}

// reader is one call of readOptions.
type reader struct {
	get    option.Getter
	table  option.Table
	given  map[string]string // by key: what stands for the value in the section
	origin map[string]string // by option: the foreign key that sets it
	failed []failedKey
	notes  []note
}

type failedKey struct{ key, text string }

func newReader(get option.Getter) *reader {
	return &reader{get: get, table: slices.Clone(Options), given: map[string]string{}, origin: map[string]string{}}
}

func (r *reader) readAll() {
	r.takeAll(func(f *foreign) bool { return f.use != bound })
	r.takeAll(func(f *foreign) bool { return f.use == bound }) // last: they depend on what else is set
	r.imply()
}

func (r *reader) takeAll(which func(*foreign) bool) {
	for i := range foreigns {
		f := &foreigns[i]
		if !which(f) {
			continue
		}
		for _, key := range f.keys {
			if text := strings.TrimSpace(r.get(key)); text != "" {
				r.take(f, key, text)
			}
		}
	}
}

func (r *reader) take(f *foreign, key, text string) {
	if f.use == accepted && f.values != nil && !slices.Contains(f.values, strings.ToLower(text)) {
		r.fail(f, key, "%s", f.others)
		return
	}
	switch f.use {
	case refused:
		r.fail(f, key, "%s", f.text)
	case accepted:
		r.own(f, key)
		r.note("%s %s: %s", key, option.Redact(text), f.text)
	case mapped, bound:
		ours := text
		if f.form != nil {
			var err error
			if ours, err = f.form(text); err != nil {
				r.fail(f, key, "%v", err)
				return
			}
		}
		switch {
		case ours == "": // what is so anyway
			r.own(f, key)
			r.note("%s %s: as %s is by default", key, option.Redact(text), f.target)
		case f.use == bound:
			r.bound(f, key, ours)
		default:
			r.set(f, key, ours)
		}
	}
}

// own gives a key a row of its own in the table, so that it is described with the options, and may be failed.
func (r *reader) own(f *foreign, key string) {
	secret := f.secret
	if f.target != "" {
		secret = secret || r.row(f.target).Secret
	}
	r.table = append(r.table, option.Option{Name: key, Kind: option.Text, Secret: secret})
}

// fail records what is wrong with a key, which may be an option's own name.
func (r *reader) fail(f *foreign, key, format string, args ...any) {
	if key == f.target {
		r.given[key] = ""
	} else {
		r.own(f, key)
	}
	r.failed = append(r.failed, failedKey{key, fmt.Sprintf(format, args...)})
}

func (r *reader) note(format string, args ...any) {
	r.notes = append(r.notes, note{slog.LevelDebug, fmt.Sprintf(format, args...)})
}

func (r *reader) row(name string) *option.Option {
	for i := range r.table {
		if r.table[i].Name == name {
			return &r.table[i]
		}
	}
	panic("option " + name + " is not in the table")
}

// now is the value that an option has as far as is known, and the key that it comes from, "" for its default.
func (r *reader) now(name string) (key, text string) {
	if key := r.origin[name]; key != "" {
		return key, r.given[key]
	}
	if text := strings.TrimSpace(r.get(name)); text != "" {
		return name, text
	}
	return "", r.row(name).Default
}

// set has an option read under the foreign key. An option that is set twice, to different values, is an error: nobody
// could tell which of them holds.
func (r *reader) set(f *foreign, key, ours string) {
	if from, text := r.now(f.target); from != "" {
		if !r.equal(f.target, text, ours) {
			r.fail(f, key, "is the same setting as %s, and the two differ: keep one of them", from)
		}
		return
	}
	r.read(f.target, key, ours)
}

// bound lowers an option to the value of a foreign key.
func (r *reader) bound(f *foreign, key, ours string) {
	from, text := r.now(f.target)
	limit, ok := r.number(f.target, ours)
	value, known := r.number(f.target, text) // what is wrong with another one is said there
	switch {
	case !ok:
		r.fail(f, key, "must be a whole number")
	case !known || limit >= value:
		r.own(f, key)
		r.note("%s: %s %s is no more than that", key, f.target, text)
	case from == f.target:
		r.fail(f, key, "is less than %s %s: keep one of them", from, text)
	default:
		if from != "" {
			r.given[from] = ""
			r.note("%s: %s is less, and holds", from, key)
		}
		r.read(f.target, key, ours)
	}
}

// read has an option read under a foreign key.
func (r *reader) read(target, key, ours string) {
	row := r.row(target)
	row.Aliases = append(slices.Clone(row.Aliases), key)
	r.given[key], r.origin[target] = ours, key
}

// imply sets what librdkafka's defaults would make of the keys that are set, where this plugin's differ.
func (r *reader) imply() {
	acks := r.origin["required_acks"]
	if from, _ := r.now("idempotence"); acks != "" && from == "" && r.given[acks] != "all" {
		const key = "idempotence"
		r.given[key] = "off"
		r.note("%s: idempotence is off with it, as it is by default with librdkafka", acks)
	}
	lowest := r.origin["backoff_min"]
	if from, text := r.now("backoff_max"); lowest != "" && from == "" {
		low, ok := r.number("backoff_min", r.given[lowest])
		if high, _ := r.number("backoff_max", text); ok && low > high {
			r.given["backoff_max"] = r.given[lowest]
			r.note("%s: backoff_max is raised to it", lowest)
		}
	}
}

// number parses a value of an option of one of the kinds that are numbers.
func (r *reader) number(name, text string) (n int64, ok bool) {
	v, ok := r.parse(name, text)
	switch kind := r.row(name).Kind; {
	case !ok:
		return 0, false
	case kind == option.Duration:
		return int64(v.Duration(name)), true
	default:
		return v.Int(name), true
	}
}

// equal tells whether two texts are the same value of an option.
func (r *reader) equal(name, a, b string) bool {
	if a == b {
		return true
	}
	va, ok1 := r.parse(name, a)
	vb, ok2 := r.parse(name, b)
	if !ok1 || !ok2 {
		return false
	}
	switch r.row(name).Kind {
	case option.Bool:
		return va.Bool(name) == vb.Bool(name)
	case option.Int, option.Size:
		return va.Int(name) == vb.Int(name)
	case option.Duration:
		return va.Duration(name) == vb.Duration(name)
	case option.List:
		return slices.Equal(va.List(name), vb.List(name))
	case option.Pairs:
		return slices.Equal(va.Pairs(name), vb.Pairs(name))
	default:
		return va.Text(name) == vb.Text(name)
	}
}

// parse reads one option alone, its bounds left aside: they are for the error in the end.
func (r *reader) parse(name, text string) (*option.Values, bool) {
	row := *r.row(name)
	row.Aliases, row.Required, row.Min, row.Max = nil, false, 0, 0
	v := option.Table{row}.Parse(func(string) string { return text })
	return v, v.Err() == nil
}

// milliseconds is the form of librdkafka's times.
func milliseconds(text string) (string, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n < 1e12) {
		return "", fmt.Errorf("must be a number of milliseconds")
	}
	return time.Duration(n * float64(time.Millisecond)).String(), nil
}

// unless is form, and an error for some values.
func unless(form func(string) (string, error), reasons map[string]string) func(string) (string, error) {
	return func(text string) (string, error) {
		if reason := reasons[strings.ToLower(text)]; reason != "" {
			return "", fmt.Errorf("%s", reason)
		}
		if form == nil {
			return text, nil
		}
		return form(text)
	}
}

// renamed is the values of a choice that have other names here; "" is what is so anyway.
func renamed(names map[string]string) func(string) (string, error) {
	return func(text string) (string, error) {
		if ours, ok := names[strings.ToLower(text)]; ok {
			return ours, nil
		}
		return text, nil
	}
}

// boolean is librdkafka's form of switches.
func boolean(text string) (string, error) {
	switch strings.ToLower(text) {
	case "true", "t", "1", "on":
		return "on", nil
	case "false", "f", "0", "off":
		return "off", nil
	}
	return "", fmt.Errorf("must be true or false")
}

func kilobytes(text string) (string, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return "", fmt.Errorf("must be a number of kilobytes")
	}
	return strconv.FormatUint(n<<10, 10), nil
}

// compatMarkdown is foreigns as the README shows it.
func compatMarkdown() string {
	var b strings.Builder
	b.WriteString("| key | what becomes of it |\n|---|---|\n")
	for i := range foreigns {
		f := &foreigns[i]
		var what string
		switch f.use {
		case mapped:
			what = "`" + f.target + "`"
			if f.text != "" {
				what += ": " + f.text
			}
		case bound:
			what = "upper bound of `" + f.target + "`: " + f.text
		case accepted:
			what = "accepted: " + f.text
			if f.values != nil {
				what = "`" + strings.Join(f.values, "`, `") + "` accepted: " + f.text + "; other values refused: " + f.others
			}
		case refused:
			what = "refused: " + f.text
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.Join(f.keys, "`, `"), strings.ReplaceAll(what, "|", "\\|"))
	}
	return b.String()
}
