package enrich

import "flbgo/shared/option"

// Check reads the options as a start does, and returns everything that is wrong with them, one line each. It is for
// tools that look at a configuration without starting it.
func Check(get option.Getter) error {
	_, _, err := load(get)
	return err
}
