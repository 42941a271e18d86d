package confcheck

import (
	"fmt"
	"regexp"
	"strings"
)

// Places of recipes, as the second line of each says after "# Place: ".
const (
	BeforeFilters = "before the filters"
	BehindEnrich  = "behind the filter enrich"
	InsteadKafka  = "in place of the output kafka_batch"
)

var (
	place       = regexp.MustCompile(`(?m)^# Place: (.+)$`)
	kafkaOutput = regexp.MustCompile(`(?m)^\[OUTPUT\]\n    Name +kafka_batch\n(?:    \S.*\n)*`)
)

// WithRecipe returns a classic configuration with text where recipe, the content of a file of conf/recipes, says that it
// belongs: its own sections, or an @INCLUDE of it.
func WithRecipe(conf, recipe, text string) (string, error) {
	m := place.FindStringSubmatch(recipe)
	if m == nil {
		return "", fmt.Errorf("a recipe must say where it belongs: # Place: %s, %s or %s", BeforeFilters, BehindEnrich, InsteadKafka)
	}
	at := -1
	switch m[1] {
	case BeforeFilters:
		at = strings.Index(conf, "\n[FILTER]") + 1
	case BehindEnrich:
		at = strings.Index(conf, "\n[OUTPUT]") + 1
	case InsteadKafka:
		found := kafkaOutput.FindAllStringIndex(conf, -1)
		if len(found) != 1 {
			return "", fmt.Errorf("the configuration has %d outputs kafka_batch, want one", len(found))
		}
		at = found[0][0]
		conf = conf[:at] + conf[found[0][1]:]
	default:
		return "", fmt.Errorf("# Place: %s: must be %s, %s or %s", m[1], BeforeFilters, BehindEnrich, InsteadKafka)
	}
	if at <= 0 {
		return "", fmt.Errorf("the configuration has nothing %s", m[1])
	}
	return conf[:at] + strings.TrimRight(text, "\n") + "\n\n" + conf[at:], nil
}
