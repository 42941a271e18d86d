// Package loggen writes application logs as the real loggers write them, and
// keeps a ledger of what it wrote, so that a pipeline that reads the files can
// be held to account: every event carries a sequence number of its stream.
//
// One stream is one file and one goroutine. The bytes of an event come from
// the logging library that its name says (zap, log/slog, logrus, gin) or, for
// programs that are not written in Go (nginx, a Java service, a pipe-separated
// legacy format), from a formatter of this package.
//
// What an event says is a function of seed, stream and sequence number alone;
// only its time is the clock's. (The gin stream also measures: its latency is
// what gin measured.)
//
// Formats without a zone (gin, java) are written in UTC.
package loggen
