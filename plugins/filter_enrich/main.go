// Command filter_enrich is the Fluent Bit filter enrich: service metadata and trace ids for every record. It is built
// with -buildmode=c-shared as a native plugin, because Fluent Bit has no proxy for filters; main is never called.
package main

import (
	"log/slog"

	"flbgo/plugins/filter_enrich/enrich"
	"flbgo/shared/host"
	"flbgo/shared/option"
)

// version is set by the linker.
var version = "dev"

var plugin = host.Filter{
	Name:    "enrich",
	Version: version,
	New: func(log *slog.Logger, get option.Getter) (host.FilterLogic, error) {
		return enrich.New(log, get)
	},
}

func main() {}
