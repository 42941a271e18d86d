// Package identity finds out who the logs are of: attributes of the service, its pod or task and its host, under their
// OpenTelemetry names, from the sources that are switched on.
//
// What a source says is put together into a list that does not change. A source that has to be asked (a file that may be
// slow, an endpoint, a name server) is asked in a goroutine of its own with a hard timeout; when its answer changes the
// list, a new one is handed on. Nothing here delays a start for longer than startWait, and no source can break it.
package identity

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// Attribute is one attribute under its OpenTelemetry name.
type Attribute struct{ Name, Value string }

// Source is where attributes come from.
type Source uint8

// The sources, highest first. The plugin's own options stand above all of them and are not here.
const (
	OTel       Source = iota // OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
	Datadog                  // DD_SERVICE, DD_ENV, DD_VERSION
	Kubernetes               // the downward API, as environment variables and as files
	ECS                      // the task metadata endpoint, version 4
	Host                     // name, machine id, system, architecture
	Container                // the container's id, from its cgroup
	sources
)

var sourceNames = [sources]string{"otel", "datadog", "kubernetes", "ecs", "host", "container"}

// String is the name by which an option switches the source on.
func (s Source) String() string { return sourceNames[s] }

// SourceNames are the names of all sources, highest first.
func SourceNames() []string { return slices.Clone(sourceNames[:]) }

// ParseSource is the source of a name.
func ParseSource(name string) (Source, error) {
	if i := slices.Index(sourceNames[:], strings.ToLower(name)); i >= 0 {
		return Source(i), nil
	}
	return 0, fmt.Errorf("%q is no source; allowed are %s", name, strings.Join(sourceNames[:], ", "))
}

// State is what became of a source.
type State uint8

// The states.
const (
	Waiting State = iota // was asked and has not answered yet
	Absent               // is not there: nothing in the environment points to it
	Found                // has answered
	Failed               // is there and could not be read; what it said before still counts
	states
)

var stateNames = [states]string{"waiting", "absent", "found", "failed"}

// String names the state for metrics and logs.
func (s State) String() string { return stateNames[s] }

// StateNames are the names of all states.
func StateNames() []string { return slices.Clone(stateNames[:]) }

// System is what the sources look at.
type System struct {
	Env  func(string) string // nil is the process's environment
	Root string              // stands before every path that is read; "" is the machine's own root
	Log  *slog.Logger
}

func (s *System) env(name string) string {
	if s.Env == nil {
		return os.Getenv(name)
	}
	return s.Env(name)
}

// first is the first of some variables that is not empty.
func (s *System) first(names ...string) string {
	for _, name := range names {
		if v := s.env(name); v != "" {
			return v
		}
	}
	return ""
}

// add appends an attribute that has a value.
func add(attrs []Attribute, name, value string) []Attribute {
	if name == "" || value == "" {
		return attrs
	}
	return append(attrs, Attribute{name, value})
}

// merge keeps of each name the first value, which is that of the highest source.
func merge(lists ...[]Attribute) []Attribute {
	var all []Attribute
	for _, list := range lists {
		for _, a := range list {
			if !slices.ContainsFunc(all, func(b Attribute) bool { return b.Name == a.Name }) {
				all = append(all, a)
			}
		}
	}
	return all
}
