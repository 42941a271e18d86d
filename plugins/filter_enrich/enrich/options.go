package enrich

import (
	"strings"

	"flbgo/shared/option"
	"flbgo/shared/record"
)

// Options are all options of enrich, in the order of the README's table.
var Options = option.Table{
	{Name: "attributes", Kind: option.Pairs, Example: "service.name=checkout,service.version=1.4.2,log_type=$TAG[0]",
		Help: "Top-level fields that every record gets. `$TAG` in a value is the record's tag, `$TAG[n]` its n-th part between dots, counted from 0, and `$$` a dollar sign; an attribute whose part the tag does not have, or whose value comes out empty, is left out."},
	{Name: "on_conflict", Kind: option.Choice, Choices: []string{"keep", "overwrite"}, Default: "keep",
		Help: "What happens where attributes, rename or durations would write a field that the record has. `keep`: the record's field stays, and a source that was to take its name stays as it is. `overwrite`: the record's field gives way. A traceparent never replaces a trace id, with either."},
	{Name: "traceparent", Kind: option.Text, Default: "traceparent", Example: "$headers['traceparent']",
		Help: "Path of the field with a W3C traceparent, from which trace_id, span_id and trace_flags are made; `off` leaves it alone. A field inside a map is read but never removed."},
	{Name: "keep_original", Kind: option.Bool, Default: "off",
		Help: "Keeps the traceparent field beside the ids that were made from it."},
	{Name: "rename", Kind: option.Pairs, Example: "msg=message,severity=level",
		Help: "New names of top-level fields, as old=new. The other options know a field by its new name."},
	{Name: "remove", Kind: option.List, Example: "stream,logtag",
		Help: "Top-level fields to leave out."},
	{Name: "level", Kind: option.Text, Default: "level", Example: "severity",
		Help: "Name of the severity field, whose text becomes one upper-case word: TRACE, DEBUG, INFO, WARN, ERROR or FATAL where the word is known; `off` leaves it alone."},
	{Name: "level_from_status", Kind: option.Text, Example: "status",
		Help: "Name of a field with an HTTP status, which gives a record without a level one: ERROR from 500, WARN from 400, else INFO."},
	{Name: "durations", Kind: option.Pairs, Example: "latency=duration_ms,request_time=duration_ms",
		Help: "Fields that hold a duration, as old=new: the new field is its number of milliseconds. Text may have Go's units (1.234ms, 1m2.5s); a number, also one in text, is seconds."},
}

// Config is a checked configuration. Names are those of top-level fields.
type Config struct {
	Attributes  []Attribute
	Overwrite   bool   // on_conflict overwrite
	Traceparent string // path, "" for off
	KeepTrace   bool   // keep_original
	Rename      []option.Pair
	Remove      []string
	Level       string // "" for off
	Status      string // "" for off
	Durations   []option.Pair
}

// Attribute is one field that every record gets.
type Attribute struct {
	Name  string
	value template
}

// use is one thing that the configuration does with a field of a certain name.
type use uint8

const (
	useRemove use = iota
	useRenameFrom
	useDurationFrom
	useTraceparent
	useLevel
	useStatus
	useRenameTo // from here on the uses that write
	useDurationTo
	useTraceID
	useAttribute
)

var useOption = [...]string{"remove", "rename", "durations", "traceparent", "level", "level_from_status", "rename",
	"durations", "traceparent", "attributes"}

var useText = [...]string{"removes it", "gives it another name", "gives it another name", "reads it", "normalises it",
	"reads it", "gives this name to another field", "gives this name to another field", "writes it", "writes it"}

// compatible are the pairs of uses, the lower first, that one name may have. Everything else is refused at start: a
// field could come out of a second pass other than it came out of the first, or one option would undo the other.
// Notably no field may be renamed to what traceparent or durations consume: where both stand in a record the renamed
// one would have to wait for a second pass.
var compatible = map[[2]use]bool{
	{useLevel, useRenameTo}:        true,
	{useLevel, useAttribute}:       true, // the level of records that have none
	{useStatus, useRenameTo}:       true,
	{useRenameTo, useRenameTo}:     true, // the first one of a record's wins, or the last one that overwrites
	{useRenameTo, useDurationTo}:   true,
	{useRenameTo, useTraceID}:      true, // an explicit id under another name
	{useRenameTo, useAttribute}:    true, // a default
	{useDurationTo, useDurationTo}: true,
	{useDurationTo, useAttribute}:  true,
}

// load reads and checks the options. described is what was set, for the log; the error joins everything that is wrong.
func load(get option.Getter) (c *Config, described string, err error) {
	v := Options.Parse(get)
	c = &Config{
		Overwrite: v.Text("on_conflict") == "overwrite",
		KeepTrace: v.Bool("keep_original"),
		Rename:    v.Pairs("rename"),
		Remove:    v.List("remove"),
		Durations: v.Pairs("durations"),
		Status:    v.Text("level_from_status"),
	}
	if s := v.Text("traceparent"); !strings.EqualFold(s, "off") {
		c.Traceparent = s
	}
	if s := v.Text("level"); !strings.EqualFold(s, "off") {
		c.Level = s
	}
	for _, p := range v.Pairs("attributes") {
		t, err := parseTemplate(p.Value)
		if err != nil {
			v.Fail("attributes", "%s: %v; for example: attributes %s", p.Key, err, Options[0].Example)
			continue
		}
		c.Attributes = append(c.Attributes, Attribute{p.Key, t})
	}
	if c.Traceparent != "" {
		if _, err := record.ParsePath(c.Traceparent); err != nil {
			v.Fail("traceparent", "%v", err)
			c.Traceparent = ""
		}
	}
	c.checkNames(v)
	return c, v.Describe(), v.Err()
}

// checkNames refuses names that are no names, and uses of one name that do not go together.
func (c *Config) checkNames(v *option.Values) {
	uses := map[string][]use{}
	add := func(name string, u use) {
		opt := useOption[u]
		switch {
		case name == "":
			v.Fail(opt, "a name is missing; write old=new, for example: %s %s", opt, example(opt))
			return
		case strings.HasPrefix(name, "$") && u != useTraceparent:
			v.Fail(opt, "%s: only top-level fields can be named here, without a $, for example: %s %s", name, opt, example(opt))
			return
		}
		for _, other := range uses[name] {
			switch {
			case other == u && (u < useRenameTo || u == useAttribute):
				v.Fail(opt, "%s is named twice", name)
			case !compatible[[2]use{other, u}]:
				v.Fail(opt, "%s: %s %s, but %s %s; %s", name, opt, useText[u], useOption[other], useText[other], remedy(u, other))
			default:
				continue
			}
			return
		}
		uses[name] = append(uses[name], u)
	}
	// In the order of the uses, so that compatible needs each pair once.
	for _, name := range c.Remove {
		add(name, useRemove)
	}
	for _, p := range c.Rename {
		add(p.Key, useRenameFrom)
	}
	for _, p := range c.Durations {
		add(p.Key, useDurationFrom)
	}
	whole, first := pathNames(c.Traceparent)
	if whole != "" {
		add(whole, useTraceparent)
	}
	if c.Level != "" {
		add(c.Level, useLevel)
	}
	if c.Status != "" {
		add(c.Status, useStatus)
		if c.Level == "" {
			v.Fail("level_from_status", "needs the level's field, and level is off; for example: level level")
		}
	}
	for _, p := range c.Rename {
		add(p.Value, useRenameTo)
		if first != "" && p.Value == first {
			v.Fail("rename", "%s: traceparent %s looks inside a field of this name; give traceparent its old name", p.Value, c.Traceparent)
		}
	}
	for _, p := range c.Durations {
		add(p.Value, useDurationTo)
	}
	if c.Traceparent != "" {
		for _, name := range traceNames {
			add(name, useTraceID)
		}
	}
	for _, a := range c.Attributes {
		add(a.Name, useAttribute)
		if a.Name == c.Level && c.Status != "" && c.Overwrite {
			v.Fail("attributes", "%s: with on_conflict overwrite it leaves nothing for level_from_status to do", a.Name)
		}
	}
}

// remedy says what to do about two uses that do not go together. Two of the options are there without having been set.
func remedy(uses ...use) string {
	for _, u := range uses {
		switch u {
		case useTraceparent, useTraceID:
			return "leave out the one, or set traceparent off"
		case useLevel:
			return "leave out the one, or set level to another field or off"
		}
	}
	return "leave out one of the two"
}

func example(name string) string {
	for i := range Options {
		if Options[i].Name == name {
			return Options[i].Example
		}
	}
	return ""
}

// pathNames are the top-level names that a valid path can mean: the field itself, and the map that holds it. Either
// is "" where the path does not mean such a one; a.b without $ means both.
func pathNames(path string) (whole, first string) {
	rest, dollar := strings.CutPrefix(path, "$")
	if dollar {
		rest = strings.TrimPrefix(rest, ".")
	}
	if strings.HasPrefix(rest, "[") && len(rest) > 2 {
		quote := rest[1:2]
		rest = rest[2:]
		for {
			before, after, ok := strings.Cut(rest, quote)
			first += before
			if !ok || !strings.HasPrefix(after, quote) {
				rest = strings.TrimPrefix(after, "]")
				break
			}
			first, rest = first+quote, after[1:] // a quote inside a name is written twice
		}
	} else {
		end := len(rest)
		if i := strings.IndexAny(rest, ".["); i >= 0 {
			end = i
		}
		first, rest = rest[:end], rest[end:]
	}
	if rest == "" {
		return first, ""
	}
	if !dollar && !strings.Contains(path, "[") {
		return path, first
	}
	return "", first
}
