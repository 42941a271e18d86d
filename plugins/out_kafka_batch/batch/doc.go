// Package batch is the logic of the kafka_batch output: chunks in, acknowledged Kafka record batches out. It knows
// nothing of Fluent Bit but the form of a chunk.
//
// # The way of a chunk
//
// Flush, on a thread of the host, turns the chunk's records into keys, values and headers in a pooled scratch
// (encode.go, payload.go, headers.go, recordid.go), names their topics (topicname.go) and gives each a partition
// (assign.go). Only then are they appended to the partitions' open batches: all of those whose topic can be written to.
// The others are left for the chunk's next attempt, which takes no more than them.
//
// From there on records belong to the partition (partition.go): its goroutine, which exists while there is something to
// send, closes the batch, compresses it (wire.go, codec.go), hands it to the leader (leader.go) and acts on the answer
// by its class (attempt.go, classify.go, settle.go). One batch is on its way per partition; what is flushed meanwhile
// rides in the next one. What is ready for one leader goes in one request, which writes itself on a connection that
// kafka-go keeps (request.go, cluster.go); metadata is asked for topic by topic (topics.go, topic.go). A flush waits for
// its delivery no longer than flush_timeout and then answers RETRY; the entry that it leaves (pending.go) is found by
// the chunk's next attempt.
//
// Records that brokers refuse for their own fault are taken out of their batch (rewrite.go) and become dead letters
// (deadletter.go), which are a part of the same delivery.
//
// Connections are opened by dialer.go, with TLS (certificates.go) and SASL (sasl.go, oauth.go), whose errors say what to
// look at (security.go). Options are read by config.go after compat.go has put those that Fluent Bit's own output and
// librdkafka have (compatkeys.go) under their names here.
//
// # Invariants
//
//   - A batch that may have reached a broker is sent again with the same bytes and the same sequence until a broker
//     decides. Nothing of its partition is sequenced behind it.
//   - Its records are written anew (split, other timestamps, another partition) only after a definite refusal. If an
//     earlier attempt may have been appended all the same, the partition goes on under a new producer id, so that no
//     other batch is ever taken for that one.
//   - The chunk's memory is not touched after the first wait.
//   - A buffer that is being written to a connection is not reused when its request is given up.
//   - records taken = acknowledged + dead letters + dropped + open, at every moment (stats.go).
//   - Nothing is given up but a record that the broker refuses for its own fault, alone, and a record that makes the
//     encoder panic.
package batch
