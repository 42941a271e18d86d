package batch

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"flbgo/shared/option"
)

// section is an [OUTPUT] section: name, value, name, value …
func section(options ...string) option.Getter {
	set := map[string]string{"brokers": "127.0.0.1:1", "topics": "logs"}
	for i := 0; i < len(options); i += 2 {
		set[options[i]] = options[i+1]
	}
	return func(name string) string { return set[name] }
}

// Every row says what it has to, leads to an option that is there, and no key has two of them.
func TestForeignKeys(t *testing.T) {
	seen := map[string]bool{}
	for i := range Options {
		for _, name := range append([]string{Options[i].Name}, Options[i].Aliases...) {
			seen[name] = true
		}
	}
	for i := range foreigns {
		f := &foreigns[i]
		if (f.use == mapped || f.use == bound) != (rowOf(f.target).Name != "") {
			t.Errorf("%v: target %q", f.keys, f.target)
		}
		if (f.use == bound || f.use == accepted || f.use == refused) && f.text == "" || (f.values != nil) != (f.others != "") {
			t.Errorf("%v: says nothing", f.keys)
		}
		if f.values != nil && f.use != accepted || f.form != nil && f.target == "" {
			t.Errorf("%v: has what it has no use for", f.keys)
		}
		for _, key := range f.keys {
			if seen[key] && key != f.target || key != strings.ToLower(key) || key != strings.TrimSpace(key) {
				t.Errorf("%s: is there twice, or not in its plain form", key)
			}
			seen[key] = true
		}
	}
	// What users of Fluent Bit's kafka output have in their sections.
	for _, key := range []string{"brokers", "topics", "topic_key", "dynamic_topic", "format", "message_key", "message_key_field", "timestamp_key",
		"timestamp_format", "queue_full_retries", "gelf_timestamp_key", "schema_str", "client_id", "group_id", "raw_log_key", "aws_msk_iam"} {
		if !seen[key] {
			t.Errorf("%s is not known", key)
		}
	}
}

func TestReadmeForeignKeys(t *testing.T) { checkReadme(t, "other names", compatMarkdown()) }

// What a key becomes.
func TestForeignSettings(t *testing.T) {
	f := func(want string, options ...string) {
		t.Helper()
		v, _ := readOptions(section(options...))
		if err := v.Err(); err != nil {
			t.Errorf("%v: %v", options, err)
		}
		if got := strings.TrimSpace(strings.TrimPrefix(v.Describe(), "brokers=127.0.0.1:1 topics=logs")); got != want {
			t.Errorf("%v: %s\nwant %s", options, got, want)
		}
	}
	f("")
	f("client_id=edge", "rdkafka.client.id", "edge")
	f("brokers=b:1,c:2 topics=logs", "brokers", "", "rdkafka.bootstrap.servers", "b:1,c:2")
	f("brokers=b:1,c:2 topics=logs", "brokers", "", "rdkafka.metadata.broker.list", "b:1,c:2")
	f("compression=none", "rdkafka.compression.codec", "none")
	f("compression=lz4", "rdkafka.compression.type", "lz4")
	f("rdkafka.compression.codec=inherit", "rdkafka.compression.codec", "inherit")
	f("compression_level=9", "rdkafka.compression.level", "9")
	f("rdkafka.compression.level=-1", "rdkafka.compression.level", "-1")
	f("linger=5ms", "rdkafka.linger.ms", "5")
	f("linger=500µs", "rdkafka.queue.buffering.max.ms", "0.5")
	f("linger=5ms", "rdkafka.queue.buffering.max.ms", "5", "rdkafka.linger.ms", "5.0")
	f("linger=0.005", "linger", "0.005", "rdkafka.linger.ms", "5") // the same
	f("required_acks=all", "rdkafka.request.required.acks", "-1")
	f("required_acks=all", "rdkafka.acks", "ALL")
	f("required_acks=1 idempotence=off", "rdkafka.request.required.acks", "1")
	f("required_acks=0 idempotence=off", "rdkafka.acks", "0", "rdkafka.enable.idempotence", "false")
	f("idempotence=on", "rdkafka.enable.idempotence", "true")
	f("batch_max_bytes=65536", "rdkafka.batch.size", "65536")
	f("batch_max_bytes=65536", "rdkafka.message.max.bytes", "65536")
	f("rdkafka.message.max.bytes=10485760", "rdkafka.message.max.bytes", "10485760")
	f("batch_max_bytes=65536 rdkafka.message.max.bytes=10485760", "rdkafka.batch.size", "65536", "rdkafka.message.max.bytes", "10485760")
	f("batch_max_bytes=65536", "rdkafka.batch.size", "100000", "rdkafka.message.max.bytes", "65536")
	f("batch_max_bytes=64K rdkafka.message.max.bytes=65536", "batch_max_bytes", "64K", "rdkafka.message.max.bytes", "65536")
	f("batch_max_records=500", "rdkafka.batch.num.messages", "500")
	f("buffer_max_bytes=104857600", "rdkafka.queue.buffering.max.kbytes", "102400")
	f("request_timeout=5s", "rdkafka.request.timeout.ms", "5000")
	f("rdkafka.socket.timeout.ms=60000", "rdkafka.socket.timeout.ms", "60000")
	f("request_timeout=8s", "rdkafka.socket.timeout.ms", "8000", "rdkafka.request.timeout.ms", "9000")
	f("max_in_flight=1", "rdkafka.max.in.flight", "1")
	f("rdkafka.max.in.flight.requests.per.connection=1000000", "rdkafka.max.in.flight.requests.per.connection", "1000000")
	f("backoff_min=200ms", "rdkafka.retry.backoff.ms", "200")
	f("backoff_min=5s backoff_max=5s", "rdkafka.retry.backoff.ms", "5000")
	f("backoff_min=5s backoff_max=8s", "rdkafka.retry.backoff.ms", "5000", "rdkafka.retry.backoff.max.ms", "8000")
	f("metadata_max_age=1m0s", "rdkafka.topic.metadata.refresh.interval.ms", "60000")
	f("metadata_max_age=1m0s rdkafka.metadata.max.age.ms=180000", "rdkafka.metadata.max.age.ms", "180000", "rdkafka.topic.metadata.refresh.interval.ms", "60000")
	f("metadata_max_age=2s", "rdkafka.metadata.max.age.ms", "2000")
	f("connections_max_idle=1m0s", "rdkafka.connections.max.idle.ms", "60000")
	f("rdkafka.connections.max.idle.ms=0", "rdkafka.connections.max.idle.ms", "0")
	f("connect_timeout=30s", "rdkafka.socket.connection.setup.timeout.ms", "30000")
	f("broker_address_family=v4", "rdkafka.broker.address.family", "v4")
	f("partitioner=murmur2_random", "rdkafka.partitioner", "murmur2_random")
	f("security_protocol=SASL_SSL ssl_ca_file=/ca ssl_key_password=*** ssl_verify=on ssl_verify_hostname=off sasl_mechanism=PLAIN sasl_username=me sasl_password=***",
		"rdkafka.security.protocol", "SASL_SSL", "rdkafka.ssl.ca.location", "/ca", "rdkafka.ssl.key.password", "x", "rdkafka.enable.ssl.certificate.verification", "true",
		"rdkafka.ssl.endpoint.identification.algorithm", "none", "rdkafka.sasl.mechanisms", "PLAIN", "rdkafka.sasl.username", "me", "rdkafka.sasl.password", "y")
	f("rdkafka.ssl.ca.location=probe", "rdkafka.ssl.ca.location", "probe")
	f("sasl_mechanism=plain", "rdkafka.sasl.mechanisms", "PLAIN", "rdkafka.sasl.mechanism", "plain")
	f("sasl_password=***", "sasl_password", "x", "rdkafka.sasl.password", "x")
	f("rdkafka.retries=2147483647 rdkafka.message.timeout.ms=0 rdkafka.socket.keepalive.enable=True",
		"rdkafka.retries", "2147483647", "rdkafka.message.timeout.ms", "0", "rdkafka.socket.keepalive.enable", "True")
	f("format=msgpack", "format", "msgpack")
}

// What cannot be had: the error names the key that the user wrote, and what to do.
func TestForeignErrors(t *testing.T) {
	f := func(want []string, options ...string) {
		t.Helper()
		_, _, err := parseConfig(section(options...))
		if err == nil {
			t.Errorf("%v was accepted", options)
			return
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(want) {
			t.Errorf("%v: %d errors: %v", options, len(lines), err)
			return
		}
		for i, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("%v: %s\nwant %s", options, lines[i], w)
			}
		}
	}
	for format, want := range map[string]string{"gelf": noGELF, "Avro": noAvro, "otlp_json": noOTLP, "OTLP_PROTO": noOTLP} {
		f([]string{"option format: " + want}, "format", format)
	}
	f([]string{`option format: "xml": must be one of json, msgpack, raw`}, "format", "xml")
	f([]string{`option aws_msk_iam: "true": aws_msk_iam is not supported`}, "aws_msk_iam", "true")
	f([]string{`option rdkafka.message.timeout.ms: "30000": a record is never dropped`}, "rdkafka.message.timeout.ms", "30000")
	f([]string{`option rdkafka.linger.ms: "soon": must be a number of milliseconds`}, "rdkafka.linger.ms", "soon")
	f([]string{`option rdkafka.linger.ms: "1h0m0s": must be from 0s to 1m0s, for example: linger 20ms`}, "rdkafka.linger.ms", "3600000")
	f([]string{`option rdkafka.compression.codec: "rot13": must be one of`}, "rdkafka.compression.codec", "rot13")
	f([]string{`option rdkafka.acks: "2": must be one of all, 1, 0`}, "rdkafka.acks", "2")
	f([]string{`option rdkafka.linger.ms: "9": is the same setting as linger, and the two differ`}, "linger", "5ms", "rdkafka.linger.ms", "9")
	f([]string{`option rdkafka.queue.buffering.max.ms: "9": is the same setting as rdkafka.linger.ms`}, "rdkafka.linger.ms", "5", "rdkafka.queue.buffering.max.ms", "9")
	f([]string{`option rdkafka.message.max.bytes: "1000": is less than batch_max_bytes 64K`}, "batch_max_bytes", "64K", "rdkafka.message.max.bytes", "1000")
	f([]string{`option rdkafka.message.max.bytes: "big": must be a whole number`}, "rdkafka.message.max.bytes", "big")
	f([]string{`option rdkafka.sasl.password: is the same setting as sasl_password, and the two differ`}, "security_protocol", "sasl_plaintext", "sasl_mechanism", "PLAIN",
		"sasl_username", "me", "sasl_password", "x", "rdkafka.sasl.password", "y")
	f([]string{"option rdkafka.sasl.password: needs SASL, which security_protocol plaintext has not"}, "rdkafka.sasl.password", "y")
	f([]string{`option rdkafka.ssl.ca.location: "/nowhere": stat /nowhere`}, "rdkafka.security.protocol", "ssl", "rdkafka.ssl.ca.location", "/nowhere")
	f([]string{`option rdkafka.partitioner: "murmur2": sends all records without a key to one partition`}, "rdkafka.partitioner", "murmur2")
	f([]string{"option rdkafka.sasl.mechanism: \"GSSAPI\": GSSAPI (Kerberos) is not supported"}[:1], "rdkafka.sasl.mechanism", "GSSAPI")
	f([]string{`option rdkafka.topic.metadata.refresh.interval.ms: "-1": new partitions`}, "rdkafka.topic.metadata.refresh.interval.ms", "-1")
	f([]string{"option rdkafka.sasl.oauthbearer.client.secret: no token is fetched here"}, "rdkafka.sasl.oauthbearer.client.secret", "hunter2")
}

// No key is ignored: each with a value that it takes is described, and each that is refused, or has another value, ends
// the start with an error that names it.
func TestNoForeignKeyIsIgnored(t *testing.T) {
	for i := range foreigns {
		f := &foreigns[i]
		for _, key := range f.keys {
			if key == f.target {
				continue
			}
			good, bad := "1", ""
			switch {
			case f.use == refused:
				good, bad = "", "x"
			case f.values != nil:
				good, bad = f.values[0], "x"
			case f.use == mapped && f.form == nil && len(rowOf(f.target).Choices) > 0:
				good = rowOf(f.target).Choices[0]
			}
			if good != "" {
				v, notes := readOptions(section(key, good, f.target, ""))
				if d := v.Describe(); !strings.Contains(d, key+"=") && (f.target == "" || !strings.Contains(d, f.target+"=")) {
					t.Errorf("%s %s is not described: %s", key, good, d)
				}
				if f.use == accepted && (len(notes) != 1 || notes[0].level != slog.LevelDebug || !strings.HasPrefix(notes[0].text, key+" "+good+": ")) {
					t.Errorf("%s %s: %v", key, good, notes)
				}
				if err := v.Err(); f.use == accepted && err != nil {
					t.Errorf("%s %s: %v", key, good, err)
				}
			}
			if bad != "" {
				v, _ := readOptions(section(key, bad))
				if err := fmt.Sprint(v.Err()); !strings.Contains(err, "option "+key+": ") || f.secret == strings.Contains(err, `"x"`) {
					t.Errorf("%s %s: %v", key, bad, err)
				}
			}
		}
	}
}

// Sections of Fluent Bit's documentation and of people's questions, with another Name.
func TestSectionsOfTheKafkaOutput(t *testing.T) {
	f := func(want string, options ...string) {
		t.Helper()
		_, described, err := parseConfig(section(options...))
		if err != nil || described != want {
			t.Errorf("%v\n%s\nwant %s", err, described, want)
		}
	}
	f("brokers=192.168.1.3:9092 topics=test", "brokers", "192.168.1.3:9092", "topics", "test")
	f("brokers=127.0.0.1:1 topics=test message_key=key format=raw raw_log_key=payloadkey timestamp_key=@timestamp",
		"topics", "test", "format", "raw", "raw_log_key", "payloadkey", "timestamp_key", "@timestamp", "message_key", "key")
	f("brokers=127.0.0.1:1 topics=test required_acks=1 idempotence=off queue_full_retries=10 rdkafka.log.connection.close=false",
		"topics", "test", "rdkafka.log.connection.close", "false", "rdkafka.request.required.acks", "1", "queue_full_retries", "10")
	f("brokers=127.0.0.1:1 topics=test compression=lz4 linger=100ms buffer_max_bytes=307200000 rdkafka.retries=2147483647 rdkafka.debug=all rdkafka.statistics.interval.ms=60000",
		"topics", "test", "rdkafka.compression.codec", "lz4", "rdkafka.queue.buffering.max.ms", "100", "rdkafka.queue.buffering.max.kbytes", "300000",
		"rdkafka.retries", "2147483647", "rdkafka.statistics.interval.ms", "60000", "rdkafka.debug", "all")
}
