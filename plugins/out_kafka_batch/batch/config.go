package batch

import (
	"net"
	"strconv"
	"strings"
	"time"

	"flbgo/shared/option"
	"flbgo/shared/record"
)

// config is what an instance runs with. It does not change after New.
type config struct {
	brokers        []string // host:port
	topics         []string // the first is the default
	clientID       string
	metadataMaxAge time.Duration // of a topic; a leader that has moved does not wait for it
	partitioner    partitioner

	keyed        bool
	keyField     record.Path
	timestamp    timestampFormat
	timestampKey string
	recordID     bool
	pathField    record.Path
	offsetField  record.Path

	deliveryConfig
	deadLetterConfig
	rateConfig
	listenConfig
	connections connections

	notes []note // for the log at start
}

// deliveryConfig is how batches are made and sent.
type deliveryConfig struct {
	acks            int16 // as in the request: -1, 1 or 0
	idempotence     bool
	codec           codec
	batchMaxBytes   int
	batchMaxRecords int32
	linger          time.Duration
	requestTimeout  time.Duration
	flushTimeout    time.Duration
	backoffMin      time.Duration
	backoffMax      time.Duration
	maxInFlight     int
	bufferMaxBytes  int64
}

// parseConfig reads all options. described is what was set, for the log; the error joins everything that is wrong.
func parseConfig(get option.Getter) (c config, described string, err error) {
	v, notes := readOptions(get)
	c.parseWhere(v)
	c.parsePayload(v)
	c.deliveryConfig.parse(v)
	c.deadLetterConfig.parse(v)
	c.rateConfig.parse(v)
	c.listenConfig.parse(v)
	c.notes = append(notes, c.connections.parse(v)...)
	return c, v.Describe(), v.Err()
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

func (c *config) parseWhere(v *option.Values) {
	for _, b := range v.List("brokers") {
		address, ok := brokerAddress(b)
		if !ok {
			v.Fail("brokers", "%q must be host:port, for example: brokers kafka-1:9092,kafka-2:9092", b)
		}
		c.brokers = append(c.brokers, address)
	}
	if v.IsSet("brokers") && len(c.brokers) == 0 {
		v.Fail("brokers", "must name a broker, for example: brokers kafka-1:9092,kafka-2:9092") // kafka-go would panic
	}
	if c.topics = v.List("topics"); len(c.topics) == 0 {
		v.Fail("topics", "must name a topic, for example: topics logs")
	}
	for _, t := range c.topics {
		if !validTopic(t) {
			v.Fail("topics", "%q must be %s, for example: topics logs", t, topicRule)
		}
	}
	c.clientID = v.Text("client_id")
	c.metadataMaxAge = v.Duration("metadata_max_age")
}

func (c *config) parsePayload(v *option.Values) {
	c.keyed, c.keyField = v.IsSet("message_key_field"), parsePath(v, "message_key_field")
	if v.Bool("add_timestamp") {
		c.timestamp = timestampFormats[v.Text("timestamp_format")]
	}
	c.timestampKey = v.Text("timestamp_key")
	c.recordID = v.Text("record_id") == "auto"
	c.pathField, c.offsetField = parsePath(v, "path_field"), parsePath(v, "offset_field")
}

func (c *deliveryConfig) parse(v *option.Values) {
	c.acks = map[string]int16{"all": -1, "1": 1, "0": 0}[v.Text("required_acks")]
	c.idempotence = v.Bool("idempotence")
	if c.idempotence && c.acks != -1 {
		v.Fail("required_acks", "needs idempotence off: a batch that not all in-sync replicas have can be lost and its number used again; allowed: required_acks all, or idempotence off")
	}
	c.codec = codecs[v.Text("compression")]
	c.batchMaxBytes = int(v.Int("batch_max_bytes"))
	c.batchMaxRecords = int32(v.Int("batch_max_records"))
	c.linger = v.Duration("linger")
	c.requestTimeout, c.flushTimeout = v.Duration("request_timeout"), v.Duration("flush_timeout")
	if c.linger >= c.flushTimeout {
		v.Fail("linger", "must be below flush_timeout (%v), which flushes do not wait beyond, for example: linger 20ms", c.flushTimeout)
	}
	c.backoffMin, c.backoffMax = v.Duration("backoff_min"), v.Duration("backoff_max")
	if c.backoffMin > c.backoffMax {
		v.Fail("backoff_min", "must not be above backoff_max (%v), for example: backoff_min 50ms", c.backoffMax)
	}
	c.maxInFlight = int(v.Int("max_in_flight"))
	c.bufferMaxBytes = v.Int("buffer_max_bytes")
}

// brokerAddress completes host, host:port, [v6]:port or a bare v6 address.
func brokerAddress(s string) (address string, ok bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "9092"
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return s, false
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if host == "" || err != nil || n == 0 || strings.ContainsAny(host, " /@") {
		return s, false
	}
	return net.JoinHostPort(host, port), true
}

// topicRule is Kafka's own rule for topic names.
const topicRule = "1 to 249 of the characters a-z A-Z 0-9 . _ - and neither . nor .."

// validTopic applies topicRule.
func validTopic(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 249 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
