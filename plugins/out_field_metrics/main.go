// Command out_field_metrics is the Fluent Bit output field_metrics: record fields become Prometheus metrics. It is
// built with -buildmode=c-shared; main is never called.
package main

import (
	"log/slog"

	"flbgo/plugins/out_field_metrics/fieldmetrics"
	"flbgo/shared/host"
	"flbgo/shared/option"
)

// version is set by the linker.
var version = "dev"

var plugin = host.Output{
	Name:        "field_metrics",
	Description: "Prometheus metrics from record fields",
	Version:     version,
	// A chunk is staged before it is committed, so one that panics has counted nothing and would only panic again.
	OnPanic: host.Error,
	New: func(log *slog.Logger, get option.Getter) (host.OutputLogic, error) {
		return fieldmetrics.New(log, get)
	},
}

func main() {}
