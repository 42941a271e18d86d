package batch

// rd are keys of librdkafka, as Fluent Bit's kafka output has them.
func rd(names ...string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = "rdkafka." + name
	}
	return keys
}

const (
	noGELF     = "format gelf is not supported: use format json, and a pipeline or an input downstream that reads JSON"
	noAvro     = "format avro and schema registries are not supported: use format json, or format raw with a field that is encoded already"
	noOTLP     = "the OTLP formats are not supported: use format json with include_metadata on, or Fluent Bit's opentelemetry output"
	noMSK      = "aws_msk_iam is not supported, since its signatures need AWS credentials, which nothing here fetches: use SCRAM-SHA-512, which MSK offers, or TLS with a client certificate"
	noKerberos = "GSSAPI (Kerberos) is not supported: use SCRAM-SHA-512, OAUTHBEARER or TLS with a client certificate"
	noOIDC     = "no token is fetched here: have another process write it, and set sasl_oauthbearer_token_file, which is read again for each connection"
	noCallback = "is set by a program's code, not in a configuration"
	noTxn      = "transactions are not supported: idempotence keeps lost answers from causing duplicates, and record_id tells copies after a restart"
	noPKCS12   = "PKCS#12 is not supported: openssl pkcs12 -in FILE -out client.pem writes PEM for ssl_certificate_file and ssl_key_file"
	noTLSKnobs = "is left to Go's TLS, which speaks 1.2 and 1.3 with the suites that are considered safe"
	noLogs     = "Fluent Bit's Log_Level decides what is logged"
	noConsumer = "is for consumers, of no effect on an output there either"
	inside     = "is about how librdkafka works inside, of no effect on what arrives"
)

// foreigns is every key of Fluent Bit's kafka output (1.8 to 5.1) that is not an option of this one with the same name and
// meaning, and every property of librdkafka 2.15.
var foreigns = []foreign{
	// Fluent Bit's own.
	{keys: []string{"format"}, use: mapped, target: "format", text: "`gelf`, `avro`, `otlp_json` and `otlp_proto` refused",
		form: unless(nil, map[string]string{"gelf": noGELF, "avro": noAvro, "otlp_json": noOTLP, "otlp_proto": noOTLP})},
	{keys: []string{"gelf_timestamp_key", "gelf_host_key", "gelf_short_message_key", "gelf_full_message_key", "gelf_level_key"}, use: refused, text: noGELF},
	{keys: []string{"schema_str", "schema_id", "schema_registry_url", "schema.registry.url", "schema_registry_subject", "schema.registry.subject",
		"schema_registry_version", "schema.registry.version", "schema_registry_http_user", "schema.registry.http.user",
		"schema_registry_framing", "serializer.framing"}, use: refused, text: noAvro},
	{keys: []string{"schema_registry_http_passwd", "schema.registry.http.password", "schema_registry_bearer_token", "schema.registry.bearer.token"},
		use: refused, text: noAvro, secret: true},
	{keys: []string{"otlp_logs_partition_by_resource"}, use: accepted, values: []string{"false", "off", "no", "0"}, text: "as it is", others: noOTLP},
	{keys: []string{"aws_msk_iam"}, use: accepted, values: []string{"false", "off", "no", "0"}, text: "as it is", others: noMSK},
	{keys: []string{"aws_msk_iam_cluster_arn"}, use: refused, text: noMSK},
	{keys: []string{"queue_full_retries"}, use: accepted, text: "no queue fills up; at buffer_max_bytes a chunk is answered RETRY at once, and stays in Fluent Bit's buffer"},
	{keys: []string{"group_id"}, use: accepted, text: noConsumer},

	// Where.
	{keys: rd("bootstrap.servers", "metadata.broker.list"), use: mapped, target: "brokers"},
	{keys: rd("client.id"), use: mapped, target: "client_id"},
	{keys: rd("client.rack"), use: accepted, text: noConsumer},
	{keys: rd("client.dns.lookup"), use: accepted, values: []string{"use_all_dns_ips"}, text: "as it is", others: "all addresses of a name are tried"},
	{keys: rd("broker.address.family"), use: mapped, target: "broker_address_family"},
	{keys: rd("broker.address.ttl"), use: accepted, text: "names are looked up for each connection"},
	{keys: rd("allow.auto.create.topics"), use: accepted, values: []string{"true"}, text: "as it is, and as the brokers' auto.create.topics.enable allows",
		others: "forbid it on the brokers: auto.create.topics.enable=false, or no permission to create"},
	{keys: rd("topic.blacklist"), use: refused, text: "name the topics that records may go to in topics"},
	{keys: rd("partitioner"), use: mapped, target: "partitioner", text: "`consistent_random` and `murmur2_random` are the same; `random`, `consistent`, `murmur2`, `fnv1a` and `fnv1a_random` refused",
		form: unless(nil, map[string]string{
			"random":       "sends records with a key anywhere: partitioner round_robin does, evenly",
			"consistent":   "sends all records without a key to one partition: consistent_random is the same for those with one",
			"murmur2":      "sends all records without a key to one partition: murmur2_random is the same for those with one",
			"fnv1a":        "is not supported: use consistent_random or murmur2_random, after which keys move to other partitions",
			"fnv1a_random": "is not supported: use consistent_random or murmur2_random, after which keys move to other partitions",
		})},
	{keys: rd("sticky.partitioning.linger.ms"), use: accepted, text: "records without a key stick to a partition for a batch"},

	// Delivery.
	{keys: rd("request.required.acks", "acks"), use: mapped, target: "required_acks", text: "`-1` is `all`; other than all without enable.idempotence also sets `idempotence off`, librdkafka's default",
		form: renamed(map[string]string{"-1": "all", "all": "all"})},
	{keys: rd("enable.idempotence"), use: mapped, target: "idempotence", form: boolean},
	{keys: rd("enable.gapless.guarantee"), use: accepted, values: []string{"false"}, text: "as it is", others: "a record that the brokers refuse for its own fault goes to dead_letter_topic, and its neighbours go on"},
	{keys: rd("transactional.id"), use: refused, text: noTxn},
	{keys: rd("transaction.timeout.ms"), use: refused, text: noTxn},
	{keys: rd("compression.codec", "compression.type"), use: mapped, target: "compression", text: "`inherit` is the default", form: renamed(map[string]string{"inherit": ""})},
	{keys: rd("compression.level"), use: mapped, target: "compression_level", text: "`-1` is the codec's default", form: renamed(map[string]string{"-1": ""})},
	{keys: rd("batch.size"), use: mapped, target: "batch_max_bytes", text: "counted before compression"},
	{keys: rd("message.max.bytes"), use: bound, target: "batch_max_bytes", text: "a larger record travels alone, and the brokers decide"},
	{keys: rd("batch.num.messages"), use: mapped, target: "batch_max_records"},
	{keys: rd("linger.ms", "queue.buffering.max.ms"), use: mapped, target: "linger", text: "milliseconds", form: milliseconds},
	{keys: rd("queue.buffering.max.kbytes"), use: mapped, target: "buffer_max_bytes", text: "kilobytes", form: kilobytes},
	{keys: rd("queue.buffering.max.messages"), use: accepted, values: []string{"0"}, text: "as it is", others: "what waits is bounded in bytes: set buffer_max_bytes instead"},
	{keys: rd("queue.buffering.backpressure.threshold"), use: accepted, text: inside},
	{keys: rd("queuing.strategy"), use: accepted, values: []string{"fifo"}, text: "as it is", others: "the order of records is kept"},
	{keys: rd("max.in.flight.requests.per.connection", "max.in.flight"), use: bound, target: "max_in_flight", text: "that counts over all brokers, and of one partition there is never more than one"},
	{keys: rd("request.timeout.ms"), use: mapped, target: "request_timeout", text: "milliseconds", form: milliseconds},
	{keys: rd("socket.timeout.ms"), use: bound, target: "request_timeout", text: "milliseconds", form: milliseconds},
	{keys: rd("retries", "message.send.max.retries"), use: accepted, values: []string{"2147483647"}, text: "as it is: a batch is sent again until a broker decides",
		others: "a batch is sent again until a broker decides, so that nothing is lost to an outage: leave it out"},
	{keys: rd("message.timeout.ms", "delivery.timeout.ms"), use: accepted, values: []string{"0"}, text: "as it is: a record does not expire",
		others: "a record is never dropped for its age, but waits in Fluent Bit's buffer, whose size storage.total_limit_size bounds: leave it out, or set 0"},
	{keys: rd("retry.backoff.ms"), use: mapped, target: "backoff_min", text: "milliseconds", form: milliseconds},
	{keys: rd("retry.backoff.max.ms"), use: mapped, target: "backoff_max", text: "milliseconds", form: milliseconds},
	{keys: rd("delivery.report.only.error", "produce.offset.report"), use: accepted, text: "every acknowledgement is taken account of"},

	// Connections.
	{keys: rd("socket.connection.setup.timeout.ms"), use: mapped, target: "connect_timeout", text: "milliseconds", form: milliseconds},
	{keys: rd("connections.max.idle.ms"), use: mapped, target: "connections_max_idle", text: "milliseconds; `0` is the default", form: func(text string) (string, error) {
		if text == "0" {
			return "", nil
		}
		return milliseconds(text)
	}},
	{keys: rd("topic.metadata.refresh.interval.ms"), use: mapped, target: "metadata_max_age", text: "milliseconds; `-1` refused",
		form: unless(milliseconds, map[string]string{"-1": "new partitions would never be seen: leave it out, or set metadata_max_age 1h"})},
	{keys: rd("metadata.max.age.ms"), use: bound, target: "metadata_max_age", text: "milliseconds", form: milliseconds},
	{keys: rd("topic.metadata.refresh.sparse"), use: accepted, values: []string{"true"}, text: "as it is", others: "only topics that are in use are asked for"},
	{keys: rd("topic.metadata.refresh.fast.interval.ms", "topic.metadata.refresh.fast.cnt"), use: accepted, text: "fresh metadata is asked for at once after an error"},
	{keys: rd("topic.metadata.propagation.max.ms"), use: accepted, text: "records wait for a topic that is not there, for as long as it takes"},
	{keys: rd("metadata.recovery.strategy"), use: accepted, values: []string{"rebootstrap"}, text: "as it is", others: "after an error the brokers of the list are asked again"},
	{keys: rd("metadata.recovery.rebootstrap.trigger.ms"), use: accepted, text: "after an error the brokers of the list are asked again at once"},
	{keys: rd("reconnect.backoff.ms"), use: refused, text: "connections have the same backoff as batches: set backoff_min"},
	{keys: rd("reconnect.backoff.max.ms"), use: refused, text: "connections have the same backoff as batches: set backoff_max"},
	{keys: rd("reconnect.backoff.jitter.ms", "socket.blocking.max.ms"), use: accepted, text: "of no effect there either"},
	{keys: rd("socket.keepalive.enable"), use: accepted, values: []string{"true"}, text: "as it is, every 30 s", others: "dead connections are found by keep-alives: leave it out"},
	{keys: rd("socket.nagle.disable"), use: accepted, values: []string{"true"}, text: "as it is", others: "it would delay requests: leave it out"},
	{keys: rd("socket.max.fails"), use: accepted, values: []string{"1"}, text: "as it is", others: "a connection is closed at its first failure"},
	{keys: rd("socket.send.buffer.bytes", "socket.receive.buffer.bytes"), use: accepted, values: []string{"0"}, text: "as it is", others: "the system sizes its buffers: see net.ipv4.tcp_wmem and tcp_rmem"},
	{keys: rd("receive.message.max.bytes", "message.copy.max.bytes"), use: accepted, text: inside},
	{keys: rd("api.version.request"), use: accepted, values: []string{"true"}, text: "as it is", others: "brokers before 0.10 are not supported"},
	{keys: rd("api.version.request.timeout.ms"), use: accepted, text: "connect_timeout bounds it"},
	{keys: rd("api.version.fallback.ms", "broker.version.fallback"), use: accepted, text: "brokers are asked for their versions"},

	// Security.
	{keys: rd("security.protocol"), use: mapped, target: "security_protocol"},
	{keys: rd("ssl.ca.location"), use: mapped, target: "ssl_ca_file", text: "`probe` is the default", form: renamed(map[string]string{"probe": ""})},
	{keys: rd("ssl.ca.pem"), use: mapped, target: "ssl_ca_pem"},
	{keys: rd("ssl.certificate.location"), use: mapped, target: "ssl_certificate_file"},
	{keys: rd("ssl.certificate.pem"), use: mapped, target: "ssl_certificate_pem"},
	{keys: rd("ssl.key.location"), use: mapped, target: "ssl_key_file"},
	{keys: rd("ssl.key.pem"), use: mapped, target: "ssl_key_pem"},
	{keys: rd("ssl.key.password"), use: mapped, target: "ssl_key_password"},
	{keys: rd("enable.ssl.certificate.verification"), use: mapped, target: "ssl_verify", form: boolean},
	{keys: rd("ssl.endpoint.identification.algorithm"), use: mapped, target: "ssl_verify_hostname", text: "`https` is on, `none` off",
		form: renamed(map[string]string{"https": "on", "none": "off"})},
	{keys: rd("ssl.keystore.location"), use: refused, text: noPKCS12},
	{keys: rd("ssl.keystore.password"), use: refused, text: noPKCS12, secret: true},
	{keys: rd("ssl.crl.location"), use: refused, text: "lists of revoked certificates are not read: revoke by short lifetimes, or by the authority in ssl_ca_file"},
	{keys: rd("ssl.ca.certificate.stores"), use: refused, text: "is for Windows: without ssl_ca_file the system's authorities are used"},
	{keys: rd("ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list", "ssl.providers", "ssl.engine.location", "ssl.engine.id"), use: refused, text: noTLSKnobs},
	{keys: rd("sasl.mechanism", "sasl.mechanisms"), use: mapped, target: "sasl_mechanism", text: "`GSSAPI` refused", form: unless(nil, map[string]string{"gssapi": noKerberos})},
	{keys: rd("sasl.username"), use: mapped, target: "sasl_username"},
	{keys: rd("sasl.password"), use: mapped, target: "sasl_password"},
	{keys: rd("sasl.kerberos.service.name", "sasl.kerberos.principal", "sasl.kerberos.keytab", "sasl.kerberos.min.time.before.relogin"),
		use: refused, text: noKerberos},
	{keys: rd("sasl.kerberos.kinit.cmd"), use: refused, text: noKerberos, secret: true}, // a command may have a password in it
	{keys: rd("sasl.oauthbearer.extensions"), use: mapped, target: "sasl_oauthbearer_extensions"},
	{keys: rd("sasl.oauthbearer.method"), use: accepted, values: []string{"default"}, text: "the token comes from sasl_oauthbearer_token_file", others: noOIDC},
	{keys: rd("enable.sasl.oauthbearer.unsecure.jwt"), use: accepted, values: []string{"false"}, text: "as it is", others: "is for tests"},
	{keys: rd("sasl.oauthbearer.config", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.scope",
		"sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.sub.claim.name", "sasl.oauthbearer.grant.type",
		"sasl.oauthbearer.metadata.authentication.type", "sasl.oauthbearer.assertion.algorithm", "sasl.oauthbearer.assertion.file",
		"sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.jwt.template.file", "sasl.oauthbearer.assertion.claim.aud",
		"sasl.oauthbearer.assertion.claim.exp.seconds", "sasl.oauthbearer.assertion.claim.iss", "sasl.oauthbearer.assertion.claim.jti.include",
		"sasl.oauthbearer.assertion.claim.nbf.seconds", "sasl.oauthbearer.assertion.claim.sub", "https.ca.location", "https.ca.pem"),
		use: refused, text: noOIDC, secret: true}, // a config or a URL may have a secret in it
	{keys: rd("sasl.oauthbearer.client.secret", "sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.assertion.private.key.pem",
		"sasl.oauthbearer.assertion.private.key.passphrase"), use: refused, text: noOIDC, secret: true},

	// Logs, figures, and what only a program can set.
	{keys: rd("debug", "log_level", "log.queue", "log.thread.name", "log.connection.close"), use: accepted, text: noLogs},
	{keys: rd("statistics.interval.ms"), use: accepted, text: "of no effect there either; listen has the figures"},
	{keys: rd("enable.metrics.push"), use: accepted, values: []string{"false"}, text: "as it is", others: "no figures are pushed to the brokers: see listen"},
	{keys: rd("enable.random.seed", "internal.termination.signal"), use: accepted, text: inside},
	{keys: rd("builtin.features", "plugin.library.paths", "test.mock.num.brokers", "test.mock.broker.rtt"), use: refused, text: "is for librdkafka alone, which is not in use here"},
	{keys: rd("enabled_events", "error_cb", "throttle_cb", "stats_cb", "log_cb", "background_event_cb", "socket_cb", "connect_cb", "closesocket_cb", "open_cb",
		"resolve_cb", "opaque", "default_topic_conf", "interceptors", "dr_cb", "dr_msg_cb", "partitioner_cb", "msg_order_cmp", "oauthbearer_token_refresh_cb",
		"ssl.certificate.verify_cb", "ssl_engine_callback_data"), use: refused, text: noCallback},
	{keys: rd("ssl_key", "ssl_certificate", "ssl_ca"), use: refused, text: noCallback, secret: true},

	// Of consumers, which an output may have been copied from.
	{keys: rd("group.id", "group.instance.id", "partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type",
		"group.protocol", "group.remote.assignor", "coordinator.query.interval.ms", "max.poll.interval.ms", "max.poll.records", "enable.auto.commit",
		"auto.commit.enable", "auto.commit.interval.ms", "enable.auto.offset.store", "queued.min.messages", "queued.max.messages.kbytes", "fetch.wait.max.ms",
		"fetch.queue.backoff.ms", "fetch.message.max.bytes", "max.partition.fetch.bytes", "fetch.max.bytes", "fetch.min.bytes", "fetch.error.backoff.ms",
		"offset.store.method", "offset.store.path", "offset.store.sync.interval.ms", "isolation.level", "consume_cb", "rebalance_cb", "offset_commit_cb",
		"enable.partition.eof", "check.crcs", "auto.offset.reset", "consume.callback.max.messages", "share.acknowledgement.mode"), use: accepted, text: noConsumer},
}
