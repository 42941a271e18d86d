package batch

import (
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"flbgo/shared/option"
	"flbgo/shared/record"
)

// Options is every option of kafka_batch. Names are those of Fluent Bit's own kafka output where it has them.
var Options = option.Table{
	{Name: "brokers", Kind: option.List, Required: true, Example: "kafka-1:9092,kafka-2:9092",
		Help: "Where to learn the cluster from, host:port; the port is 9092 where it is left out."},
	{Name: "topics", Kind: option.List, Default: "fluent-bit", Example: "logs",
		Help: "The topic that records go to; of several the first."},
	{Name: "message_key_field", Kind: option.Text, Example: "$kubernetes['pod_name']",
		Help: "Field whose value is the Kafka key; equal keys go to one partition, the same as with librdkafka's `consistent_random`. Records without it have no key."},
	{Name: "client_id", Kind: option.Text, Default: "fluent-bit",
		Help: "Name that brokers see in their logs, metrics and quotas."},
	{Name: "timestamp_key", Kind: option.Text, Default: "@timestamp",
		Help: "Member of the JSON object that holds the event's time; a field of that name in the record is replaced."},
	{Name: "timestamp_format", Kind: option.Choice, Default: "double", Choices: []string{"double", "iso8601", "iso8601_ns", "epoch_ms"},
		Help: "`double` 1700000000.5, `iso8601` with microseconds, `iso8601_ns` with nanoseconds, `epoch_ms` whole milliseconds."},
	{Name: "add_timestamp", Kind: option.Bool, Default: "on",
		Help: "Write timestamp_key; off leaves a field of that name in the record as it is."},
	{Name: "record_id", Kind: option.Choice, Default: "auto", Choices: []string{"auto", "off"},
		Help: "Header `record_id` that is the same whenever the same record is sent again."},
	{Name: "path_field", Kind: option.Text, Default: "file",
		Help: "Field with the path of the file that a record was read from (tail's Path_Key), for record_id."},
	{Name: "offset_field", Kind: option.Text, Default: "offset",
		Help: "Field with the record's offset in that file (tail's Offset_Key), for record_id."},
	{Name: "compression", Kind: option.Choice, Default: "lz4", Choices: []string{"lz4", "none"},
		Help: "Codec of the record batches."},
	{Name: "batch_max_bytes", Kind: option.Size, Default: "1000000", Min: 1 << 10, Max: 64 << 20, Example: "512K",
		Help: "A batch is closed before it grows beyond this, counted before compression. Keep it below the topic's max.message.bytes; a larger record travels alone."},
	{Name: "batch_max_records", Kind: option.Int, Default: "10000", Min: 1, Max: 1 << 20, Example: "5000",
		Help: "A batch is closed at this number of records."},
	{Name: "request_timeout", Kind: option.Duration, Default: "10s", Min: int64(100 * time.Millisecond), Max: int64(10 * time.Minute), Example: "10s",
		Help: "How long a broker may take to answer; then the same batch is sent again."},
	{Name: "flush_timeout", Kind: option.Duration, Default: "4s", Min: int64(10 * time.Millisecond), Max: int64(10 * time.Minute), Example: "4s",
		Help: "How long a flush waits for the acknowledgement before it answers RETRY; keep it below Fluent Bit's Grace. On the engine's thread at most 1s."},
	{Name: "buffer_max_bytes", Kind: option.Size, Default: "64M", Min: 1 << 20, Max: math.MaxInt64, Example: "64M",
		Help: "Bytes of records that may wait for Kafka; above it chunks stay in Fluent Bit's own buffer."},
}

// config is what an instance runs with. It does not change after New.
type config struct {
	brokers         []string // host:port
	topic           string
	keyed           bool
	keyField        record.Path
	clientID        string
	timestamp       timestampFormat
	timestampKey    string
	recordID        bool
	pathField       record.Path
	offsetField     record.Path
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
	path := func(name string) record.Path {
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
	if topics := v.List("topics"); len(topics) > 0 {
		c.topic = topics[0]
		for _, t := range topics {
			if !validTopic(t) {
				v.Fail("topics", "%q must be 1 to 249 of the characters a-z A-Z 0-9 . _ - and neither . nor .., for example: topics logs", t)
			}
		}
	} else {
		v.Fail("topics", "must name a topic, for example: topics logs")
	}
	c.keyed, c.keyField = v.IsSet("message_key_field"), path("message_key_field")
	c.clientID = v.Text("client_id")
	if v.Bool("add_timestamp") {
		c.timestamp = timestampFormats[v.Text("timestamp_format")]
	}
	c.timestampKey = v.Text("timestamp_key")
	c.recordID = v.Text("record_id") == "auto"
	c.pathField, c.offsetField = path("path_field"), path("offset_field")
	c.codec = codecs[v.Text("compression")]
	c.batchMaxBytes = int(v.Int("batch_max_bytes"))
	c.batchMaxRecords = int32(v.Int("batch_max_records"))
	c.requestTimeout, c.flushTimeout = v.Duration("request_timeout"), v.Duration("flush_timeout")
	c.bufferMaxBytes = v.Int("buffer_max_bytes")
	return c, v.Describe(), v.Err()
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

// validTopic applies Kafka's own rule for topic names.
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
