package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flbgo/scripts/internal/confcheck"
	"flbgo/scripts/internal/devkafka"
	"flbgo/scripts/internal/fluentbit"
)

// recipe starts the main configuration with a file of conf/recipes included where it belongs, and lines in the log files
// that are named.
func recipe(t *testing.T, h fluentbit.Host, name string, topics []devkafka.Topic, logs map[string]string) *rig {
	t.Helper()
	needFilters(t, h, name)
	text, err := os.ReadFile(filepath.Join(root, "conf/recipes", name))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(filepath.Join(root, "conf/fluent-bit.conf"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := confcheck.WithRecipe(string(conf), string(text), "@INCLUDE recipes/"+name)
	if err != nil {
		t.Fatal(err)
	}
	// The files name each other relative to their folder.
	dir := filepath.Join(t.TempDir(), "conf")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "conf"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "fluent-bit.conf")
	if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRigWith(t, h, path, topics)
	for name, lines := range logs {
		if err := os.WriteFile(filepath.Join(r.Logs, name), []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.startHost()
	return r
}

var filterName = regexp.MustCompile(`(?m)^\[FILTER\]\n    Name +(\S+)`)

// needFilters skips the test on a host that was built without one of the recipe's filters.
func needFilters(t *testing.T, h fluentbit.Host, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "conf/recipes", name))
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.Command(h.Path, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range filterName.FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(help), "\n  "+m[1]+" ") {
			t.Skipf("%s at %s was built without the filter %s: conf/recipes/%s was not tried on it", h, h.Path, m[1], name)
		}
	}
}

// arrive reads all records of a topic, of which there must be n, as objects by their message.
func (r *rig) arrive(topic string, n int) map[string]map[string]any {
	r.t.Helper()
	got := map[string]map[string]any{}
	records := r.topicRecords(n, 15*time.Second, topic)
	time.Sleep(500 * time.Millisecond) // what should not be there would come now
	if again := r.topicRecords(n+1, 500*time.Millisecond, topic); len(again) != n {
		records = again
		r.t.Errorf("topic %s has %d records, want %d", topic, len(records), n)
	}
	for _, rec := range records {
		var m map[string]any
		if err := json.Unmarshal(rec.Value, &m); err != nil {
			r.t.Fatal(err)
		}
		message, _ := m["message"].(string)
		got[message] = m
	}
	return got
}

// mustBeMessages fails unless the messages are these.
func mustBeMessages(t *testing.T, got map[string]map[string]any, want ...string) {
	t.Helper()
	var names []string
	for m := range got {
		names = append(names, m)
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("what arrives is\n%q, want\n%q", names, want)
	}
}

// jsonLines makes lines of a JSON log, a millisecond apart.
func jsonLines(fields ...map[string]any) string {
	var b strings.Builder
	at := time.Now()
	for i, f := range fields {
		b.WriteString(logLine(at.Add(time.Duration(i)*time.Millisecond), f) + "\n")
	}
	return b.String()
}

func TestRecipeOnlyWarnings(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		r := recipe(t, h, "only-warnings.conf", nil, map[string]string{"zap.log": jsonLines(
			map[string]any{"level": "debug", "msg": "a debug line"},
			map[string]any{"level": "info", "msg": "an info line"},
			map[string]any{"level": "warning", "msg": "a warning"},
			map[string]any{"level": "error", "msg": "an error"},
			map[string]any{"level": "fatal", "msg": "the end"},
			map[string]any{"msg": "no level"},
		)})
		mustBeMessages(t, r.arrive(r.Topic, 4), "a warning", "an error", "the end", "no level")
	})
}

func TestRecipeSampling(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		const kept, other = "4bf92f3577b34da6a3ce929d0e0e4730", "4bf92f3577b34da6a3ce929d0e0e4731"
		r := recipe(t, h, "sampling.conf", nil, map[string]string{"zap.log": jsonLines(
			map[string]any{"level": "info", "msg": "kept, first", "trace_id": kept},
			map[string]any{"level": "debug", "msg": "kept, second", "trace_id": kept},
			map[string]any{"level": "info", "msg": "another, first", "trace_id": other},
			map[string]any{"level": "debug", "msg": "another, second", "trace_id": other},
			map[string]any{"level": "error", "msg": "another, error", "trace_id": other},
			map[string]any{"level": "error", "msg": "kept, error", "trace_id": kept},
			map[string]any{"level": "info", "msg": "no trace"},
		)})
		got := r.arrive(r.Topic, 5)
		mustBeMessages(t, got, "kept, first", "kept, second", "another, error", "kept, error", "no trace")
		for message, m := range got {
			want := any(nil)
			if message == "kept, first" || message == "kept, second" {
				want = "16"
			}
			if m["sample_rate"] != want || m["sampled_out"] != nil {
				t.Errorf("%q stands for %v, want %v: %v", message, m["sample_rate"], want, m)
			}
		}
	})
}

func TestRecipeStackTraces(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		traces := []string{
			"panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.(*Cart).total(0xc000012345)\n\t/app/cart.go:17 +0x1d\nmain.main()\n\t/app/main.go:8 +0x1d\nexit status 2",
			"Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\n    main()\nZeroDivisionError: division by zero",
			"Traceback (most recent call last):\n  File \"app.py\", line 7, in load\n    return d[k]\nKeyError: 'k'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"app.py\", line 9, in <module>\n    load()\nmyapp.errors.LoadError: k",
			"Exception in thread \"main\" java.lang.IllegalStateException: not open\n\tat com.acme.Pay.run(Pay.java:12)\nCaused by: java.io.IOException: closed\n\tat com.acme.Pay.close(Pay.java:31)\n\t... 3 more",
			"java.lang.OutOfMemoryError\n\tat com.acme.Pay.grow(Pay.java:44)",
		}
		lines := []string{"starting up", "listening on :8080", "done"}
		r := recipe(t, h, "stack-traces.conf", nil, map[string]string{
			"stderr.log": lines[0] + "\n" + traces[0] + "\n" + traces[1] + "\n" + lines[1] + "\n" + traces[2] + "\n" + traces[3] + "\n" + traces[4] + "\n" + lines[2] + "\n",
		})
		got := r.arrive(r.Topic, len(traces)+len(lines))
		mustBeMessages(t, got, append(slices.Clone(traces), lines...)...)
		for message, m := range got {
			if want := map[bool]any{true: "ERROR", false: nil}[slices.Contains(traces, message)]; m["level"] != want || m["service.name"] != "checkout" {
				t.Errorf("the level of %q is %v, want %v: %v", message, m["level"], want, m)
			}
		}
	})
}

func TestRecipeTopicsByLevel(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		topics := []devkafka.Topic{{Name: "-INFO", Partitions: 1}, {Name: "-WARN", Partitions: 1}, {Name: "-ERROR", Partitions: 1}}
		r := recipe(t, h, "topics-by-level.conf", topics, map[string]string{"zap.log": jsonLines(
			map[string]any{"level": "info", "msg": "an info line"},
			map[string]any{"level": "warn", "msg": "a warning"},
			map[string]any{"level": "error", "msg": "an error"},
			map[string]any{"level": "info", "msg": "another info line"},
			map[string]any{"msg": "no level"},
		)})
		mustBeMessages(t, r.arrive(r.Topic+"-INFO", 2), "an info line", "another info line")
		mustBeMessages(t, r.arrive(r.Topic+"-WARN", 1), "a warning")
		mustBeMessages(t, r.arrive(r.Topic+"-ERROR", 1), "an error")
		mustBeMessages(t, r.arrive(r.Topic, 1), "no level")
	})
}

func TestRecipeMaskFields(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		r := recipe(t, h, "mask-fields.conf", nil, map[string]string{"zap.log": jsonLines(
			map[string]any{"level": "info", "msg": "signed in", "user": "u1", "password": "hunter2", "authorization": "Basic dTE6aHVudGVyMg=="},
			map[string]any{"level": "info", "msg": "paid", "card_number": "4111 1111 1111 1111"},
			map[string]any{"level": "info", "msg": "viewed", "user": "u2"},
		)})
		got := r.arrive(r.Topic, 3)
		if m := got["signed in"]; m["authorization"] != "masked" || m["user"] != "u1" || m["password"] != nil {
			t.Errorf("%v", m)
		}
		if m := got["paid"]; m["card_number"] != "masked" || m["authorization"] != nil {
			t.Errorf("%v", m)
		}
		if m := got["viewed"]; m["user"] != "u2" || m["card_number"] != nil || m["authorization"] != nil {
			t.Errorf("%v", m)
		}
	})
}

func TestRecipeMaskText(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		r := recipe(t, h, "mask-text.conf", nil, map[string]string{"zap.log": jsonLines(
			map[string]any{"level": "info", "msg": "mail to jo.do+x@example.co.uk, cc ann@example.com", "seq": 9007199254740991, "ratio": 0.5},
			map[string]any{"level": "info", "msg": "card 4111 1111-1111 1111 refused, order 1234567890123 kept"},
			map[string]any{"level": "info", "msg": "sent Authorization: Bearer eyJhbGciOi.J9_x-y/z= ok"},
			map[string]any{"level": "info", "msg": "nothing here at 2026-11-24", "id": 9007199254740993},
		)})
		got := r.arrive(r.Topic, 4)
		mustBeMessages(t, got, "mail to ***@***, cc ***@***", "card ****1111 refused, order 1234567890123 kept",
			"sent Authorization: Bearer *** ok", "nothing here at 2026-11-24")
		for _, rec := range r.topicRecords(4, 5*time.Second, r.Topic) {
			v := string(rec.Value)
			switch {
			case strings.Contains(v, "mail to") && (!strings.Contains(v, `"seq":9007199254740991`) || !strings.Contains(v, `"ratio":0.5`)):
				t.Errorf("numbers have changed: %s", v)
			case strings.Contains(v, "nothing here") && !strings.Contains(v, `"id":9007199254740993`):
				t.Errorf("a record in which nothing is masked has changed: %s", v)
			}
		}
	})
}
