//go:build contract

package contract

import (
	"strings"
	"testing"
)

// each runs a test for every generation of the host.
func each(t *testing.T, f func(t *testing.T, g generation)) {
	t.Helper()
	for _, g := range generations {
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			f(t, g)
		})
	}
}

// options are what each plugin needs to start, and no more.
var options = map[string][]string{
	"filter_enrich":     {"attributes=service.name=checkout"},
	"out_field_metrics": {"metric_name=records_total", "listen=127.0.0.1:0"},
	// Nobody listens there: a broker that is away at the start is no reason not to start.
	"out_kafka_batch": {"brokers=127.0.0.1:1", "flush_timeout=100ms"},
}

// An output registers under its name, as a Go proxy.
func TestOutputsRegister(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		for library, name := range map[string]string{"out_field_metrics": "field_metrics", "out_kafka_batch": "kafka_batch"} {
			def := h.open(library)
			if def.text("name") != name || def.number("type") != 2 || def.number("proxy") != 11 {
				t.Errorf("%s registered as %v", library, def.fields)
			}
			if def.text("description") == "" {
				t.Errorf("%s has no description", library)
			}
			h.output(library, library, options[library]...)
			h.do("exit", library)
			h.do("unregister", library)
		}
	})
}

// The host copies its own struct from the filter's symbol. Each generation has another one, and every field must be
// where that host looks for it.
func TestFilterFillsTheStructOfItsHost(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		def := h.open("filter_enrich")
		if def.text("name") != "enrich" || !strings.Contains(def.text("description"), " ") {
			t.Errorf("registered as %v", def.fields)
		}
		if g != v1_8 && def.number("event_type") != 1 {
			t.Errorf("event type %d, want 1, logs", def.number("event_type"))
		}
		if def.number("flags") != 0 || def.number("config_map") != 0 {
			t.Errorf("flags %d, config map %d; want none", def.number("flags"), def.number("config_map"))
		}
		h.filter("f", "filter_enrich", options["filter_enrich"]...)
		if ret := h.do("end", "f").number("ret"); ret != 0 {
			t.Errorf("its exit answered %d", ret)
		}
		if len(h.log("[filter:enrich:enrich.0] started")) != 1 {
			t.Errorf("no line about the start in %q", h.log(""))
		}
	})
}

// The host's name for an instance is in its log lines, its alias where it has one.
func TestInstancesLogUnderTheHostsNames(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.output("a", "faulty")
	h.output("b", "faulty", "alias=orders")
	h.do("native", "faulty", "filter_faulty_plugin")
	h.filter("c", "faulty", "alias=first")
	for _, prefix := range []string{"[output:faulty:faulty.0] ", "[output:faulty:orders] ", "[filter:faulty:first] "} {
		if n := len(h.log(prefix + "started")); n != 1 {
			t.Errorf("%d starts logged as %q in %q", n, prefix, h.log(""))
		}
	}
}

// A configuration that is wrong stops the start, with every error on a line of its own, and a constructor that panics
// stops it too: the host does not run on with half an output.
func TestStartFails(t *testing.T) {
	t.Parallel()
	h := startHost(t, v2_2)
	h.open("faulty")
	h.do("native", "faulty", "filter_faulty_plugin")
	for _, kind := range []string{"output", "filter"} {
		if ret := h.do(kind, "e", "faulty", "start=errors").number("ret"); ret != -1 {
			t.Errorf("%s with errors: its start answered %d", kind, ret)
		}
		prefix := "[" + kind + ":faulty:faulty.0] "
		if len(h.log(prefix+"first: wrong")) != 1 || len(h.log(prefix+"second: wrong, too")) != 1 {
			t.Errorf("%s: both errors should have been logged, each on its line: %q", kind, h.log(""))
		}
		if ret := h.do(kind, "p", "faulty", "start=panic").number("ret"); ret != -1 {
			t.Errorf("%s that panics: its start answered %d", kind, ret)
		}
		if len(h.log("asked to, at start")) == 0 {
			t.Errorf("%s: the panic is not in %q", kind, h.log(""))
		}
	}
}

// An option that is wrong is named, with what is allowed; the real plugins' tables are tested elsewhere, this is the
// way of the message through the host.
func TestStartFailsNamingTheOption(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("out_kafka_batch")
		h.open("out_field_metrics")
		h.open("filter_enrich")
		for _, c := range []struct{ kind, library, option string }{
			{"output", "out_kafka_batch", "brokers="},
			{"output", "out_field_metrics", "max_series=many"},
			{"filter", "filter_enrich", "on_conflict=perhaps"},
		} {
			if ret := h.do(c.kind, c.library, c.library, c.option).number("ret"); ret != -1 {
				t.Errorf("%s with %s: its start answered %d", c.library, c.option, ret)
			}
			name, _, _ := strings.Cut(c.option, "=")
			if len(h.log(name)) == 0 {
				t.Errorf("%s: %s is not named in %q", c.library, name, h.log(""))
			}
		}
	})
}
