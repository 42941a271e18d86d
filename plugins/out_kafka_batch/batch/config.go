package batch

import (
	"net"
	"strconv"
	"strings"
	"time"

	"flbgo/shared/option"
)

// config is what an instance runs with. It does not change after New.
type config struct {
	brokers  []string // host:port
	topics   []string // the first is the default
	clientID string
	payload
	codec           codec
	batchMaxBytes   int
	batchMaxRecords int32
	requestTimeout  time.Duration
	flushTimeout    time.Duration
	bufferMaxBytes  int64
}

// parseConfig reads all options. described is what was set, for the log; the error joins everything that is wrong.
func parseConfig(get option.Getter) (c config, described string, err error) {
	v := Options.Parse(get)
	c.parseWhere(v)
	c.payload.parse(v)
	c.parseDelivery(v)
	return c, v.Describe(), v.Err()
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
			v.Fail("topics", "%q must be %s", t, topicRule)
		}
	}
	c.clientID = v.Text("client_id")
}

func (c *config) parseDelivery(v *option.Values) {
	c.codec = codecs[v.Text("compression")]
	c.batchMaxBytes = int(v.Int("batch_max_bytes"))
	c.batchMaxRecords = int32(v.Int("batch_max_records"))
	c.requestTimeout, c.flushTimeout = v.Duration("request_timeout"), v.Duration("flush_timeout")
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
