package batch

import (
	"fmt"
	"strings"
	"testing"

	"flbgo/shared/chunk"
)

func TestTopic(t *testing.T) {
	f := func(name string, body []byte, want string, why unusable, options ...string) {
		t.Run(name, func(t *testing.T) {
			got := encodeRecord(t, modern(body, nil), "kube.shop.web", append([]string{"topics", "logs,audit"}, options...)...)
			if got.topic != want {
				t.Errorf("%s, want %s", got.topic, want)
			}
			for u := topicAbsent; u < unusables; u++ {
				if n := got.counts.topics[u]; (n == 1) != (u == why) {
					t.Errorf("%s: %d", u, n)
				}
			}
		})
	}
	k := pairs("kubernetes", pairs("namespace_name", "shop", "labels", pairs("app.io/team", "pay")), "level", "warn", "n", 7, "bad", "a/b", "nil", nil,
		"empty", "", "t", "audit", "other", "nobody")
	f("none", k, "logs", topicGood)
	f("constant", k, "all", topicGood, "topic", "all")
	f("nested", k, "logs-shop", topicGood, "topic", "logs-$kubernetes['namespace_name']")
	f("two, and text", k, "a.warn_7-shop", topicGood, "topic", `a.$['level']_$n-$kubernetes["namespace_name"]`)
	f("a name ends at a dot", k, "warn.logs", topicGood, "topic", "$level.logs")
	f("a name with dots", k, "pay", topicGood, "topic", "$kubernetes['labels']['app.io/team']")
	f("tag", k, "kube.shop.web", topicGood, "topic", "$TAG")
	f("parts of the tag", k, "web-kube", topicGood, "topic", "$TAG[2]-$TAG[0]")
	f("tag and field", k, "shop.warn", topicGood, "topic", "$TAG[1].$level")
	f("no such part", k, "logs", topicAbsent, "topic", "x-$TAG[3]")
	f("absent", k, "logs", topicAbsent, "topic", "x-$missing")
	f("nil", k, "logs", topicAbsent, "topic", "x-$nil")
	f("empty", k, "logs", topicAbsent, "topic", "x-$empty")
	f("not a name", k, "logs", topicInvalid, "topic", "x-$bad")
	f("a map", k, "logs", topicInvalid, "topic", "x-$kubernetes")
	f("too long", pairs("a", strings.Repeat("x", 249)), "logs", topicInvalid, "topic", "x-$a")
	f("just not too long", pairs("a", strings.Repeat("x", 247)), "x-"+strings.Repeat("x", 247), topicGood, "topic", "x-$a")
	f("dots", pairs("a", ".."), "logs", topicInvalid, "topic", "$a")
	f("the brokers' own", pairs("a", "__consumer_offsets"), "logs", topicInvalid, "topic", "$a")
	f("put together", pairs("a", "_consumer_offsets"), "logs", topicInvalid, "topic", "_$a")

	f("key", k, "audit", topicGood, "topic_key", "t")
	f("key, the default", pairs("t", "logs"), "logs", topicGood, "topic_key", "t")
	f("key, nested", pairs("a", pairs("b", "audit")), "audit", topicGood, "topic_key", "$a['b']")
	f("key, not listed", k, "logs", topicUnlisted, "topic_key", "other")
	f("key, not listed, dynamic", k, "nobody", topicGood, "topic_key", "other", "dynamic_topic", "on")
	f("key, bad, dynamic", k, "logs", topicInvalid, "topic_key", "bad", "dynamic_topic", "on")
	f("key, internal, dynamic", pairs("t", "__transaction_state"), "logs", topicInvalid, "topic_key", "t", "dynamic_topic", "on")
	f("key, absent", k, "logs", topicAbsent, "topic_key", "missing")
	f("key, a number", k, "7", topicGood, "topic_key", "n", "dynamic_topic", "on")

	f("key before template", k, "audit", topicGood, "topic_key", "t", "topic", "x-$level")
	f("key absent, template", k, "x-warn", topicGood, "topic_key", "missing", "topic", "x-$level")
	f("key absent, template of the tag", k, "x-kube", topicGood, "topic_key", "missing", "topic", "x-$TAG[0]")
	f("key unlisted, template", k, "x-warn", topicUnlisted, "topic_key", "other", "topic", "x-$level")
	f("both absent", k, "logs", topicAbsent, "topic_key", "missing", "topic", "x-$missing")
	f("key unlisted, template absent", k, "logs", topicUnlisted, "topic_key", "other", "topic", "x-$missing")
	f("key absent, template bad", k, "logs", topicInvalid, "topic_key", "missing", "topic", "x-$bad")
	f("excluded from the value", k, "warn", topicGood, "topic", "$level", "exclude_fields", "level")
}

func TestParseTemplate(t *testing.T) {
	bad := func(text, want string) {
		t.Helper()
		if _, err := parseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want …%s…", text, err, want)
		}
	}
	bad("$", "behind $ must be")
	bad("a-$-b", "behind $ must be")
	bad("$TAG[x]", "must be $TAG[n] with n from 0 to 1000")
	bad("$TAG[1001]", "must be $TAG[n]")
	bad("$TAG['a']", "must be $TAG[n]")
	bad("$TAG[1][2]", "must be $TAG[n]")
	bad("$a['b", "is not closed")
	bad("$a[", "is not closed")
	bad("$a['b'x]", "is not closed")
	bad("$[0]", "expected a name in quotes")
	bad("$a[x]", "neither a quoted name nor an index")
	f := func(text string, pieces int) {
		t.Helper()
		p, err := parseTemplate(text)
		if err != nil || len(p) != pieces {
			t.Errorf("%s: %d pieces, %v", text, len(p), err)
		}
	}
	f("", 0)
	f("plain", 1)
	f("a$$b", 1)
	f("$a$b", 2)
	f("$a['x']']'", 2)
	f(`$['it''s']-$a["b"][0]`, 3)
}

// Names of topics are copied once, and a stream that has always new ones comes to an end.
func TestTopicNamesAreBounded(t *testing.T) {
	e := newEncoder(testConfig(t, "topic", "$t"))
	s := e.get()
	var data []byte
	for i := range 1500 {
		data = chunk.AppendEvent(data, 1700000000, 0, nil, pairs("t", fmt.Sprintf("t%d", i%1200)), true)
	}
	e.encode(s, data, "app")
	if len(s.topics) != maxTopics || s.topics[0] != "logs" || s.topics[1] != "t0" || s.counts.topics[topicTooMany] != 201 {
		t.Errorf("%d topics, %d records beyond", len(s.topics), s.counts.topics[topicTooMany])
	}
	for i := range s.entries {
		if n := i % 1200; n < maxTopics-1 && s.topics[s.entries[i].topic] != fmt.Sprintf("t%d", n) {
			t.Fatalf("record %d goes to %s", i, s.topics[s.entries[i].topic])
		}
	}
	for round := range 20 {
		data = data[:0]
		for i := range 900 {
			data = chunk.AppendEvent(data, 1700000000, 0, nil, pairs("t", fmt.Sprintf("r%d-%d", round, i)), true)
		}
		e.encode(s, data, "app")
		if len(s.topics) != 901 || s.topics[900] != fmt.Sprintf("r%d-899", round) {
			t.Fatalf("%d topics", len(s.topics))
		}
		if len(s.known) > maxTopicNames+maxTopics {
			t.Fatalf("%d names are remembered", len(s.known))
		}
	}
}

// The topics are copies: what was encoded from a chunk holds when its memory is another chunk's.
func TestTopicNamesAreOwned(t *testing.T) {
	e := newEncoder(testConfig(t, "topic", "$t"))
	s := e.get()
	data := modern(pairs("t", "first"), nil)
	e.encode(s, data, "app")
	topic := s.topics[1]
	clear(data)
	e.encode(s, modern(pairs("t", "other"), nil), "app")
	if topic != "first" || s.topics[1] != "other" || len(s.topics) != 2 {
		t.Errorf("%s, then %v", topic, s.topics)
	}
}

func TestValidTopic(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if validTopic(name) != want || validTopic([]byte(name)) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	f("a", true)
	f("A-z_0.9", true)
	f(strings.Repeat("x", 249), true)
	f(strings.Repeat("x", 250), false)
	f("", false)
	f(".", false)
	f("..", false)
	f("...", true)
	f("a b", false)
	f("ä", false)
	f("a\x00", false)
}
