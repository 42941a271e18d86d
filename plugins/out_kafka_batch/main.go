// Command out_kafka_batch is the Fluent Bit output kafka_batch: record batches to Kafka, acknowledged to the host
// only when the broker has them. It is built with -buildmode=c-shared; main is never called.
package main

import (
	"log/slog"

	"flbgo/plugins/out_kafka_batch/batch"
	"flbgo/shared/host"
	"flbgo/shared/option"
)

// version is set by the linker.
var version = "dev"

var plugin = host.Output{
	Name:        "kafka_batch",
	Description: "Record batches to Kafka, acknowledged only when the broker has them",
	Version:     version,
	OnPanic:     host.Retry,
	New: func(log *slog.Logger, get option.Getter) (host.OutputLogic, error) {
		return batch.New(log, get)
	},
}

func main() {}
