// Command faulty is a plugin for the contract test only: an output and a filter that do, when the tag says so, what the
// real plugins cannot be made to do on purpose. They panic, read memory that is gone, block, and log from goroutines
// that the host does not know. It stands on shared/host exactly as the real ones do; what the test learns here about
// the host package holds for them. It is built with -buildmode=c-shared; main is never called.
package main

import (
	"errors"
	"log/slog"

	"flbgo/shared/host"
	"flbgo/shared/option"
)

var outputPlugin = host.Output{
	Name:        "faulty",
	Description: "misbehaves by tag",
	Version:     "test",
	OnPanic:     host.Retry,
	New: func(log *slog.Logger, get option.Getter) (host.OutputLogic, error) {
		if err := refuse(get); err != nil {
			return nil, err
		}
		o := &outputLogic{log: log}
		if get("isolate") != "" {
			return &isolator{o}, nil
		}
		return o, nil
	},
}

var filterPlugin = host.Filter{
	Name:    "faulty",
	Version: "test",
	New: func(log *slog.Logger, get option.Getter) (host.FilterLogic, error) {
		if err := refuse(get); err != nil {
			return nil, err
		}
		return &filterLogic{log: log}, nil
	},
}

// refuse makes the constructor fail, or panic, where the options ask for it.
func refuse(get option.Getter) error {
	switch get("start") {
	case "errors":
		return errors.Join(errors.New("first: wrong"), errors.New("second: wrong, too"))
	case "panic":
		panic("asked to, at start")
	}
	return nil
}

func main() {}
