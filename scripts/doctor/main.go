// Command doctor reads a user's Fluent Bit configuration, classic or YAML, with what it includes, and says what is wrong
// with it: option names of this project's plugins that are misspelt, which Fluent Bit cannot tell, values that would stop
// the start, settings by which lines are lost, ports that two listeners want. With -migrate it prints instead the sections
// that do here what the configuration's kafka outputs and log_to_metrics filters do.
//
// The exit status is 1 when something has to be mended, 2 when the file cannot be read.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"flbgo/scripts/internal/confcheck"
)

func main() {
	migrate := flag.Bool("migrate", false, "print kafka_batch and field_metrics sections for the kafka outputs and log_to_metrics filters")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: doctor [-migrate] FILE.conf|FILE.yaml")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	os.Exit(run(os.Stdout, os.Stderr, flag.Arg(0), *migrate))
}

func run(out, errs io.Writer, path string, migrate bool) (status int) {
	f, err := confcheck.Open(path)
	if err != nil {
		fmt.Fprintf(errs, "doctor: %v\n", err)
		return 2
	}
	if migrate {
		n := migration{out: out, file: f}.print()
		if n == 0 {
			fmt.Fprintf(errs, "doctor: %s has neither a kafka output nor a log_to_metrics filter\n", path)
			return 2
		}
		return 0
	}
	found := examine(f)
	found.print(out)
	return found.status()
}

// examine makes all checks.
func examine(f *confcheck.File) *findings {
	found := &findings{file: f}
	for _, x := range f.Faults {
		found.all = append(found.all, finding{wrong, x.File, x.Line, x.Text})
	}
	checkOptions(found)
	putInVariables(found)
	checkDelivery(found)
	checkPorts(found)
	return found
}
