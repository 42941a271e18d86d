package enrich

import (
	"errors"
	"slices"
	"strings"
	"time"

	"flbgo/plugins/filter_enrich/identity"
	"flbgo/shared/listen"
	"flbgo/shared/option"
	"flbgo/shared/record"
)

// Options are all options of enrich, in the order of the README's table.
var Options = option.Table{
	{Name: "service_name", Kind: option.Text, Example: "checkout",
		Help: "service.name. This and the next four are attributes that stand above those of `attributes` and of all sources; their values have the same form."},
	{Name: "service_version", Kind: option.Text, Example: "1.4.2", Help: "service.version."},
	{Name: "service_namespace", Kind: option.Text, Example: "shop", Help: "service.namespace."},
	{Name: "service_instance_id", Kind: option.Text, Example: "$TAG[1]", Help: "service.instance.id."},
	{Name: "environment", Kind: option.Text, Example: "production", Help: "deployment.environment.name."},
	{Name: "attributes", Kind: option.Pairs, Example: "service.name=checkout,log_type=$TAG[0],region=$cloud['region']",
		Help: "Fields that every record gets. `$TAG` in a value is the record's tag, `$TAG[n]` its n-th part between dots, counted from 0, a path such as `$app` or `$labels['app.name']` a field of the record, and `$$` a dollar sign. A value that is one path keeps the field's type. An attribute whose part or field is not there, or whose value comes out empty, is left out."},
	{Name: "sources", Kind: option.List, Default: "otel,datadog", Example: "otel,kubernetes,host",
		Help: "Where more attributes come from, highest first whatever the order here: `otel` (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES), `datadog` (DD_SERVICE, DD_ENV, DD_VERSION), `kubernetes` (the downward API of Fluent Bit's own pod), `ecs` (task metadata), `host`, `container` (its id); `off` for none."},
	{Name: "service_from", Kind: option.List, Example: "record,$TAG[2]",
		Help: "The record names its service: `record` is the map `kubernetes` that Fluent Bit's filter of that name makes, anything else a value as in `attributes`. The first that is there counts; where none is, the other options and sources do."},
	{Name: "refresh", Kind: option.Duration, Default: "30s", Max: int64(24 * time.Hour), Example: "30s",
		Help: "How often the downward API's files are read again, and a source that failed is asked again; 0 is never."},
	{Name: "downward_path", Kind: option.Text, Default: "/etc/podinfo", Example: "/etc/podinfo",
		Help: "Folder in which the downward API's files are mounted."},
	{Name: "naming", Kind: option.Choice, Choices: identity.NamingNames(), Default: "otel",
		Help: "What attributes and the trace's fields are called. Attributes are configured under OpenTelemetry's names in any case; one that the naming has no name for keeps its own."},
	{Name: "layout", Kind: option.Choice, Choices: []string{"flat", "nested"}, Default: "flat",
		Help: "Whether `service.name` is one field or `name` in a map `service`. Maps that the record has are added to. The trace's fields are flat in any case."},
	{Name: "under", Kind: option.Text, Example: "resource",
		Help: "Name of a map into which all attributes go. The trace's fields and the level stay at the top."},
	{Name: "on_conflict", Kind: option.Choice, Choices: []string{"keep", "overwrite"}, Default: "keep",
		Help: "What happens where attributes, rename, durations or severity_number would write a field that the record has. `keep`: the record's field stays, and a source that was to take its name stays as it is. `overwrite`: the record's field gives way. A trace id that the record has is never replaced by another format's, with either."},
	{Name: "trace", Kind: option.List, Default: strings.Join(formatNames[:], ","), Example: "otel,w3c=$headers['x-trace'],datadog",
		Help: "Formats of trace context that are looked for, the first that is there and valid counts; `off` for none. `format=path` names a field of one's own beside those that the format is known by."},
	{Name: "keep_original", Kind: option.Bool, Default: "off",
		Help: "Keeps the fields that ids were made from beside them. Fields inside maps are never removed."},
	{Name: "from_message", Kind: option.List, Default: "off", Example: "log,message",
		Help: "Fields with text in which trace context and level are looked for where the record has none, the first that is there; `on` is message, log and msg."},
	{Name: "generate", Kind: option.Text, Default: "off", Example: "from_field $request_id",
		Help: "`from_field` and a path: a record without a trace gets the trace id that the UUID in that field makes."},
	{Name: "otlp_metadata", Kind: option.Bool, Default: "off",
		Help: "Puts trace and span ids also into the event's metadata, where Fluent Bit's opentelemetry output takes them from; on hosts before 2.1 events have none."},
	{Name: "level", Kind: option.Text, Default: "level", Example: "severity",
		Help: "Name of the severity field, whose value becomes one upper-case word: TRACE, DEBUG, INFO, WARN, ERROR or FATAL where the word or number is known; `off` leaves it alone."},
	{Name: "severity_number", Kind: option.Text, Default: "severity_number", Example: "severity_number",
		Help: "Name of the field for OpenTelemetry's number of a level that is known; `off` for none."},
	{Name: "level_from_status", Kind: option.Text, Example: "status",
		Help: "Name of a field with an HTTP status, which gives a record without a level one: ERROR from 500, WARN from 400, else INFO."},
	{Name: "durations", Kind: option.Pairs, Example: "latency=duration_ms,request_time=duration_ms",
		Help: "Fields that hold a duration, as old=new: the new field is its number of milliseconds. Text may have Go's units (1.234ms, 1m2.5s); a number, also one in text, is seconds."},
	{Name: "rename", Kind: option.Pairs, Example: "msg=message,severity=level",
		Help: "New names of top-level fields, as old=new. The other options know a field by its new name."},
	{Name: "remove", Kind: option.List, Example: "stream,logtag",
		Help: "Top-level fields to leave out."},
	{Name: "listen", Kind: option.Text, Default: listen.Off, Example: "127.0.0.1:2023",
		Help: "Address of `/metrics` and `/healthz` with the filter's counters, host:port; `off` serves nothing. Instances that name the same address share it."},
	{Name: "web_config_file", Kind: option.Text, Example: "/etc/fluent-bit/web.yml",
		Help: "Web configuration file of the Prometheus exporters: TLS, client certificates, basic authentication."},
}

// Config is a checked configuration. Names are those of top-level fields.
type Config struct {
	Attributes  []Attribute // the plain options, then the option attributes
	ServiceFrom []template
	Sources     []identity.Source
	Refresh     time.Duration
	Downward    string
	Naming      identity.Naming
	Nested      bool   // layout nested
	Under       string // "" for the top
	Overwrite   bool   // on_conflict overwrite
	Trace       []format
	TracePaths  []tracePathConfig
	KeepTrace   bool // keep_original
	Messages    []string
	Generate    *record.Path
	Metadata    bool   // otlp_metadata
	Level       string // "" for off
	Severity    string // "" for off
	Status      string // "" for off
	Durations   []option.Pair
	Rename      []option.Pair
	Remove      []string
	Listen      string
	WebConfig   string

	uses  map[string][]use // of each name
	folds *folds           // of the formats in Trace
}

// Attribute is one attribute that every record gets, under its OpenTelemetry name.
type Attribute struct {
	Name   string
	value  template
	option string // that names it
}

// plainOptions are the options for one attribute each.
var plainOptions = []struct{ option, name string }{
	{"service_name", "service.name"},
	{"service_version", "service.version"},
	{"service_namespace", "service.namespace"},
	{"service_instance_id", "service.instance.id"},
	{"environment", "deployment.environment.name"},
}

// load reads and checks the options. described is what was set, for the log; the error joins everything that is wrong.
func load(get option.Getter) (c *Config, described string, err error) {
	v := Options.Parse(get)
	c = &Config{
		Refresh:   v.Duration("refresh"),
		Downward:  v.Text("downward_path"),
		Nested:    v.Text("layout") == "nested",
		Under:     v.Text("under"),
		Overwrite: v.Text("on_conflict") == "overwrite",
		KeepTrace: v.Bool("keep_original"),
		Metadata:  v.Bool("otlp_metadata"),
		Level:     unlessOff(v.Text("level")),
		Severity:  unlessOff(v.Text("severity_number")),
		Status:    v.Text("level_from_status"),
		Durations: v.Pairs("durations"),
		Rename:    v.Pairs("rename"),
		Remove:    v.List("remove"),
		Listen:    v.Text("listen"),
		WebConfig: v.Text("web_config_file"),
	}
	c.Naming, _ = identity.ParseNaming(v.Text("naming")) // a choice, so it is one
	c.readAttributes(v)
	c.readSources(v)
	c.readTrace(v)
	if c.Level == "" {
		if c.Severity = ""; v.IsSet("severity_number") && unlessOff(v.Text("severity_number")) != "" {
			v.Fail("severity_number", "needs the level's field, and level is off; for example: level level")
		}
	}
	if err := listen.CheckAddress(c.Listen); err != nil {
		v.Fail("listen", "%v", err)
	}
	if err := listen.CheckWebConfig(c.WebConfig); err != nil {
		v.Fail("web_config_file", "%v", err)
	}
	c.checkNames(v)
	return c, v.Describe(), v.Err()
}

func unlessOff(s string) string {
	if strings.EqualFold(s, "off") {
		return ""
	}
	return s
}

// listOf is a list option, nil for off.
func listOf(v *option.Values, name string) []string {
	list := v.List(name)
	if len(list) == 1 && strings.EqualFold(list[0], "off") {
		return nil
	}
	return list
}

func (c *Config) readAttributes(v *option.Values) {
	add := func(opt, name, value string) {
		t, err := parseTemplate(value)
		if err != nil {
			v.Fail(opt, "%s: %v; for example: %s %s", name, err, opt, example(opt))
			return
		}
		c.Attributes = append(c.Attributes, Attribute{name, t, opt})
	}
	for _, p := range plainOptions {
		if v.IsSet(p.option) {
			add(p.option, p.name, v.Text(p.option))
		}
	}
	for _, p := range v.Pairs("attributes") {
		add("attributes", p.Key, p.Value)
	}
	for _, item := range v.List("service_from") {
		if item == "record" {
			c.ServiceFrom = append(c.ServiceFrom, template{{kind: piecePod, part: podName}})
			continue
		}
		t, err := parseTemplate(item)
		if err == nil && !t.ofRecord() && !slices.ContainsFunc(t, func(p piece) bool { return p.kind == pieceTag }) {
			err = errors.New("it says the same of every record, which is what service_name is for")
		}
		if err != nil {
			v.Fail("service_from", "%s: %v; for example: service_from %s", item, err, example("service_from"))
			continue
		}
		c.ServiceFrom = append(c.ServiceFrom, t)
	}
}

func (c *Config) readSources(v *option.Values) {
	for _, name := range listOf(v, "sources") {
		s, err := identity.ParseSource(name)
		if err != nil {
			v.Fail("sources", "%v, or off; for example: sources %s", err, example("sources"))
		} else if !slices.Contains(c.Sources, s) {
			c.Sources = append(c.Sources, s)
		}
	}
}

func (c *Config) readTrace(v *option.Values) {
	for _, item := range listOf(v, "trace") {
		name, text, hasPath := strings.Cut(item, "=")
		f := format(slices.Index(formatNames[:], strings.ToLower(strings.TrimSpace(name))))
		if strings.EqualFold(name, "newrelic") {
			f = formatElastic // the same names
		}
		if f >= formats {
			v.Fail("trace", "%q is no format; allowed are %s, or off; for example: trace %s", name, strings.Join(formatNames[:], ", "), example("trace"))
			continue
		}
		if !slices.Contains(c.Trace, f) {
			c.Trace = append(c.Trace, f)
		}
		if hasPath {
			path, err := record.ParsePath(strings.TrimSpace(text))
			if err != nil {
				v.Fail("trace", "%s: %v", name, err)
				continue
			}
			c.TracePaths = append(c.TracePaths, tracePathConfig{f, path})
		}
	}
	own := map[identity.Naming]format{identity.NamingOTel: formatOTel, identity.NamingECS: formatElastic, identity.NamingDatadog: formatDatadog}[c.Naming]
	if i := slices.Index(c.Trace, own); i > 0 && !c.KeepTrace {
		if v.IsSet("trace") {
			v.Fail("trace", "%s, whose fields are written, must come first: a field that is converted is removed, and the next pass would take the format behind it; or set keep_original on", own)
		}
		c.Trace = append([]format{own}, slices.Delete(c.Trace, i, i+1)...)
	}
	if c.Metadata && len(c.Trace) == 0 {
		v.Fail("otlp_metadata", "there is no trace to put there, trace is off")
	}
	c.Messages = listOf(v, "from_message")
	if len(c.Messages) == 1 && strings.EqualFold(c.Messages[0], "on") {
		c.Messages = []string{"message", "log", "msg"}
	}
	if len(c.Messages) > 0 && len(c.Trace) == 0 && c.Level == "" {
		v.Fail("from_message", "there is nothing to look for, trace and level are off")
	}
	text := unlessOff(v.Text("generate"))
	if text == "" {
		return
	}
	path, ok := strings.CutPrefix(text, "from_field ")
	if !ok || len(c.Trace) == 0 {
		v.Fail("generate", "must be off, or from_field and a path while trace is not off; for example: generate %s", example("generate"))
		return
	}
	p, err := record.ParsePath(strings.TrimSpace(path))
	if err != nil {
		v.Fail("generate", "%v", err)
		return
	}
	c.Generate = &p
}

// ofPods says that the records name the pods that they are of.
func (c *Config) ofPods() bool {
	return slices.ContainsFunc(c.ServiceFrom, func(t template) bool { return t[0].kind == piecePod })
}

// attribute is an attribute with all its sources, highest first, and where it is written to.
type attribute struct {
	path    []string
	sources []template
}

// all are the attributes in the order in which they are written, under the names of the naming.
func (c *Config) all(found []identity.Attribute) []attribute {
	var all []attribute
	add := func(name string, sources ...template) {
		path := c.pathOf(name)
		if c.Level != "" && name == c.Level {
			path = []string{name}
		}
		for i := range all {
			if slices.Equal(all[i].path, path) {
				all[i].sources = append(all[i].sources, sources...)
				return
			}
		}
		all = append(all, attribute{path, sources})
	}
	if c.ServiceFrom != nil {
		add("service.name", c.ServiceFrom...)
	}
	if c.ofPods() {
		for i, name := range podAttributes[1:] {
			add(name, template{{kind: piecePod, part: i + 1}})
		}
	}
	for _, a := range c.Attributes {
		add(a.Name, a.value)
	}
	for _, a := range found {
		if c.free(c.pathOf(a.Name)) {
			add(a.Name, template{{text: a.Value}})
		}
	}
	return all
}

func example(name string) string {
	for i := range Options {
		if Options[i].Name == name {
			return Options[i].Example
		}
	}
	return ""
}
