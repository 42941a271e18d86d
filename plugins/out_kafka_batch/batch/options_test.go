package batch

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOptionsTable(t *testing.T) {
	for _, bad := range Options.Lint() {
		t.Error(bad)
	}
}

func TestReadmeOptions(t *testing.T) { checkReadme(t, "options", Options.Markdown()) }

func TestParseConfig(t *testing.T) {
	c := testConfig(t)
	if c.topics[0] != "logs" || c.clientID != "fluent-bit" || c.codec != codecLZ4 || c.batchMaxBytes != 1_000_000 || c.requestTimeout != 10*time.Second ||
		c.flushTimeout != 4*time.Second || c.bufferMaxBytes != 64<<20 || !c.recordID || c.timestamp != timestampDouble || c.keyed {
		t.Errorf("defaults: %+v", c)
	}
	c = testConfig(t, "brokers", "a, b:9093, [::1]:9094, ::1", "topics", "x,y", "record_id", "off", "compression", "none", "flush_timeout", "500ms")
	if got := strings.Join(c.brokers, " "); got != "a:9092 b:9093 [::1]:9094 [::1]:9092" {
		t.Errorf("brokers %s", got)
	}
	if c.topics[0] != "x" || c.recordID || c.codec != codecNone || c.flushTimeout != 500*time.Millisecond {
		t.Errorf("%+v", c)
	}
	c = testConfig(t, "backoff_min", "1s", "backoff_max", "3s", "metadata_max_age", "2m", "rate_limit_bytes", "1M", "rate_limit_bytes_burst", "4M")
	longest := time.Duration(0)
	for range 100 {
		longest = max(longest, c.backoff(0))
	}
	if longest > time.Second || longest < 500*time.Millisecond || c.backoffMax != 3*time.Second || c.metadataMaxAge != 2*time.Minute {
		t.Errorf("%v, %+v", longest, c)
	}
	if l := newLimiter(c.rateConfig); l.records != nil || l.bytes.Limit() != 1<<20 && l.bytes.Limit() != 1e6 || l.bytes.Burst() != 4*int(l.bytes.Limit()) {
		t.Errorf("%+v", c.rateConfig)
	}
	if c, _, err := parseConfig(func(name string) string { return map[string]string{"brokers": "a"}[name] }); err != nil || c.topics[0] != "fluent-bit" {
		t.Errorf("topic %q, %v", c.topics[0], err)
	}
}

// Each error names the option, what it was set to, what is allowed and an example; all come at once.
func TestConfigErrors(t *testing.T) {
	f := func(want []string, options ...string) {
		t.Helper()
		_, _, err := parseConfig(getter(options...))
		if err == nil {
			t.Fatalf("%v was accepted", options)
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(want) {
			t.Errorf("%v: %d errors: %v", options, len(lines), err)
			return
		}
		for i, w := range want {
			if !strings.HasPrefix(lines[i], w) {
				t.Errorf("%v: %s\nwant %s…", options, lines[i], w)
			}
		}
	}
	f([]string{"option brokers is missing"}, "brokers", "")
	// Brokers ${A},${B} with neither set: without an address every flush would panic inside kafka-go.
	f([]string{`option brokers: ",": must name a broker`}, "brokers", ",")
	for _, bad := range []string{"host:0", "host:70000", "host:", ":9092", "http://host", "a:b:c"} {
		f([]string{`option brokers: "` + bad + `": "` + bad + `" must be host:port, for example: brokers kafka-1:9092`}, "brokers", bad)
	}
	f([]string{`option brokers: "user@host": have user names or passwords, which are for sasl_username`}, "brokers", "user@host")
	f([]string{`option brokers: "kafka-1,***@host": have user names or passwords`}, "brokers", "kafka-1,user:hun,ter2@host")
	for _, bad := range []string{"..", "a/b", "ü", strings.Repeat("x", 250)} {
		f([]string{"option topics"}, "topics", bad)
	}
	f([]string{"option topics"}, "topics", "good,not good")
	f([]string{"option timestamp_format"}, "timestamp_format", "rfc822")
	f([]string{"option message_key_field"}, "message_key_field", "$a[")
	f([]string{"option compression", "option batch_max_bytes", "option batch_max_records", "option request_timeout", "option flush_timeout",
		"option buffer_max_bytes", "option brokers"},
		"brokers", "a:b:c", "compression", "zip", "batch_max_bytes", "1", "batch_max_records", "0", "request_timeout", "never",
		"flush_timeout", "1ms", "buffer_max_bytes", "9")
}

// Whatever option is given an address with a password in it, no error shows the password, nor does the line at start.
func TestUserinfoIsNotShown(t *testing.T) {
	var names []string
	for i := range Options {
		names = append(names, Options[i].Name)
	}
	for i := range foreigns {
		names = append(names, foreigns[i].keys...)
	}
	for _, name := range names {
		for _, secret := range []string{"q7zx8y", "q7z,x8y", "q7z x8y", "q7z=x8y", "q7z@x8y", `q7z"x8y`, `q7z\x8y`} {
			set := map[string]string{"brokers": "a:9092", name: "https://me:" + secret + "@host/path"}
			c, described, err := parseConfig(func(name string) string { return set[name] })
			said := fmt.Sprint(described, err, c.notes)
			if strings.Contains(said, "q7z") || strings.Contains(said, "x8y") {
				t.Errorf("%s: %s", name, said)
			}
		}
	}
}
