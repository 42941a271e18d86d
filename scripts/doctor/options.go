package main

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"flbgo/plugins/filter_enrich/enrich"
	"flbgo/plugins/out_field_metrics/fieldmetrics"
	"flbgo/plugins/out_kafka_batch/batch"
	"flbgo/scripts/internal/confcheck"
	"flbgo/shared/option"
)

// plugin is what is known of one of the project's plugins.
type plugin struct {
	table option.Table
	more  []string // names that are read besides
	check func(option.Getter) error
}

var plugins = map[string]plugin{
	"enrich":        {enrich.Options, nil, enrich.Check},
	"field_metrics": {fieldmetrics.Options(), nil, fieldmetrics.Check},
	"kafka_batch":   {batch.Options, batch.ForeignKeys(), batch.Check},
}

// Keys that Fluent Bit takes for itself, of outputs and of filters. Names that end with a dot are beginnings.
var (
	coreOutput = []string{"match", "match_regex", "alias", "log_level", "log_suppress_interval", "host", "port", "ipv6", "retry_limit", "workers",
		"storage.total_limit_size", "tls", "tls.", "net.", "oauth2.", "no_multiplex"}
	coreFilter = []string{"match", "match_regex", "alias", "log_level", "log_suppress_interval", "condition"}
)

// checkOptions looks at the sections of the project's plugins.
func checkOptions(found *findings) {
	for i := range found.file.Filters {
		checkSection(found, &found.file.Filters[i], coreFilter)
	}
	for i := range found.file.Outputs {
		checkSection(found, &found.file.Outputs[i], coreOutput)
	}
}

func checkSection(found *findings, s *confcheck.Section, core []string) {
	p, ok := plugins[s.Name]
	if !ok {
		misspelt(found, s)
		return
	}
	names := append(p.table.Names(), p.more...)
	first := map[string]int{}
	for _, prop := range s.Props {
		at, again := first[prop.Key]
		switch {
		case again:
			found.add(wrong, s, prop.Line, "%s: %s is set again: only the first, in line %d, is read; a list is one value with commas", s.Name, prop.Key, at)
		case !slices.Contains(names, prop.Key) && !isCore(core, prop.Key):
			found.add(wrong, s, prop.Line, "%s has no option %s%s", s.Name, prop.Key, nearest(prop.Key, append(names, core...)))
		}
		if !again {
			first[prop.Key] = prop.Line
		}
	}
	unset := map[string]bool{}
	get := func(name string) string {
		value, _ := s.Get(strings.ToLower(name))
		value, missing := found.file.Expand(value)
		for _, variable := range missing {
			if !unset[variable] {
				unset[variable] = true
				found.add(advice, s, lineOf(s, name), "%s: %s is not set here, so that %s could not be checked", s.Name, variable, strings.ToLower(name))
			}
		}
		if len(missing) > 0 {
			return example(p.table, name)
		}
		return value
	}
	if err := p.check(get); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			found.add(wrong, s, lineIn(s, line), "%s: %s", s.Name, line)
		}
	}
}

// misspelt looks for a name that is almost one of the project's. Of others nothing is known.
func misspelt(found *findings, s *confcheck.Section) {
	for name := range plugins {
		if d := levenshtein.Distance(strings.ReplaceAll(s.Name, "-", "_"), name, nil); d <= 2 {
			found.add(wrong, s, s.Line, "there is no plugin %s; the nearest is %s", s.Name, name)
		}
	}
}

func isCore(core []string, key string) bool {
	return slices.ContainsFunc(core, func(c string) bool { return key == c || strings.HasSuffix(c, ".") && strings.HasPrefix(key, c) })
}

// nearest is a hint at the name that was meant, if one is near enough.
func nearest(key string, names []string) string {
	best, distance := "", len(key)/3+2
	for _, name := range names {
		if d := levenshtein.Distance(key, name, nil); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; the nearest is " + best
}

// example is a valid value for an option whose own is not known here.
func example(t option.Table, name string) string {
	for i := range t {
		if o := &t[i]; o.Name == name || slices.Contains(o.Aliases, name) {
			if o.Example != "" {
				return o.Example
			}
			return o.Default
		}
	}
	return ""
}

func lineOf(s *confcheck.Section, key string) int {
	for _, p := range s.Props {
		if p.Key == strings.ToLower(key) {
			return p.Line
		}
	}
	return s.Line
}

// lineIn is the line of the option that an error of a plugin begins with: "option NAME: …".
func lineIn(s *confcheck.Section, text string) int {
	rest, ok := strings.CutPrefix(text, "option ")
	if !ok {
		return s.Line
	}
	name, _, _ := strings.Cut(rest, " ")
	return lineOf(s, strings.TrimSuffix(name, ":"))
}
