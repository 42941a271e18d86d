package batch

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"flbgo/shared/option"
)

// config is what an instance runs with. It does not change after New.
type config struct {
	brokers        []string // host:port
	topics         []string // the first is the default
	clientID       string
	metadataMaxAge time.Duration // of a topic; a leader that has moved does not wait for it

	payload
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
	requestMaxBytes int
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
	c.payload.parse(v)
	c.deliveryConfig.parse(v)
	c.deadLetterConfig.parse(v)
	c.rateConfig.parse(v)
	c.listenConfig.parse(v)
	c.notes = append(notes, c.connections.parse(v)...)
	return c, v.Describe(), v.Err()
}

func (c *config) parseWhere(v *option.Values) {
	list := v.List("brokers")
	// One error for the whole list: a password with a comma in it makes two items, which show a half of it each.
	named := slices.ContainsFunc(list, func(b string) bool { return strings.Contains(b, "@") })
	if named {
		v.Fail("brokers", "have user names or passwords, which are for sasl_username and sasl_password_file, for example: brokers kafka-1:9092,kafka-2:9092")
	}
	for _, b := range list {
		address, ok := brokerAddress(b)
		if !ok && !named {
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

func (c *deliveryConfig) parse(v *option.Values) {
	c.acks = map[string]int16{"all": -1, "1": 1, "0": 0}[v.Text("required_acks")]
	c.idempotence = v.Bool("idempotence")
	if c.idempotence && c.acks != -1 {
		v.Fail("required_acks", "needs idempotence off: a batch that not all in-sync replicas have can be lost and its number used again; allowed: required_acks all, or idempotence off")
	}
	c.codec = codecOption(v)
	c.batchMaxBytes = int(v.Int("batch_max_bytes"))
	c.requestMaxBytes = int(v.Int("request_max_bytes"))
	if c.requestMaxBytes < c.batchMaxBytes {
		v.Fail("request_max_bytes", "must not be below batch_max_bytes (%d), for example: request_max_bytes 100M", c.batchMaxBytes)
	}
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
