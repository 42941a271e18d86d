package confcheck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every recipe, in conf/fluent-bit.conf at its place, keeps every rule; its first line says what it is for.
func TestRecipes(t *testing.T) {
	conf, err := os.ReadFile(filepath.Join(root, "conf/fluent-bit.conf"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Parse("fluent-bit.conf", conf)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "conf/recipes/*.conf"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d recipes, %v", len(files), err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, recipe := filepath.Base(path), string(b)
		if first, rest, _ := strings.Cut(recipe, "\n"); !strings.HasPrefix(first, "# ") || !strings.HasSuffix(first, ".") || !strings.HasPrefix(rest, "# Place: ") {
			t.Errorf("%s must begin with a line that says what it is for, and one with its place", name)
		}
		whole, err := WithRecipe(string(conf), recipe, recipe)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f, err := Parse(name, []byte(whole))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, finding := range Check(f) {
			t.Error(finding)
		}
		if len(f.Inputs)+len(f.Filters)+len(f.Outputs) == len(plain.Inputs)+len(plain.Filters)+len(plain.Outputs) && !strings.Contains(recipe, InsteadKafka) {
			t.Errorf("%s adds nothing", name)
		}
	}
}

func TestRecipePlaces(t *testing.T) {
	f := func(conf, recipe, want string) {
		t.Helper()
		got, err := WithRecipe(conf, recipe, "X\n")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q in %q is %q, want %q", recipe, conf, got, want)
		}
	}
	const conf = "[INPUT]\n    Name tail\n\n[FILTER]\n    Name enrich\n\n[OUTPUT]\n    Name field_metrics\n\n[OUTPUT]\n    Name kafka_batch\n    Match *\n"
	f(conf, "# Place: "+BeforeFilters+"\n", "[INPUT]\n    Name tail\n\nX\n\n[FILTER]\n    Name enrich\n\n[OUTPUT]\n    Name field_metrics\n\n[OUTPUT]\n    Name kafka_batch\n    Match *\n")
	f(conf, "# Place: "+BehindEnrich+"\n", "[INPUT]\n    Name tail\n\n[FILTER]\n    Name enrich\n\nX\n\n[OUTPUT]\n    Name field_metrics\n\n[OUTPUT]\n    Name kafka_batch\n    Match *\n")
	f(conf, "# Place: "+InsteadKafka+"\n", "[INPUT]\n    Name tail\n\n[FILTER]\n    Name enrich\n\n[OUTPUT]\n    Name field_metrics\n\nX\n\n")
	f("[INPUT]\n", "# Place: "+BehindEnrich+"\n", "the configuration has nothing "+BehindEnrich)
	f("[INPUT]\n", "# Place: "+InsteadKafka+"\n", "the configuration has 0 outputs kafka_batch, want one")
	f(conf, "# Place: below\n", "# Place: below: must be "+BeforeFilters+", "+BehindEnrich+" or "+InsteadKafka)
	f(conf, "# nothing\n", "a recipe must say where it belongs: # Place: "+BeforeFilters+", "+BehindEnrich+" or "+InsteadKafka)
}
