// Package batch is the logic of the kafka_batch output: chunks in, acknowledged Kafka record batches out. It knows
// nothing of Fluent Bit but the form of a chunk.
//
// # The way of a chunk
//
// Flush, on a thread of the host, turns the chunk's records into keys and JSON values in a pooled scratch (encode.go)
// and routes each to a partition (route.go). Only then are they appended to the partitions' open batches, all or none.
// From there on they belong to the partition (partition.go): its goroutine, which exists while there is something to
// send, closes the batch, compresses it (wire.go, frame.go), sends it through the cluster (cluster.go) and acts on the
// answer by its class (classify.go, settle.go). One request is in flight per partition; what is flushed meanwhile rides in the
// next batch. A flush waits for its delivery no longer than flush_timeout and then answers RETRY; the entry that it
// leaves (pending.go) is found by the chunk's next attempt.
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
//   - A buffer that was given to kafka-go is not reused if the request was abandoned.
//   - records taken = acknowledged + dropped + open, at every moment (stats.go).
//   - Nothing is dropped but a record that the broker refuses for its own fault, alone, and a record that makes the
//     encoder panic.
package batch
