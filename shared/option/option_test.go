package option

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var table = Table{
	{Name: "brokers", Kind: List, Required: true, Example: "a:9092,b:9092", Help: "Addresses."},
	{Name: "flush_timeout", Aliases: []string{"timeout", "wait"}, Kind: Duration, Default: "4s", Min: int64(time.Second), Max: int64(time.Minute), Example: "4s", Help: "How long to wait."},
	{Name: "batch_size", Kind: Size, Default: "1M", Example: "512K", Help: "Bytes."},
	{Name: "tries", Kind: Int, Default: "3", Min: 1, Max: 9, Help: "How often."},
	{Name: "codec", Kind: Choice, Choices: []string{"none", "lz4"}, Default: "lz4", Help: "How to compress."},
	{Name: "strict", Kind: Bool, Help: "Whether to be strict."},
	{Name: "labels", Kind: Pairs, Example: "a=b", Help: "Labels, a|b."},
	{Name: "user", Kind: Text, Help: "Who."},
	{Name: "sasl_password", Kind: Text, Secret: true, Example: "(from the environment)", Help: "The password."},
	{Name: "headers", Kind: Pairs, Secret: true, Example: "Authorization=…", Help: "Headers."},
	{Name: "pin", Kind: Int, Secret: true, Min: 1, Max: 9999, Help: "A number."},
}

// set is what a user has in a section.
type set map[string]string

func (s set) get(name string) string { return s[name] }

// wants holds an error to its lines, each given by parts of it.
func wants(t *testing.T, err error, lines ...[]string) {
	t.Helper()
	if err == nil {
		if len(lines) > 0 {
			t.Errorf("no error, want %q", lines)
		}
		return
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(lines) {
		t.Errorf("%d errors, want %d:\n%v", len(got), len(lines), err)
		return
	}
	for i, parts := range lines {
		for _, p := range parts {
			if !strings.Contains(got[i], p) {
				t.Errorf("%q is not in: %s", p, got[i])
			}
		}
	}
}

func TestLintOfAGoodTable(t *testing.T) {
	if bad := table.Lint(); bad != nil {
		t.Errorf("%q", bad)
	}
}

func TestLint(t *testing.T) {
	f := func(want string, options ...Option) {
		t.Helper()
		for i := range options {
			if options[i].Help == "" {
				options[i].Help = "Help."
			}
		}
		bad := Table(options).Lint()
		if len(bad) != 1 || !strings.Contains(bad[0], want) {
			t.Errorf("%q, want one with %q", bad, want)
		}
	}
	for _, name := range []string{"host", "port", "name", "alias", "workers", "retry_limit", "log_level", "tls_ca", "match", "match_regex", "oauth2_url"} {
		f("the host keeps the name "+name, Option{Name: name})
	}
	f("the host keeps the name TLS.verify", Option{Name: "verify", Aliases: []string{"TLS.verify"}})
	f("the host keeps the name net.timeout", Option{Name: "a", Aliases: []string{"net.timeout"}})
	f("a is named twice", Option{Name: "a"}, Option{Name: "a"})
	f("A is named twice", Option{Name: "a"}, Option{Name: "b", Aliases: []string{"A"}})
	f("not snake_case", Option{Name: "metric-name"})
	f("not snake_case", Option{Name: "Name2"})
	f("not snake_case", Option{})
	f(`"x": must be a whole number`, Option{Name: "a", Kind: Int, Default: "x"})
	f(`"0": must be from 1 to 2`, Option{Name: "a", Kind: Int, Min: 1, Max: 2, Example: "0"})
	f("nothing is from 1 to 0", Option{Name: "a", Kind: Int, Min: 1})
	f("Choices", Option{Name: "a", Kind: Choice})
	f("Choices", Option{Name: "a", Choices: []string{"b"}})
	f("required", Option{Name: "a", Required: true})
	f("required", Option{Name: "a", Required: true, Default: "x", Example: "x"})
	f("secret", Option{Name: "a", Secret: true, Default: "x"})

	if bad := (Table{{Name: "a"}}).Lint(); !slices.Equal(bad, []string{"a: no help"}) {
		t.Errorf("%q", bad)
	}
}

func TestValues(t *testing.T) {
	v := table.Parse(set{"brokers": " a:1 , b:2", "tries": "5", "strict": "on", "labels": "x=1", "user": "  me  "}.get)
	if err := v.Err(); err != nil {
		t.Fatal(err)
	}
	if got := v.List("brokers"); !slices.Equal(got, []string{"a:1", "b:2"}) {
		t.Errorf("brokers %q", got)
	}
	if got := v.Pairs("labels"); !slices.Equal(got, []Pair{{"x", "1"}}) {
		t.Errorf("labels %q", got)
	}
	if v.Int("tries") != 5 || v.Int("batch_size") != 1<<20 || v.Int("pin") != 0 || !v.Bool("strict") ||
		v.Text("user") != "me" || v.Text("codec") != "lz4" || v.Duration("flush_timeout") != 4*time.Second {
		t.Errorf("%+v", v)
	}
	if !v.IsSet("tries") || v.IsSet("codec") || v.IsSet("headers") {
		t.Error("IsSet tells a default from what was set")
	}
	// set to nothing is not set
	if v := table.Parse(set{"brokers": "a", "tries": "  "}.get); v.IsSet("tries") || v.Int("tries") != 3 {
		t.Errorf("tries %d", v.Int("tries"))
	}
}

func TestAliases(t *testing.T) {
	f := func(s set, want time.Duration, lines ...[]string) {
		t.Helper()
		s["brokers"] = "a"
		v := table.Parse(s.get)
		if got := v.Duration("flush_timeout"); got != want {
			t.Errorf("%v: %v, want %v", s, got, want)
		}
		wants(t, v.Err(), lines...)
	}
	f(set{"timeout": "5s"}, 5*time.Second)
	f(set{"wait": "6s"}, 6*time.Second)
	f(set{"timeout": "5s", "wait": "6s"}, 5*time.Second)
	f(set{"flush_timeout": "7s", "timeout": "nonsense"}, 7*time.Second)
	// an error names what the user wrote, and shows the name that is documented
	f(set{"wait": "1h"}, 4*time.Second, []string{`option wait: "1h": must be`, "flush_timeout 4s"})

	v := table.Parse(set{"brokers": "a", "wait": "6s"}.get)
	v.Fail("flush_timeout", "too long")
	wants(t, v.Err(), []string{`option wait: "6s": too long`})
	if !v.IsSet("flush_timeout") {
		t.Error("an alias does not set its option")
	}
}

// Everything is reported at once; a wrong value reads as the default, so that checks across options make sense.
func TestErrorsAreJoined(t *testing.T) {
	v := table.Parse(set{"tries": "0", "codec": "zip", "batch_size": "big", "strict": "perhaps"}.get)
	v.Fail("user", "%w is not there", fmt.Errorf("%q: %w", "me", errSentinel))
	v.Fail("codec", "no luck")
	wants(t, v.Err(),
		[]string{"option brokers is missing", "Addresses.", "brokers a:9092,b:9092"},
		[]string{`option batch_size: "big": must be a size`, "batch_size 512K"},
		[]string{`option tries: "0": must be from 1 to 9`},
		[]string{`option codec: "zip": must be one of none, lz4`},
		[]string{`option strict: "perhaps": must be on or off`},
		[]string{`option user: "me": sentinel is not there`},
		[]string{`option codec: "zip": no luck`},
	)
	if !errors.Is(v.Err(), errSentinel) {
		t.Error("the cause is lost")
	}
	if v.Int("tries") != 3 || v.Text("codec") != "lz4" || v.Int("batch_size") != 1<<20 || v.Bool("strict") {
		t.Errorf("%+v", v)
	}
}

var errSentinel = errors.New("sentinel")

// A secret is in no error and no description, whatever is wrong with it.
func TestSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, s := range []set{
		{"brokers": "a", "sasl_password": secret},
		{"brokers": "a", "headers": "Authorization=" + secret},
		{"brokers": "a", "headers": secret}, // no name=value
		{"brokers": "a", "headers": "a=b,=" + secret},
		{"brokers": "a", "pin": secret},
		{"brokers": "kafka://me:" + secret + "@a:9092"},
		{"brokers": "a:9092,me:" + secret + "@b:9092"},
		{"brokers": "a", "user": "https://me:p@ss,word/" + secret + "@host/x"},
		{"brokers": "a", "tries": "https://" + secret + "@host/x"},
		{"brokers": "a", "tries": "https://me:" + secret + " and more@host/x"},
	} {
		v := table.Parse(s.get)
		v.Fail("sasl_password", "is not accepted")
		v.Fail("headers", "are not accepted")
		v.Fail("brokers", "are not accepted")
		v.Fail("user", "is not accepted")
		for _, text := range []string{v.Err().Error(), v.Describe()} {
			if strings.Contains(text, secret) {
				t.Errorf("%v: %s", s, text)
			}
		}
	}
	wants(t, table.Parse(set{"brokers": "a", "pin": "12345", "headers": "x"}.get).Err(),
		[]string{"option headers: (secret): must be name=value", "(secret) is not"},
		[]string{"option pin: (secret): must be from 1 to 9999"})
}

// A value that is very long does not push out of a log line what is wrong with it.
func TestLongValuesAreCut(t *testing.T) {
	v := table.Parse(set{"brokers": "a", "tries": strings.Repeat("ä", 5000), "user": "x" + strings.Repeat("ä", 5000)}.get)
	v.Fail("user", "is long")
	err := v.Err()
	wants(t, err, []string{"ä\"…: must be a whole number"}, []string{"ä\"…: is long"})
	if len(err.Error()) > 1000 || !utf8.ValidString(err.Error()) {
		t.Errorf("%d bytes: %v", len(err.Error()), err)
	}
}

func TestDescribe(t *testing.T) {
	f := func(s set, want string) {
		t.Helper()
		if got := table.Parse(s.get).Describe(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	f(set{}, "")
	f(set{"user": "me", "brokers": "a,b", "wait": "5s", "sasl_password": "hunter2"},
		"brokers=a,b flush_timeout=5s user=me sasl_password=***")
	f(set{"user": "me and\tyou", "labels": `a="b"`}, `labels="a=\"b\"" user="me and\tyou"`)
	f(set{"user": "two\nlines"}, `user="two\nlines"`)
	f(set{"user": "https://me:hunter2@host/x", "labels": "owner=a@b.c,since=10:30"}, "labels=owner=a@b.c,since=10:30 user=***@host/x")
}

func TestMarkdown(t *testing.T) {
	want := "| option | form | default | what it does |\n|---|---|---|---|\n" +
		"| `brokers` | list | required | Addresses. Example: `a:9092,b:9092`. |\n" +
		"| `flush_timeout` | duration | `4s` | How long to wait. Also read as `timeout`, `wait`. Example: `4s`. |\n" +
		"| `batch_size` | size | `1M` | Bytes. Example: `512K`. |\n" +
		"| `tries` | number | `3` | How often. |\n" +
		"| `codec` | none, lz4 | `lz4` | How to compress. |\n" +
		"| `strict` | on/off | – | Whether to be strict. |\n" +
		"| `labels` | k=v list | – | Labels, a\\|b. Example: `a=b`. |\n" +
		"| `user` | text | – | Who. |\n" +
		"| `sasl_password` | text | – | The password. Example: `(from the environment)`. |\n" +
		"| `headers` | k=v list | – | Headers. Example: `Authorization=…`. |\n" +
		"| `pin` | number | – | A number. |\n"
	if got := table.Markdown(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	got := (Table{{Name: "a", Default: "x|y"}}).Markdown()
	if !strings.Contains(got, "| `a` | text | `x\\|y` |") {
		t.Errorf("a | in a default ends its cell:\n%s", got)
	}
}

// An accessor of the wrong kind, or for a name that is not there, is a mistake in the plugin that its first test shows.
func TestMistakesPanic(t *testing.T) {
	v := table.Parse(set{"brokers": "a"}.get)
	f := func(want string, call func()) {
		t.Helper()
		defer func() {
			if p := fmt.Sprint(recover()); !strings.Contains(p, want) {
				t.Errorf("panic %q, want %q", p, want)
			}
		}()
		call()
	}
	f("option tries is a number, not a string", func() { v.Text("tries") })
	f("option user is a text, not a bool", func() { v.Bool("user") })
	f("option nothing is not in the table", func() { v.Int("nothing") })
	f("option nothing is not in the table", func() { v.IsSet("nothing") })
	f("option nothing is not in the table", func() { v.Fail("nothing", "x") })
	f("option a: default: must be", func() { Table{{Name: "a", Kind: Int, Default: "x"}}.Parse(set{}.get) })
}

func TestKindNames(t *testing.T) {
	for k := Text; k <= Choice; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}
