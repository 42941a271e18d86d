package enrich

import (
	"slices"
	"strings"

	"flbgo/shared/option"
	"flbgo/shared/record"
)

// use is one thing that the configuration does with a field of a certain name.
type use uint8

const (
	useRemove use = iota
	useRenameFrom
	useDurationFrom
	useLevel
	useStatus
	useMessage
	useGenerate
	useTracePath
	useServiceFrom // what values of service_from are made of
	usePath        // what values of attributes are made of
	useRenameTo    // from here on the uses that write
	useDurationTo
	useTrace
	useSeverity
	useAttribute
)

var useOption = [...]string{"remove", "rename", "durations", "level", "level_from_status", "from_message", "generate", "trace",
	"service_from", "attributes", "rename", "durations", "trace", "severity_number", "attributes"}

var useText = [...]string{"removes it", "gives it another name", "gives it another name", "normalises it", "reads it", "reads it",
	"reads it", "reads it", "reads it", "reads it", "gives this name to another field", "gives this name to another field",
	"writes it", "writes it", "writes it"}

// compatible are the pairs of uses, the lower first, that one name may have. Everything else is refused at start: a
// field could come out of a second pass other than it came out of the first, or one option would undo the other.
// Notably no field may be renamed to what trace or durations consume: where both stand in a record the renamed one would
// have to wait for a second pass.
var compatible = map[[2]use]bool{
	{useLevel, useRenameTo}:          true,
	{useLevel, useAttribute}:         true, // the level of records that have none
	{useStatus, useRenameTo}:         true,
	{useStatus, useGenerate}:         true,
	{useStatus, useServiceFrom}:      true,
	{useStatus, usePath}:             true,
	{useMessage, useServiceFrom}:     true,
	{useMessage, usePath}:            true,
	{useMessage, useRenameTo}:        true,
	{useGenerate, useServiceFrom}:    true,
	{useGenerate, usePath}:           true,
	{useGenerate, useRenameTo}:       true,
	{useTracePath, useTracePath}:     true,
	{useServiceFrom, useServiceFrom}: true,
	{useServiceFrom, usePath}:        true,
	{useServiceFrom, useRenameTo}:    true,
	{useServiceFrom, useDurationTo}:  true,
	{usePath, usePath}:               true,
	{usePath, useRenameTo}:           true,
	{usePath, useDurationTo}:         true,
	{useRenameTo, useRenameTo}:       true, // the first one of a record's wins, or the last one that overwrites
	{useRenameTo, useDurationTo}:     true,
	{useRenameTo, useTrace}:          true, // an explicit id under another name
	{useRenameTo, useSeverity}:       true,
	{useRenameTo, useAttribute}:      true, // a default
	{useDurationTo, useDurationTo}:   true,
	{useDurationTo, useAttribute}:    true,
	{useAttribute, useAttribute}:     true, // two in one map; others are seen to by checkAttributes
}

// checkNames refuses names that are no names, and uses of one name that do not go together.
func (c *Config) checkNames(v *option.Values) {
	uses := map[string][]use{}
	folds := newFolds(func(f format) bool { return slices.Contains(c.Trace, f) })
	c.uses, c.folds = uses, folds
	targets := c.Naming.Trace()
	add := func(name string, u use) {
		opt := useOption[u]
		switch {
		case name == "":
			v.Fail(opt, "a name is missing; write old=new, for example: %s %s", opt, example(opt))
			return
		case strings.HasPrefix(name, "$") && (u < useGenerate || u > usePath):
			v.Fail(opt, "%s: only top-level fields can be named here, without a $, for example: %s %s", name, opt, example(opt))
			return
		}
		// What trace reads and takes away is nobody else's; its targets may get an id that has another name.
		n := folds.lookup("", []byte(name))
		taken := n != noName && !isContainer(n) && !(u == useRenameTo && slices.Contains(targets[:], name))
		if taken && (u == useRemove || u >= useRenameTo && u != useTrace) {
			t := &traceNames[n-1]
			v.Fail(opt, "%s: %s %s, but trace takes trace context of the form %s from it, and removes it by itself; leave out the one, or leave %s out of trace",
				name, opt, useText[u], t.format, t.format)
			return
		}
		for _, other := range uses[name] {
			switch {
			case other == u && u < useRenameTo && !compatible[[2]use{u, u}]:
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
	if c.Level != "" {
		add(c.Level, useLevel)
	}
	if c.Status != "" {
		add(c.Status, useStatus)
		if c.Level == "" {
			v.Fail("level_from_status", "needs the level's field, and level is off; for example: level level")
		}
	}
	for _, name := range c.Messages {
		add(name, useMessage)
	}
	addPath := func(p record.Path, u use) {
		dotted, first := p.Top()
		if dotted != "" {
			add(dotted, u)
		}
		add(first, u)
	}
	if c.Generate != nil {
		addPath(*c.Generate, useGenerate)
	}
	for _, p := range c.TracePaths {
		addPath(p.path, useTracePath)
	}
	for _, t := range c.ServiceFrom {
		for i := range t {
			switch t[i].kind {
			case piecePath:
				addPath(t[i].path, useServiceFrom)
			case piecePod:
				add(podField, useServiceFrom)
			}
		}
	}
	for _, a := range c.Attributes {
		for i := range a.value {
			if a.value[i].kind == piecePath {
				addPath(a.value[i].path, usePath)
			}
		}
	}
	for _, p := range c.Rename {
		add(p.Value, useRenameTo)
	}
	for _, p := range c.Durations {
		add(p.Value, useDurationTo)
	}
	if len(c.Trace) > 0 {
		for _, name := range targets {
			add(name, useTrace)
		}
	}
	if c.Severity != "" {
		add(c.Severity, useSeverity)
	}
	c.checkAttributes(v, add)
}

// checkAttributes refuses attributes that would be written to one field, or one into the other.
func (c *Config) checkAttributes(v *option.Values, add func(string, use)) {
	var paths [][]string
	seen := map[string]bool{}
	for _, a := range c.Attributes {
		if seen[a.option+" "+a.Name] {
			v.Fail(a.option, "%s is named twice", a.Name)
			continue
		}
		seen[a.option+" "+a.Name] = true
		path := c.pathOf(a.Name)
		if c.Level != "" && a.Name == c.Level {
			path = []string{a.Name}
			if c.Status != "" && c.Overwrite {
				v.Fail(a.option, "%s: with on_conflict overwrite it leaves nothing for level_from_status to do", a.Name)
			}
			if a.value.ofRecord() {
				v.Fail(a.option, "%s: the level of records without one must be the same for a whole tag; to take it from another field: rename severity=%s", a.Name, a.Name)
			}
		}
		if len(path) > maxDepth {
			v.Fail(a.option, "%s: %d maps in one another are more than the %d that are allowed", a.Name, len(path)-1, maxDepth-1)
			continue
		}
		if c.traced(path) {
			v.Fail(a.option, "%s: trace would take %s for trace context; give the attribute another name", a.Name, strings.Join(path, "."))
			continue
		}
		for _, other := range paths {
			if inside(path, other) {
				v.Fail(a.option, "%s: %s would be a field and a map at once; give one of the two another name", a.Name, strings.Join(path, "."))
			}
		}
		paths = append(paths, path)
		add(path[0], useAttribute)
	}
	// What the sources may bring is not known yet; under a key the field is.
	if c.Under != "" {
		add(c.Under, useAttribute)
	}
}

// traced says that trace context is looked for in the field that an attribute would be, which is in a map.
func (c *Config) traced(path []string) bool {
	if len(path) < 2 {
		return false
	}
	n := c.folds.lookup("", []byte(path[0]))
	return isContainer(n) && c.folds.lookup(containerAt(n).prefix, []byte(path[1])) != noName
}

// free says that an attribute of a source may be written to a path: no option has another use for the field.
func (c *Config) free(path []string) bool {
	if n := c.folds.lookup("", []byte(path[0])); n != noName && !isContainer(n) || c.traced(path) || path[0] == c.Level || len(path) > maxDepth {
		return false
	}
	for _, u := range c.uses[path[0]] {
		if !compatible[[2]use{u, useAttribute}] {
			return false
		}
	}
	return true
}

// inside says that one path leads into the other.
func inside(a, b []string) bool {
	n := min(len(a), len(b))
	if len(a) == len(b) {
		return false
	}
	for i := range n {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// remedy says what to do about two uses that do not go together. Some of the options are there without having been set.
func remedy(uses ...use) string {
	for _, u := range uses {
		switch u {
		case useTrace, useTracePath:
			return "leave out the one, or set trace off"
		case useLevel:
			return "leave out the one, or set level to another field or off"
		case useSeverity:
			return "leave out the one, or set severity_number to another field or off"
		}
	}
	return "leave out one of the two"
}
