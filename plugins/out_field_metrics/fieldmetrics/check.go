package fieldmetrics

import "flbgo/shared/option"

// Check reads the options, and the metrics file if they name one, as a start does, and returns everything that is wrong
// with them, one line each. It is for tools that look at a configuration without starting it.
func Check(get option.Getter) error {
	_, _, err := parseConfig(get)
	return err
}

// Options is the table of all options.
func Options() option.Table { return options }
