package confcheck

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// Every configuration file of the project is one that is understood, and every pipeline keeps every rule.
func TestEveryFileOfTheProject(t *testing.T) {
	kinds := map[Kind]int{}
	err := filepath.WalkDir(filepath.Join(root, "conf"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if filepath.Base(filepath.Dir(path)) == "recipes" {
			return nil // parts of a file; TestRecipes has them
		}
		name, _ := filepath.Rel(root, path)
		if ext := filepath.Ext(path); d.Name() == "logstash.conf" || d.Name() == "compose.yaml" || ext != ".conf" && (ext != ".yaml" || strings.Contains(path, "/kubernetes/") || strings.Contains(path, "/grafana/")) {
			return nil // another package reads it, or another program: e2e has promtool and amtool read conf/prometheus
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := Parse(filepath.ToSlash(name), b)
		if err != nil {
			t.Error(err)
			return nil
		}
		kinds[f.Kind]++
		for _, finding := range Check(f) {
			t.Error(finding)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if kinds[Pipeline] < 4 || kinds[Parsers] < 1 || kinds[Plugins] < 1 || kinds[Metrics] < 1 {
		t.Errorf("found %v, which is less than there must be", kinds)
	}
}

const good = `[SERVICE]
    Flush 0.2
    Grace 5
    Daemon Off
    scheduler.base 1
    scheduler.cap 10
    storage.path ${STATE_DIR}/storage
    storage.max_chunks_up 100
    storage.backlog.mem_limit 300M
    Hot_Reload Off
    Hot_Reload.Ensure_Thread_Safety Off
# a comment
[INPUT]
    Name tail
    Path /a.log*,/b.log*
    Exclude_Path *.gz,*.bz2, *.xz,*.zst,*.zip
    DB ${STATE_DIR}/tail.db
    Read_from_Head On
    Path_Key file
    Offset_Key offset
    Rotate_Wait 86400
    Buffer_Max_Size 1M
    Skip_Long_Lines On
    storage.type filesystem
    storage.pause_on_chunks_overlimit On
[FILTER]
    Name multiline
    Match *
    Buffer Off
[OUTPUT]
    Name field_metrics
    Match *
    Workers 1
    Retry_Limit no_retries
[OUTPUT]
    Name kafka_batch
    Match app.*
    Workers 8
    Retry_Limit no_limits
    storage.total_limit_size 400M
    Flush_Timeout 4s
    Topics logs
    Dead_Letter_Topic logs-dead-letters
    Listen 127.0.0.1:2022
`

const goodForward = `[SERVICE]
    Flush 5
    Grace 5
    scheduler.base 1
    scheduler.cap 10
    storage.path /s
    storage.max_chunks_up 100
    storage.backlog.mem_limit 300M
    Hot_Reload Off
    Hot_Reload.Ensure_Thread_Safety Off
[INPUT]
    Name forward
    Buffer_Max_Size 8M
    storage.type filesystem
    storage.pause_on_chunks_overlimit On
[OUTPUT]
    Name field_metrics
    Match *
    Workers 1
    Retry_Limit no_retries
[OUTPUT]
    Name kafka_batch
    Match *
    Workers 8
    Retry_Limit no_limits
    storage.total_limit_size 400M
    Topics ${KAFKA_TOPIC}
    Dead_Letter_Topic ${KAFKA_TOPIC}-dead-letters
    Listen ${KAFKA_METRICS_LISTEN}
`

const goodYAML = `
service:
  flush: 0.2
  grace: 5
  scheduler.base: 1
  scheduler.cap: 10
  storage.path: ${STATE_DIR}/storage
  storage.max_chunks_up: 100
  storage.backlog.mem_limit: 300M
  hot_reload: off
  hot_reload.ensure_thread_safety: off
pipeline:
  inputs:
    - name: tail
      path: /a.log*
      exclude_path: "*.gz,*.bz2,*.xz,*.zst,*.zip"
      db: /s/tail.db
      db.compare_filename: true
      read_from_head: on
      path_key: file
      offset_key: offset
      rotate_wait: 86400
      buffer_max_size: 1M
      skip_long_lines: off
      storage.type: filesystem
      storage.pause_on_chunks_overlimit: on
      processors:
        logs:
          - name: multiline
            buffer: off
  outputs:
    - name: field_metrics
      match: "*"
      workers: 1
      retry_limit: no_retries
    - name: kafka_batch
      match: "*"
      workers: 8
      retry_limit: no_limits
      storage.total_limit_size: 400M
      flush_timeout: 4s
      topics: logs
      dead_letter_topic: dead
      listen: :2022
`

// Every rule can fail: a good file with one line changed breaks that rule and no other.
func TestEveryRuleCanFail(t *testing.T) {
	broken := map[string]bool{}
	check := func(name, text string) []Finding {
		t.Helper()
		f, err := Parse(name, []byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return Check(f)
	}
	f := func(rule, name, text, from, to string) {
		t.Helper()
		if found := check(name, text); len(found) > 0 {
			t.Fatalf("the good file is not good: %v", found)
		}
		if strings.Count(text, from) != 1 {
			t.Fatalf("%q is %d times in the good file", from, strings.Count(text, from))
		}
		found := check(name, strings.Replace(text, from, to, 1))
		if len(found) == 0 {
			t.Errorf("%q for %q passes, want it to break %q", to, from, rule)
		}
		for _, x := range found {
			if x.Rule.Name != rule {
				t.Errorf("%q for %q breaks %q as well: %v", to, from, x.Rule.Name, x)
			}
			if x.Line == 0 || !strings.HasPrefix(x.String(), name+":") {
				t.Errorf("a finding without its place: %v", x)
			}
			broken[x.Rule.Name] = true
		}
	}
	conf := func(rule, from, to string) { t.Helper(); f(rule, "a.conf", good, from, to) }
	gateway := func(rule, from, to string) { t.Helper(); f(rule, "a.conf", goodForward, from, to) }
	yaml := func(rule, from, to string) { t.Helper(); f(rule, "a.yaml", goodYAML, from, to) }

	conf("known plugins", "    Name multiline\n    Match *\n    Buffer Off", "    Name throttle")
	yaml("known plugins", "name: field_metrics", "name: stdout")
	conf("retry without end", "    Retry_Limit no_limits\n", "")
	conf("retry without end", "Retry_Limit no_limits", "Retry_Limit 10")
	yaml("retry without end", "retry_limit: no_limits", "retry_limit: 1")
	conf("dead letters", "    Dead_Letter_Topic logs-dead-letters\n", "")
	conf("dead letters", "Dead_Letter_Topic logs-dead-letters", "Dead_Letter_Topic logs")
	yaml("dead letters", "      dead_letter_topic: dead\n", "")
	conf("kafka metrics", "    Listen 127.0.0.1:2022\n", "")
	conf("kafka metrics", "Listen 127.0.0.1:2022", "Listen 127.0.0.1:2021")
	conf("kafka metrics", "    Retry_Limit no_retries\n", "    Retry_Limit no_retries\n    Listen 127.0.0.1:2022\n")
	gateway("kafka metrics", "Listen ${KAFKA_METRICS_LISTEN}", "Listen off")
	yaml("kafka metrics", "      listen: :2022\n", "")
	conf("workers", "    Workers 8\n", "")
	yaml("workers", "workers: 8", "workers: 1")
	conf("metrics once", "Workers 1", "Workers 4")
	conf("metrics once", "Retry_Limit no_retries", "Retry_Limit 3")
	conf("retry soon", "scheduler.base 1\n", "scheduler.base 5\n")
	conf("retry soon", "    scheduler.cap 10\n", "")
	yaml("retry soon", "scheduler.cap: 10", "scheduler.cap: 2000")
	conf("on disk", "    storage.path ${STATE_DIR}/storage\n", "")
	conf("on disk", "storage.type filesystem", "storage.type memory")
	yaml("on disk", "      storage.type: filesystem\n", "")
	conf("pause", "storage.pause_on_chunks_overlimit On", "storage.pause_on_chunks_overlimit Off")
	yaml("pause", "      storage.pause_on_chunks_overlimit: on\n", "")
	f("chunks", "a.conf", strings.NewReplacer("400M", "100G", "300M", "100G").Replace(good), "storage.max_chunks_up 100", "storage.max_chunks_up 4000")
	conf("disk limit", "    storage.total_limit_size 400M\n", "")
	conf("disk limit", "storage.total_limit_size 400M", "storage.total_limit_size 300M")
	yaml("disk limit", "storage.total_limit_size: 400M", "storage.total_limit_size: 300M")
	conf("backlog", "    storage.backlog.mem_limit 300M\n", "")
	conf("backlog", "storage.backlog.mem_limit 300M", "storage.backlog.mem_limit 64M")
	conf("second output", "    Name field_metrics\n    Match *\n", "    Name field_metrics\n    Match access.*\n")
	gateway("second output", "[OUTPUT]\n    Name field_metrics\n    Match *\n    Workers 1\n    Retry_Limit no_retries\n", "")
	conf("grace", "Grace 5", "Grace 4")
	conf("grace", "    Grace 5\n", "")
	conf("grace", "Flush_Timeout 4s", "Flush_Timeout 5000ms")
	gateway("grace", "Grace 5", "Grace 3")
	conf("flush", "Flush 0.2", "Flush 1")
	gateway("flush", "Flush 5", "Flush 0.2")
	gateway("flush", "    Flush 5\n", "")
	conf("no daemon", "Daemon Off", "Daemon On")
	conf("no hot reload", "Hot_Reload Off", "Hot_Reload On")
	conf("no hot reload", "    Hot_Reload.Ensure_Thread_Safety Off\n", "")
	yaml("no hot reload", "ensure_thread_safety: off", "ensure_thread_safety: on")
	conf("tail offsets", "    DB ${STATE_DIR}/tail.db\n", "")
	conf("tail offsets", "    Read_from_Head On\n", "")
	input := good[strings.Index(good, "[INPUT]"):strings.Index(good, "[FILTER]")]
	conf("tail offsets", input, input+input)
	conf("tail lines", "Buffer_Max_Size 1M", "Buffer_Max_Size 32K")
	conf("tail lines", "    Skip_Long_Lines On\n", "")
	conf("tail keys", "    Offset_Key offset\n", "")
	yaml("tail keys", "      path_key: file\n", "")
	conf("tail rotation", "/b.log*", "/b.log")
	conf("tail rotation", "*.zst,", "")
	conf("tail rotation", "Rotate_Wait 86400", "Rotate_Wait 5")
	conf("tail names", "    Skip_Long_Lines On\n", "    Skip_Long_Lines On\n    DB.compare_filename On\n")
	yaml("tail names", "      db.compare_filename: true\n", "")
	conf("multiline", "    Skip_Long_Lines On\n", "    Skip_Long_Lines On\n    multiline.parser java\n")
	conf("multiline", "    Buffer Off\n", "")
	yaml("multiline", "            buffer: off", "            buffer: on")
	gateway("forward", "    Buffer_Max_Size 8M\n", "    Buffer_Max_Size 8M\n    Workers 4\n")
	gateway("forward", "Buffer_Max_Size 8M", "Buffer_Max_Size 1M")

	for _, r := range Rules {
		if !broken[r.Name] {
			t.Errorf("nothing here breaks %q", r.Name)
		}
		if r.Why == "" {
			t.Errorf("%q does not say why", r.Name)
		}
	}
}

// What is not understood is an error with its place, so that no file and no part of one escapes the rules.
func TestWhatIsNotUnderstood(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		_, err := Parse(name, []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s:\n%s\ngives %v, want %q", name, text, err, want)
		}
	}
	f("a.txt", good, "neither .conf")
	f("a.conf", "", "neither a pipeline")
	f("a.conf", "# nothing\n", "neither a pipeline")
	f("a.conf", "[INPUT]\n    Name tail\n", "without outputs")
	f("a.conf", "[CUSTOM]\n    Name x\n", "line 1: [CUSTOM] is not known here")
	f("a.conf", "[INPUT\n    Name x\n", "line 1: [INPUT is no section")
	f("a.conf", "    Name x\n", "line 1: a setting before")
	f("a.conf", "[INPUT]\nName x\n", "line 2: settings are indented")
	f("a.conf", "@INCLUDE b.conf\n", "line 1: @INCLUDE b.conf")
	f("a.conf", "[PARSER]\n    Name x\n[INPUT]\n    Name y\n", "line 3: [INPUT] in a file that is a parsers")
	f("a.conf", good+"[SERVICE]\n", "a second [SERVICE]")
	f("a.conf", good+"[OUTPUT]\n    Match *\n", "without a name")
	f("a.conf", strings.Replace(good, "Grace 5", "Grace 5\n    GRACE 1", 1), "line 4: grace is set twice")
	f("a.yaml", "", "empty")
	f("a.yaml", "a: [", "did not find")
	f("a.yaml", "service: [1]\n", "must be a map")
	f("a.yaml", "includes:\n  - b.yaml\n", "includes is not known here")
	f("a.yaml", "env:\n  flush: 1\n", "env is not known here")
	f("a.yaml", "service:\n  flush: 1\n", "neither a pipeline")
	f("a.yaml", "pipeline:\n  inputs:\n    name: x\n", "line 3: must be a list")
	f("a.yaml", "pipeline:\n  customs: []\n", "pipeline.customs is not known here")
	f("a.yaml", goodYAML+"      processors:\n        logs: []\n", "processors of an output run again")
	f("a.yaml", strings.Replace(goodYAML, "        logs:", "        traces:", 1), "processors for traces")
	f("a.yaml", strings.Replace(goodYAML, "db: /s/tail.db", "db: [a, b]", 1), "db must be one value")
	f("a.yaml", strings.Replace(goodYAML, "grace: 5", "<<: *x\n  x: &x {}", 1), "")
}

// The parser filter takes several parsers, in both forms.
func TestSeveralParsers(t *testing.T) {
	for name, text := range map[string]string{
		"a.conf": good + "[FILTER]\n    Name parser\n    Match *\n    Parser a\n    Parser b\n",
		"a.yaml": strings.Replace(goodYAML, "        logs:\n", "        logs:\n          - name: parser\n            parser: [a, b]\n", 1),
	} {
		file, err := Parse(name, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, s := range file.Filters {
			for _, p := range s.Props {
				if several[p.Key] {
					got = append(got, p.Value)
				}
			}
		}
		if strings.Join(got, " ") != "a b" {
			t.Errorf("%s: parsers %v", name, got)
		}
	}
}

func TestValues(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "12": 12, "32K": 32_000, "1M": 1_000_000, "1mb": 1_000_000, "12G": 12_000_000_000,
		"": -1, "M": -1, "-1": -1, "1T": -1, "1.5M": -1, "9223372036854775807G": -1,
	} {
		if got := size(s); got != want {
			t.Errorf("size %q is %d, want %d", s, got, want)
		}
	}
}
