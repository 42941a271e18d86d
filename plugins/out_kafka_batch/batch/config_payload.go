package batch

import (
	"strings"
	"time"

	"flbgo/shared/option"
	"flbgo/shared/record"
)

// payload is the part of the configuration that says what records become.
type payload struct {
	topic        template
	topicKey     record.Path
	dynamicTopic bool

	keyed       bool // one of the next two is set
	messageKey  string
	keyField    record.Path
	partitioner partitioner

	format       format
	rawKey       record.Path
	timestamp    timestampFormat
	timestampKey string
	tagKey       string   // "" for none
	idKey        string   // the same, for the record_id
	exclude      []string // names at the top level
	metadata     bool

	headers      []option.Pair
	headerFields []headerField
	headersKey   record.Path
	trace        bool

	recordID    bool
	idField     record.Path // the zero path for ids of our own
	pathField   record.Path
	offsetField record.Path
	idIgnored   []record.Path // at the top level

	sendTime   bool          // the Kafka timestamp is the time of sending
	timeWindow time.Duration // else how far from now it may be
}

// headerField is a header whose value is a field.
type headerField struct {
	name string
	path record.Path
}

// parsePath reads an option that is a field path; the zero path where it is not set.
func parsePath(v *option.Values, name string) record.Path {
	text := v.Text(name)
	if text == "" {
		return record.Path{}
	}
	p, err := record.ParsePath(text)
	if err != nil {
		v.Fail(name, "%v", err)
	}
	return p
}

func (c *payload) parse(v *option.Values) {
	c.parseRouting(v)
	c.parseValue(v)
	c.parseHeaders(v)
	c.sendTime = v.Text("record_time") == "now"
	c.timeWindow = v.Duration("record_time_window")
}

func (c *payload) parseRouting(v *option.Values) {
	if text := v.Text("topic"); text != "" {
		var err error
		if c.topic, err = parseTemplate(text); err != nil {
			v.Fail("topic", "%v", err)
		} else if name, ok := c.topic.constant(); ok && !validTopic(name) {
			v.Fail("topic", "%q must be %s, for example: topic logs-$TAG", name, topicRule)
		} else if len(c.topic) > 0 && strings.HasPrefix(c.topic[0].text, internalPrefix) {
			v.Fail("topic", "must not begin with %s, which brokers keep to themselves", internalPrefix)
		}
	}
	c.topicKey, c.dynamicTopic = parsePath(v, "topic_key"), v.Bool("dynamic_topic")
	c.messageKey, c.keyField = v.Text("message_key"), parsePath(v, "message_key_field")
	c.keyed = c.messageKey != "" || c.keyField.String() != ""
	c.partitioner = partitioners[v.Text("partitioner")]
}

func (c *payload) parseValue(v *option.Values) {
	c.format, c.rawKey = formats[v.Text("format")], parsePath(v, "raw_log_key")
	if c.format == formatRaw && v.Text("raw_log_key") == "" {
		v.Fail("raw_log_key", "must name the field that is the message's value with format raw, for example: raw_log_key log")
	}
	c.timestampKey, c.tagKey, c.metadata = v.Text("timestamp_key"), v.Text("tag_key"), v.Bool("include_metadata")
	if v.Bool("add_timestamp") {
		c.timestamp = timestampFormats[v.Text("timestamp_format")]
		if c.tagKey == c.timestampKey {
			v.Fail("tag_key", "must not be timestamp_key as well: one would hide the other, for example: tag_key tag")
		}
		c.checkMetadataName(v, "timestamp_key", c.timestampKey)
	}
	c.checkMetadataName(v, "tag_key", c.tagKey)
	c.parseIDKey(v)
	for _, p := range topLevel(v, "exclude_fields", "kubernetes,file") {
		name, _ := p.TopLevel()
		c.exclude = append(c.exclude, name)
	}
}

// parseIDKey reads record_id_key, a member of the value that must be no other's.
func (c *payload) parseIDKey(v *option.Values) {
	if c.idKey = v.Text("record_id_key"); c.idKey == "" {
		return
	}
	switch {
	case c.format != formatJSON:
		v.Fail("record_id_key", "needs format json; the header record_id is there with every format")
	case strings.EqualFold(v.Text("record_id"), "off"):
		v.Fail("record_id_key", "needs a record_id, which is off")
	case c.idKey == c.tagKey, c.idKey == c.timestampKey && v.Bool("add_timestamp"):
		v.Fail("record_id_key", "must not be tag_key or timestamp_key as well: one would hide the other, for example: record_id_key record_id")
	}
	c.checkMetadataName(v, "record_id_key", c.idKey)
}

// topLevel reads an option that is a list of fields at the top level.
func topLevel(v *option.Values, name, example string) (paths []record.Path) {
	for _, text := range v.List(name) {
		p, err := record.ParsePath(text)
		if err != nil {
			v.Fail(name, "%v", err)
			continue
		}
		field, top := p.TopLevel()
		if !top {
			v.Fail(name, "%s is inside another field; only fields at the top level can be left out, for example: %s %s", text, name, example)
			continue
		}
		// Quoted, so that a name with dots is that name and nothing else.
		p, err = record.ParsePath("$['" + strings.ReplaceAll(field, "'", "''") + "']")
		if err != nil {
			v.Fail(name, "%v", err)
			continue
		}
		paths = append(paths, p)
	}
	return paths
}

// checkMetadataName holds a member that the user names apart from those that include_metadata writes.
func (c *payload) checkMetadataName(v *option.Values, option, name string) {
	if c.metadata && (name == metadataKey || name == groupKey) {
		v.Fail(option, "must be another name: include_metadata writes %s and %s", metadataKey, groupKey)
	}
}

func (c *payload) parseHeaders(v *option.Values) {
	switch text := strings.ToLower(v.Text("record_id")); {
	case text == "off":
	case text == "auto":
		c.recordID = true
	case !strings.HasPrefix(text, "$"): // a field called "on" is hardly what was meant
		v.Fail("record_id", "must be auto, off or a field such as $event_id")
	default:
		c.recordID, c.idField = true, parsePath(v, "record_id")
	}
	c.pathField, c.offsetField = parsePath(v, "path_field"), parsePath(v, "offset_field")
	if c.idIgnored = topLevel(v, "record_id_ignore", "service.version"); len(c.idIgnored) > maxIgnored {
		v.Fail("record_id_ignore", "must be at most %d fields, for example: record_id_ignore service.version", maxIgnored)
	}
	c.trace = v.Bool("trace_headers")
	c.headersKey = parsePath(v, "headers_key")

	taken := func(option, name string) {
		switch {
		case name == recordIDName && c.recordID:
			v.Fail(option, "the header record_id is written by the option record_id: take another name, or set record_id off")
		case name == eventTimeName:
			v.Fail(option, "the header event_time is written for times outside record_time_window: take another name")
		case name == traceParentName && c.trace:
			v.Fail(option, "the header traceparent is written by trace_headers: take another name, or set trace_headers off")
		}
	}
	size := 0
	for _, h := range v.Pairs("headers") {
		taken("headers", h.Key)
		size += len(h.Key) + len(h.Value)
		c.headers = append(c.headers, h)
	}
	if size > maxStaticHeaderBytes || len(c.headers) > maxStaticHeaders {
		v.Fail("headers", "must be at most %d headers and %d bytes: every message carries them", maxStaticHeaders, maxStaticHeaderBytes)
	}
	for _, h := range v.Pairs("header_fields") {
		taken("header_fields", h.Key)
		p, err := record.ParsePath(h.Value)
		if err != nil {
			v.Fail("header_fields", "%s: %v", h.Key, err)
		}
		c.headerFields = append(c.headerFields, headerField{h.Key, p})
	}
}
