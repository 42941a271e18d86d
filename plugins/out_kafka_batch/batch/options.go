package batch

import (
	"math"
	"time"

	"flbgo/shared/listen"
	"flbgo/shared/option"
)

// Options is every option of kafka_batch. Names are those of Fluent Bit's own kafka output where it has them.
var Options = option.Table{
	// Where.
	{Name: "brokers", Kind: option.List, Required: true, Example: "kafka-1:9092,kafka-2:9092",
		Help: "Where to learn the cluster from, host:port; the port is 9092 where it is left out."},
	{Name: "topics", Kind: option.List, Default: "fluent-bit", Example: "logs",
		Help: "Topics that records may go to; the first is the default, for whatever has no other."},
	{Name: "topic", Kind: option.Text, Example: "logs-$kubernetes['namespace_name']",
		Help: "Template of the topic's name over the record and the tag: `$field`, `$a['b']`, `$TAG`, `$TAG[1]` (parts of the tag between dots, from 0). Where something is absent or the result is no topic name, the default topic."},
	{Name: "topic_key", Kind: option.Text, Example: "$kubernetes['labels']['topic']",
		Help: "Field that names the record's topic: one of topics, or any with dynamic_topic. Where it does not, topic does."},
	{Name: "dynamic_topic", Kind: option.Bool, Default: "off",
		Help: "Let topic_key name topics that are not in topics."},
	{Name: "client_id", Kind: option.Text, Default: "fluent-bit",
		Help: "Name that brokers see in their logs, metrics and quotas."},

	// Key and partition.
	{Name: "message_key", Kind: option.Text, Example: "edge-7",
		Help: "Kafka key of records without message_key_field."},
	{Name: "message_key_field", Kind: option.Text, Example: "$kubernetes['pod_name']",
		Help: "Field whose value is the Kafka key; equal keys go to one partition. Records without it have message_key, or no key."},
	{Name: "partitioner", Kind: option.Choice, Default: "consistent_random", Choices: []string{"consistent_random", "murmur2_random", "round_robin"},
		Help: "`consistent_random`: CRC-32 of the key, as librdkafka and Fluent Bit's own output; `murmur2_random`: as Java clients; `round_robin`: record after record whatever the key. Records without a key stick to a partition for a batch."},

	// Payload.
	{Name: "format", Kind: option.Choice, Default: "json", Choices: []string{"json", "msgpack", "raw"},
		Help: "Value of the message: the record as JSON or msgpack, or the text of raw_log_key alone (a record without it as JSON)."},
	{Name: "raw_log_key", Kind: option.Text, Example: "log",
		Help: "Field that is the whole value with format raw."},
	{Name: "timestamp_key", Kind: option.Text, Default: "@timestamp",
		Help: "Member that holds the event's time; a field of that name in the record is replaced."},
	{Name: "timestamp_format", Kind: option.Choice, Default: "double", Choices: []string{"double", "iso8601", "iso8601_ns", "epoch_ms"},
		Help: "`double` 1700000000.5, `iso8601` with microseconds, `iso8601_ns` with nanoseconds, `epoch_ms` whole milliseconds."},
	{Name: "add_timestamp", Kind: option.Bool, Default: "on",
		Help: "Write timestamp_key; off leaves a field of that name in the record as it is."},
	{Name: "tag_key", Kind: option.Text, Example: "tag",
		Help: "Member that holds the tag; a field of that name in the record is replaced."},
	{Name: "exclude_fields", Kind: option.List, Example: "kubernetes,file,offset",
		Help: "Fields of the record, at its top level, that are left out of the value; topic, key and headers may still use them."},
	{Name: "include_metadata", Kind: option.Bool, Default: "off",
		Help: "Members `event_metadata` and, for a record inside a group (OTLP inputs), `event_group` with the group's attributes, where there are any."},

	// Headers.
	// They may have tokens in them, for whoever reads the messages.
	{Name: "headers", Kind: option.Pairs, Secret: true, Example: "env=prod,team=payments",
		Help: "Headers of every message."},
	{Name: "header_fields", Kind: option.Pairs, Example: "level=$level,pod=$kubernetes['pod_name']",
		Help: "Headers from fields: name=$path; no header where the field is absent."},
	{Name: "headers_key", Kind: option.Text, Example: "headers",
		Help: "Field with a map, each member of which is a header; at most 1,000 and 64 KiB together with header_fields."},
	{Name: "trace_headers", Kind: option.Bool, Default: "off",
		Help: "Header `traceparent` from the fields trace_id, span_id and trace_flags, where the ids are valid."},
	{Name: "record_id", Kind: option.Text, Default: "auto", Example: "$event_id",
		Help: "Header `record_id`, the same whenever the same record is sent again: `auto`, a field, or `off`."},
	{Name: "record_id_key", Kind: option.Text, Example: "record_id",
		Help: "Field of the value that has the record_id too, with format json: for consumers that see no headers, such as Fluent Bit's own kafka input."},
	{Name: "path_field", Kind: option.Text, Default: "file",
		Help: "Field with the path of the file that a record was read from (tail's Path_Key), for record_id."},
	{Name: "offset_field", Kind: option.Text, Default: "offset",
		Help: "Field with the record's offset in that file (tail's Offset_Key), for record_id."},
	{Name: "record_id_ignore", Kind: option.List, Default: "service.name,service.namespace,service.version,service.instance.id,deployment.environment.name", Example: "service.version,host.name",
		Help: "Fields at the top level that make no difference to record_id: what enrich adds about the service, which may be another when a line is read again."},

	// Time.
	{Name: "record_time", Kind: option.Choice, Default: "event", Choices: []string{"event", "now"},
		Help: "Kafka timestamp of a message: the event's time, or the time of sending."},
	{Name: "record_time_window", Kind: option.Duration, Default: "24h", Min: int64(time.Minute), Max: int64(10 * 365 * 24 * time.Hour), Example: "168h",
		Help: "An event's time longer ago than this, or more than an hour ahead, is not used as the Kafka timestamp, since brokers refuse the future and retention deletes the past: the message has the present time, and the event's in the header `event_time`."},

	// Delivery.
	{Name: "required_acks", Kind: option.Choice, Default: "all", Choices: []string{"all", "1", "0"},
		Help: "Who has to have a batch before it counts as delivered: all in-sync replicas, the leader, nobody. Other than all needs idempotence off."},
	{Name: "idempotence", Kind: option.Bool, Default: "on",
		Help: "Batches carry a producer id and sequences, so that a lost answer causes no duplicate."},
	{Name: "compression", Kind: option.Choice, Default: "lz4", Choices: []string{"lz4", "zstd", "snappy", "gzip", "none"},
		Help: "Codec of the record batches."},
	{Name: "compression_level", Kind: option.Int, Default: "0", Min: 0, Max: 22, Example: "3",
		Help: "Less to send for more CPU; 0 is the default of the codec. `zstd` 1 to 22, in four steps (1, 3, 6, 10; default 1). `gzip` 1 to 9 (default 5). `lz4` 1 to 12 searches longer than its fast default does, at 20 times the CPU, and is larger and slower than `zstd` 1: it is for readers that know no zstd. `snappy` has no levels."},
	{Name: "batch_max_bytes", Kind: option.Size, Default: "1000000", Min: 1 << 10, Max: 64 << 20, Example: "512K",
		Help: "A batch is closed before it grows beyond this, counted before compression. Keep it below the topic's max.message.bytes; a larger record travels alone."},
	{Name: "request_max_bytes", Kind: option.Size, Default: "100M", Min: 1 << 10, Max: math.MaxInt32, Example: "10M",
		Help: "The brokers' socket.request.max.bytes: they close the connection on a larger request, without an answer. A record that would need one is not sent, and is too_large; a batch goes in halves first."},
	{Name: "batch_max_records", Kind: option.Int, Default: "10000", Min: 1, Max: 1 << 20, Example: "5000",
		Help: "A batch is closed at this number of records."},
	{Name: "linger", Kind: option.Duration, Default: "0s", Min: 0, Max: int64(time.Minute), Example: "20ms",
		Help: "How long a batch that is not full may wait for more records; the flush waits with it. What is flushed while a request is under way shares the next batch without it."},
	{Name: "request_timeout", Kind: option.Duration, Default: "10s", Min: int64(100 * time.Millisecond), Max: int64(10 * time.Minute), Example: "10s",
		Help: "How long a broker may take to answer; then the same batch is sent again."},
	{Name: "flush_timeout", Kind: option.Duration, Default: "4s", Min: int64(10 * time.Millisecond), Max: int64(10 * time.Minute), Example: "4s",
		Help: "How long a flush waits for the acknowledgement before it answers RETRY; keep it below Fluent Bit's Grace. On the engine's thread at most 1s."},
	{Name: "backoff_min", Kind: option.Duration, Default: "50ms", Min: int64(time.Millisecond), Max: int64(time.Minute), Example: "100ms",
		Help: "Bound of the random wait before a batch is sent for the second time; it doubles from time to time."},
	{Name: "backoff_max", Kind: option.Duration, Default: "2s", Min: int64(time.Millisecond), Max: int64(10 * time.Minute), Example: "10s",
		Help: "Bound of that wait at most."},
	{Name: "max_in_flight", Kind: option.Int, Default: "16", Min: 1, Max: 1000, Example: "5",
		Help: "Requests that wait for an answer at a time, over all brokers; of one partition there is never more than one."},
	{Name: "buffer_max_bytes", Kind: option.Size, Default: "64M", Min: 1 << 20, Max: math.MaxInt64, Example: "64M",
		Help: "Bytes of records that may wait for Kafka; above it chunks stay in Fluent Bit's own buffer."},

	// Connections.
	{Name: "connect_timeout", Kind: option.Duration, Default: "3s", Min: int64(100 * time.Millisecond), Max: int64(5 * time.Minute), Example: "10s",
		Help: "How long setting up a connection may take, TLS and authentication included."},
	{Name: "connections_max_idle", Kind: option.Duration, Default: "30s", Min: int64(time.Second), Max: int64(24 * time.Hour), Example: "5m",
		Help: "A connection that is not used for so long is closed; the next request opens another."},
	{Name: "metadata_max_age", Kind: option.Duration, Default: "30s", Min: int64(100 * time.Millisecond), Max: int64(24 * time.Hour), Example: "1m",
		Help: "How long new partitions may go unseen. A leader that moved is looked for at once."},
	{Name: "broker_address_family", Kind: option.Choice, Default: "any", Choices: []string{"any", "v4", "v6"},
		Help: "Connect to IPv4 or IPv6 addresses of the brokers only."},

	// Security: TLS. The core keeps the names tls* to itself.
	{Name: "security_protocol", Kind: option.Choice, Default: "plaintext", Choices: []string{"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"},
		Help: "`ssl` is TLS, 1.2 or 1.3; `sasl_…` authenticates with sasl_mechanism. Options of what it leaves out are errors."},
	{Name: "ssl_ca_file", Kind: option.Text, Example: "/etc/ssl/kafka-ca.pem",
		Help: "PEM file, or a directory of them, with the authorities that sign the brokers' certificates; without it those of the system. It and the client's certificate are read again when they change."},
	// Certificates are none, but a file of them often has the key as well.
	{Name: "ssl_ca_pem", Kind: option.Text, Secret: true, Help: "The same as text; a line break may be written `\\n`."},
	{Name: "ssl_certificate_file", Kind: option.Text, Example: "/etc/fluent-bit/client.crt",
		Help: "PEM file with this client's certificate and what is between it and the authority."},
	{Name: "ssl_certificate_pem", Kind: option.Text, Secret: true, Help: "The same as text."},
	{Name: "ssl_key_file", Kind: option.Text, Example: "/etc/fluent-bit/client.key",
		Help: "PEM file with its private key: PKCS#8, PKCS#1 or SEC 1."},
	{Name: "ssl_key_pem", Kind: option.Text, Secret: true, Help: "The same as text."},
	{Name: "ssl_key_password", Kind: option.Text, Secret: true,
		Help: "Password of the private key, where it is encrypted: PKCS#8 with PBES2, which is what openssl writes, or the older PEM encryption."},
	{Name: "ssl_server_name", Kind: option.Text, Example: "kafka.example.com",
		Help: "The name that the brokers' certificates must be for, where it is not the host that is connected to."},
	{Name: "ssl_verify", Kind: option.Bool, Default: "on", Help: "Verify the brokers' certificates."},
	{Name: "ssl_verify_hostname", Kind: option.Bool, Default: "on", Help: "Verify that they are for the host that is connected to."},

	// Security: SASL.
	{Name: "sasl_mechanism", Kind: option.Choice, Choices: []string{mechanismPlain, mechanismSCRAM256, mechanismSCRAM512, mechanismOAuth},
		Help: "How this client authenticates."},
	{Name: "sasl_username", Kind: option.Text, Example: "fluent-bit", Help: "For PLAIN and SCRAM."},
	{Name: "sasl_password", Kind: option.Text, Secret: true, Help: "For PLAIN and SCRAM."},
	{Name: "sasl_password_file", Kind: option.Text, Example: "/run/secrets/kafka-password",
		Help: "File with the password, which is read again for each connection; the line break at its end is none of it."},
	{Name: "sasl_oauthbearer_token_file", Kind: option.Text, Example: "/run/secrets/kafka-token",
		Help: "File with the token for OAUTHBEARER, which is read again for each connection."},
	{Name: "sasl_oauthbearer_extensions", Kind: option.Pairs, Secret: true, Example: "logicalCluster=lkc-1,identityPoolId=pool-1",
		Help: "SASL extensions that go with the token."},

	// What cannot be delivered.
	{Name: "dead_letter_topic", Kind: option.Text, Example: "logs-dead-letters",
		Help: "Topic for records that the brokers refuse for their own fault; without it they are dropped, counted and logged."},
	{Name: "dead_letter_max_bytes", Kind: option.Size, Default: "512K", Min: 0, Max: 64 << 20, Example: "64K",
		Help: "How much of such a record's value is kept."},

	// Rate.
	{Name: "rate_limit", Kind: option.Int, Default: "0", Min: 0, Max: math.MaxInt32, Example: "5000",
		Help: "Records per second; chunks above it stay in Fluent Bit's buffer. 0 is no limit."},
	{Name: "rate_limit_burst", Kind: option.Int, Default: "0", Min: 0, Max: math.MaxInt32, Example: "20000",
		Help: "Records that may go at once after a pause; 0 is one second's worth."},
	{Name: "rate_limit_bytes", Kind: option.Size, Default: "0", Min: 0, Max: math.MaxInt32, Example: "1M",
		Help: "The same in bytes per second, before compression."},
	{Name: "rate_limit_bytes_burst", Kind: option.Size, Default: "0", Min: 0, Max: math.MaxInt32, Example: "4M",
		Help: "The same in bytes at once."},

	// Being seen.
	{Name: "listen", Kind: option.Text, Default: listen.Off, Example: "127.0.0.1:2022",
		Help: "Address of /metrics and /healthz; `off` for none."},
	{Name: "web_config_file", Kind: option.Text, Example: "/etc/fluent-bit/web.yml",
		Help: "TLS and authentication for listen, in the form of the Prometheus exporters."},
}
