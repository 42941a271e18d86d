package enrich

import (
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// One table of words: what a record's level becomes.
func TestLevelWords(t *testing.T) {
	filter := newFilter(t, "severity_number off")
	f := func(want string, words ...string) {
		t.Helper()
		for _, w := range words {
			if got := applyJSON(t, filter, "t", `{"level":"`+w+`"}`); got != `{"level":"`+want+`"}` {
				t.Errorf("level %q: %s, expected %s", w, got, want)
			}
		}
	}
	f("TRACE", "trace", "Trace", "TRACE", "trc", "FINEST", "Verbose", "VRB", "t")
	f("DEBUG", "debug", "DEBUG", "Debug", "dbg", "FINE", "FINER", "config", "D")
	f("INFO", "info", "INFO", "Info", "Information", "informational", "notice", "NOTICE", "inf", "I", " info ", "INFO ")
	f("WARN", "warn", "WARN", "warning", "WARNING", "Warning", "wrn", "W")
	f("ERROR", "error", "ERROR", "err", "SEVERE", "E", "\\tERROR")
	f("FATAL", "fatal", "FATAL", "critical", "CRITICAL", "crit", "alert", "emerg", "emergency", "panic", "dpanic", "DPANIC", "ftl", "F")

	// Unknown text: its ASCII letters in upper case, nothing else.
	f("AUDIT", "audit", "Audit", "AUDIT", " audit ")
	f("INFO+", "info+")
	f("INFO+1000", "info+1000")
	f("+2", "+2")
	f("NOTICE+2", "notice+2")

	// slog's own words for the levels between its four.
	f("TRACE", "DEBUG-4", "DEBUG-1", "debug-9")
	f("DEBUG", "DEBUG+1", "DEBUG+3", "INFO-1")
	f("INFO", "INFO+2", "info+3", " INFO+1 ", "INFO+0")
	f("WARN", "WARN+3")
	f("ERROR", "ERROR+1")
	f("FATAL", "ERROR+4", "ERROR+100")
	f("INFO", "30", "6", "5")
	f("FATAL", "0", "60")
	f("8", "8")
	f("300", "300")
	f("INFOS", "infos")
	f("üBER", "über")
	f("[INFO]", "[info]")
	f("A WORD THAT IS LONGER THAN ANY", "a word that is longer than any")

	// Text that says nothing stays.
	f("", "")
	f("  ", "  ")
	f("-", "-")
	f("N/A", "N/A")
	f("null", "null")
}

func TestLevelOfStatus(t *testing.T) {
	filter := newFilter(t, "level_from_status status", "severity_number off")
	f := func(status, level string) {
		t.Helper()
		want := `{"status":` + status + `}`
		if level != "" {
			want = `{"status":` + status + `,"level":"` + level + `"}`
		}
		if got := applyJSON(t, filter, "t", `{"status":`+status+`}`); got != want {
			t.Errorf("status %s: %s, expected %s", status, got, want)
		}
	}
	f("100", "INFO")
	f("200", "INFO")
	f("399", "INFO")
	f("400", "WARN")
	f("499", "WARN")
	f("500", "ERROR")
	f("599", "ERROR")
	f("999", "ERROR")
	f(`"200"`, "INFO")
	f(`"404"`, "WARN")
	f(`"503"`, "ERROR")

	// No status.
	f("0", "")
	f("99", "")
	f("1000", "")
	f("-200", "")
	f("200.5", "")
	f(`"200.0"`, "")
	f(`"000"`, "")
	f(`"-"`, "")
	f(`""`, "")
	f(`"20x"`, "")
	f(`"2000"`, "")
	f("null", "")
	f("true", "")
	f("[200]", "")
}

// Some parsers make every number a float.
func TestStatusFloat(t *testing.T) {
	if got := statusOf(msgp.AppendFloat64(nil, 502)); got != 502 {
		t.Errorf("statusOf(502.0) = %d", got)
	}
}

// An attribute named like the level's field is the level of records that have none, in the normal form as well.
func TestLevelAttribute(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		if got := applyJSON(t, newFilter(t, "attributes level="+value, "severity_number off"), "t", `{}`); got != `{"level":"`+want+`"}` {
			t.Errorf("level=%s: %s, expected %s", value, got, want)
		}
	}
	f("info", "INFO")
	f("e", "ERROR")
	f("audit", "AUDIT")
	f("-", "-")
	f("$TAG", "TRACE")
}
