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

	// Attributes, sources, trace.
	wrong(l("service_name $["), "option service_name:", "service.name:")
	wrong(l("sources x"), `option sources: "x"`, "otel, datadog, kubernetes, ecs, host, container")
	wrong(l("service_from checkout"), "option service_from:", "service_name is for")
	wrong(l("service_from $a[", "naming x", "layout x"), "option service_from:", "option naming:", "option layout:")
	wrong(l("refresh 25h"), "option refresh:")
	wrong(l("trace zipkin"), `option trace: "zipkin"`, "otel, w3c, b3")
	wrong(l("trace w3c,otel"), "option trace:", "otel, whose fields are written, must come first", "keep_original")
	wrong(l("trace otel,elastic", "naming ecs"), "option trace:", "elastic, whose fields")
	wrong(l("generate random"), "option generate:", "from_field $request_id")
	wrong(l("generate from_field $request_id", "trace off"), "option generate:")
	wrong(l("generate from_field $["), "option generate:")
	wrong(l("generate from_field $id", "rename id=request_id"), "option generate:", "rename gives it another name")
	wrong(l("otlp_metadata on", "trace off"), "option otlp_metadata:")
	wrong(l("from_message on", "trace off", "level off"), "option from_message:")
	wrong(l("from_message log", "rename log=message"), "option from_message:", "rename")
	wrong(l("severity_number n", "level off"), "option severity_number:", "level is off")
	wrong(l("severity_number level"), "option severity_number:", "set severity_number to another field")
	wrong(l("attributes severity_number=1"), "option attributes:", "set severity_number")
	wrong(l("listen 127.0.0.1"), "option listen:")
	wrong(l("web_config_file /nonexistent.yml"), "option web_config_file:")
	wrong(l("attributes a=$b,b=1"), "option attributes:", "b: attributes writes it, but attributes reads it")
	wrong(l("attributes a=$trace_id"), "option trace:", "trace_id")
	wrong(l("attributes level=$severity"), "option attributes:", "rename severity=level")
	wrong(l("attributes a=$b", "remove b"), "option attributes:", "remove removes it")
	wrong(l("service_from record", "remove kubernetes"), "option service_from:", "remove removes it")
	wrong(l("layout nested", "attributes service=x,service.name=y"), "option attributes:", "a field and a map at once")
	wrong(l("layout nested", "attributes a.b.c.d.e.f.g.h.i=x"), "option attributes:", "maps in one another")
	wrong(l("under request", "attributes trace_id=x"), "option attributes:", "take request.trace_id for trace context")
	wrong(l("layout nested", "attributes dd.trace_id=x"), "option attributes:", "take dd.trace_id for trace context")
	wrong(l("under res", "remove res"), "option attributes:", "res: ")
	wrong(l("remove X-B3-TraceId"), "option remove:", "leave b3 out of trace")
	wrong(l("rename a=Traceparent"), "option rename:", "leave w3c out of trace")

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
	right("layout nested", "attributes http.route=x,request.id=$request_id")
	right("sources off", "service_from record,$app['name'],$TAG[2]", "service_name x", "attributes service.name=y")
	right("trace w3c,otel", "keep_original on")
	right("trace b3", "remove traceparent,trace_id_x")
	right("trace OTEL,newrelic,w3c=headers.tp", "naming ecs", "trace elastic,otel")
	right("generate from_field request_id", "rename id=request_id")
	right("from_message log", "rename message=log", "attributes a=$log")
	right("layout nested", "under resource", "attributes service.name=x,service.version=y,level=info")
	right("rename traceId=trace_id,spanId=span_id")
	right("severity_number off", "attributes severity_number=1")
	right("trace w3c=$['a.b']", "rename a=c")
	right(`attributes a=x\,y,b=1=2`)
}
