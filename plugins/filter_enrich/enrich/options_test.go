package enrich

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the README's option table and the golden outputs anew")

func TestOptionTable(t *testing.T) {
	for _, bad := range Options.Lint() {
		t.Error(bad)
	}
}

// The README's table is the one that the plugin reads its options by.
func TestReadmeTable(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- options: begin -->\n", "<!-- options: end -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", path, begin, end)
	}
	want := Options.Markdown()
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("the option table of %s is not the current one: go test ./plugins/filter_enrich/enrich -update", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each wrong configuration stops the start with an error that names the option, what is wrong, and what would be right.
func TestOptionErrors(t *testing.T) {
	wrong := func(lines []string, want ...string) {
		t.Helper()
		_, err := New(discard, getter(lines...))
		if err == nil {
			t.Errorf("%q: no error", lines)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error lacks %q:\n%v", lines, w, err)
			}
		}
	}
	l := func(lines ...string) []string { return lines }

	// Values that are not of the option's form.
	wrong(l("attributes checkout"), `option attributes: "checkout"`, "name=value", "attributes service.name=checkout")
	wrong(l("attributes service.name="), "option attributes:", "service.name: the value is missing")
	wrong(l("attributes a=$-"), "option attributes:", "a: only $TAG, $TAG[n], paths")
	wrong(l("attributes a=$"), "option attributes:", "only $TAG")
	wrong(l("attributes a=$TAG[x]"), "option attributes:", "n from 0 to 1000")
	wrong(l("attributes a=$TAG[-1]"), "option attributes:", "n from 0 to 1000")
	wrong(l("attributes a=$TAG[1001]"), "option attributes:", "n from 0 to 1000")
	wrong(l("attributes a=$TAG[1"), "option attributes:", "n from 0 to 1000")
	wrong(l("on_conflict replace"), "option on_conflict:", "keep, overwrite")
	wrong(l("keep_original maybe"), "option keep_original:", "on or off")
	wrong(l("trace w3c=$headers['x"), "option trace:")
	wrong(l("trace w3c=$a..b"), "option trace:")
	wrong(l("rename msg"), `option rename: "msg"`, "name=value", "rename msg=message")
	wrong(l("rename msg="), "option rename:", "a name is missing")
	wrong(l("rename $a['b']=c"), "option rename:", "only top-level fields")
	wrong(l("remove $a['b']"), "option remove:", "only top-level fields")
	wrong(l("durations latency"), `option durations: "latency"`, "name=value")
	wrong(l("level $a['b']"), "option level:", "only top-level fields")
	wrong(l("level_from_status $res['status']"), "option level_from_status:", "only top-level fields")
	wrong(l("level_from_status status", "level off"), "option level_from_status:", "level is off")

	// One name, two uses that would undo each other or come out differently a second time.
	wrong(l("attributes a=1,a=2"), "option attributes:", "a is named twice")
	wrong(l("rename a=b,a=c"), "option rename:", "a is named twice")
	wrong(l("remove a,a"), "option remove:", "a is named twice")
	wrong(l("durations a=b,a=c"), "option durations:", "a is named twice")
	wrong(l("rename a=a"), "option rename:", "a: ")
	wrong(l("rename a=b,b=c"), "option rename:", "b: rename gives this name to another field, but rename gives it another name")
	wrong(l("durations a=a"), "option durations:")
	wrong(l("durations a=b,b=c"), "option durations:")
	wrong(l("rename a=b", "durations b=c"), "option rename:", "durations")
	wrong(l("rename a=b", "durations a=c"), "option durations:", "rename")
	wrong(l("rename a=b", "remove b"), "option rename:", "remove removes it")
	wrong(l("rename a=b", "remove a"), "option rename:", "remove removes it")
	wrong(l("attributes a=1", "remove a"), "option attributes:", "remove removes it")
	wrong(l("attributes a=1", "rename a=b"), "option attributes:", "rename")
	wrong(l("attributes a=1", "durations a=b"), "option attributes:", "durations")
	wrong(l("attributes status=200", "level_from_status status"), "option attributes:", "level_from_status reads it")
	wrong(l("attributes trace_id=x"), "option attributes:", "out of trace")
	wrong(l("attributes traceparent=x"), "option attributes:", "out of trace")
	wrong(l("rename tp=traceparent"), "option rename:", "out of trace")
	wrong(l("rename h=hdr", "trace w3c=$hdr['traceparent']"), "option rename:", "trace reads it")
	wrong(l("remove traceparent"), "option remove:", "leave w3c out of trace")
	wrong(l("remove trace_id"), "option remove:", "leave otel out of trace")
	wrong(l("remove level"), "option level:", "set level to another field or off")
	wrong(l("rename level=severity"), "option level:", "set level to another field or off")
	wrong(l("level_from_status level"), "option level_from_status:")
	wrong(l("attributes level=INFO", "on_conflict overwrite", "level_from_status status"), "option attributes:", "nothing for level_from_status")

	// All at once.
	wrong(l("attributes checkout", "on_conflict replace", "rename msg", "trace w3c=$["),
		"option attributes:", "option on_conflict:", "option rename:", "option trace:")
}

// What a name may be used for more than once.
func TestOptionsTogether(t *testing.T) {
	right := func(lines ...string) {
		t.Helper()
		if _, err := New(discard, getter(lines...)); err != nil {
			t.Errorf("%q: %v", lines, err)
		}
	}
	right()
	right("rename a=c,b=c", "durations d=c,e=c", "attributes c=1")
	right("rename severity=level,code=status", "level_from_status status", "attributes level=info")
	right("rename traceId=trace_id")
	right("trace off", "remove trace_id,traceparent", "attributes span_id=none")
	right("level off", "remove level")
	right("trace w3c=$['a.b']", "rename a=c")
	right(`attributes a=x\,y,b=1=2`)
}
