// Package kafkacheck reads topics back from Kafka, with a client of its own
// that shares no code with the plugin, and holds them to what loggen says it
// has written: which events are missing, which came more than once, whether
// copies of one event can be told by their record_id, how long events took,
// and whether a record's fields are those of the line.
//
// There are two ways to use a Checker. Live: Follow in a goroutine, and Wrote
// for every batch as it is written; this is how latency is measured, from the
// write(2) of the line to the moment the consumer has the record. Afterwards:
// ReadLedger, then ReadAll, then Report; with a full ledger this compares
// fields as well.
//
// Memory is bounded by the number of events, not by their size: two bits per
// event, eight bytes per event for the hash of its record_id (of the last
// Config.KeepIDs events per stream), eight for the place of its ledger line
// where fields are compared, and 16 bytes per batch that has not arrived yet.
package kafkacheck
