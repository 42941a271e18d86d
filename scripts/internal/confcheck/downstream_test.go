package confcheck

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func readJSON(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "conf/downstream", name))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

// at follows keys of nested objects.
func at(m map[string]any, keys ...string) any {
	var v any = m
	for _, k := range keys {
		o, _ := v.(map[string]any)
		v = o[k]
	}
	return v
}

// The two stores have the same template; only Elasticsearch's names its lifecycle, which OpenSearch finds by the index's name.
func TestIndexTemplates(t *testing.T) {
	elastic, open := readJSON(t, "index-template-elasticsearch.json"), readJSON(t, "index-template-opensearch.json")
	settings := at(elastic, "template", "settings", "index").(map[string]any)
	if at(settings, "lifecycle", "name") != "logs" {
		t.Error("no lifecycle")
	}
	delete(settings, "lifecycle")
	if !reflect.DeepEqual(elastic, open) {
		t.Error("the templates differ in more than the lifecycle")
	}
	for key, want := range map[string]any{"refresh_interval": "30s", "number_of_replicas": 1.0, "codec": "best_compression"} {
		if settings[key] != want {
			t.Errorf("%s is %v, want %v", key, settings[key], want)
		}
	}
	for field, want := range map[string]string{"level": "keyword", "ts": "date", "duration_ms": "float", "trace_id": "keyword"} {
		if got := at(open, "template", "mappings", "properties", field, "type"); got != want {
			t.Errorf("%s is %v, want %s", field, got, want)
		}
	}
	if at(readJSON(t, "lifecycle-elasticsearch.json"), "policy", "phases", "delete", "actions", "delete") == nil {
		t.Error("nothing is ever deleted")
	}
	states, _ := at(readJSON(t, "lifecycle-opensearch.json"), "policy", "states").([]any)
	names := map[any]bool{}
	for _, s := range states {
		names[at(s.(map[string]any), "name")] = true
	}
	for _, s := range states {
		transitions, _ := s.(map[string]any)["transitions"].([]any)
		for _, next := range transitions {
			if !names[at(next.(map[string]any), "state_name")] {
				t.Errorf("no state %v", next)
			}
		}
	}
}

// Logstash itself is not to be had here. Its file is held to the form of its language, blocks and settings, and to what
// makes one document of each record_id.
func TestLogstash(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "conf/downstream/logstash.conf"))
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	form := regexp.MustCompile(`^(|#.*|\}( else \{)?|if (\[[@\w]+\])+ \{|\w+ \{|\w+ => ("[^"]*"|true|false|\d+|\w+ \{ .* \}|\{ .* \}|\[("[^"]*"(, )?)*\]))$`)
	for i, line := range strings.Split(string(b), "\n") {
		text := strings.TrimSpace(line)
		if !form.MatchString(text) {
			t.Errorf("line %d: %s", i+1, text)
		}
		if strings.HasPrefix(text, "#") {
			continue
		}
		depth += strings.Count(text, "{") - strings.Count(text, "}")
		if depth < 0 {
			t.Errorf("line %d closes what is not open", i+1)
		}
	}
	if depth != 0 {
		t.Errorf("%d blocks are open at the end", depth)
	}
	for _, want := range []string{`decorate_events => "extended"`, `document_id => "%{[@metadata][kafka][headers][record_id]}"`, `index => "logs-%{+YYYY.MM.dd}"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s", want)
		}
	}
}
