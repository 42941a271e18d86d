package fieldmetrics

import (
	"os"
	"path/filepath"
	"testing"

	"flbgo/shared/record"
)

func TestConditions(t *testing.T) {
	f := func(where string, want bool, fields ...any) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "metrics.yaml")
		if err := os.WriteFile(file, []byte("metrics: [{name: a_total, where: "+where+"}]"), 0o644); err != nil {
			t.Fatal(err)
		}
		rules, err := readMetrics(file)
		if err != nil {
			t.Error(err)
			return
		}
		var paths pathList
		var list []matcher
		for i := range rules[0].Where {
			list = append(list, rules[0].Where[i].compile(&paths))
		}
		finder := record.NewFinder(paths.paths...)
		finder.Reset(rec(fields...))
		all := matcher{condition: &condition{Op: opAnd}, list: list}
		if got := all.holds(finder, &scratch{}); got != want {
			t.Errorf("%s of %v: %v", where, fields, got)
		}
	}
	type m = map[string]any

	// numbers compare as numbers, in whichever form they stand
	for _, v := range []any{200, 200.0, "200", "200.0", "2e2", uint8(200), float32(200)} {
		f("{field: a, eq: 200}", true, "a", v)
		f("{field: a, neq: 200}", false, "a", v)
		f("{field: a, gt: 199.5}", true, "a", v)
		f("{field: a, gt: 200}", false, "a", v)
		f("{field: a, gte: 200}", true, "a", v)
		f("{field: a, gte: 201}", false, "a", v)
		f("{field: a, lt: 1e3}", true, "a", v)
		f("{field: a, lt: 200}", false, "a", v)
		f("{field: a, lte: 200}", true, "a", v)
		f("{field: a, lte: -1}", false, "a", v)
		f("{field: a, gte: 200, lt: 300}", true, "a", v)
		f("{field: a, gte: 200, lt: 200}", false, "a", v)
		f("{field: a, in: [100, 200]}", true, "a", v)
		f("{field: a, not_in: [100, 200]}", false, "a", v)
		f("{field: a, in: [100, x]}", false, "a", v)
	}
	f("{field: a, gt: 9}", true, "a", "10") // "10" < "9"
	f("{field: a, eq: 0}", false, "a", "")
	f("{field: a, eq: 0}", false, "a", false)
	f("{field: a, gt: 0}", false, "a", "many")
	f("{field: a, lt: 0}", false, "a", "many")
	f("{field: a, gte: 0}", false, "a", true)

	// text
	f("{field: a, eq: error}", true, "a", "error")
	f("{field: a, eq: error}", false, "a", "Error")
	f("{field: a, neq: error}", true, "a", "Error")
	f(`{field: a, eq: "200"}`, true, "a", 200)
	f(`{field: a, eq: "200"}`, true, "a", "200")
	f(`{field: a, eq: "200"}`, false, "a", "200.0")
	f(`{field: a, eq: "007"}`, false, "a", "7")
	f(`{field: a, eq: ""}`, true, "a", "")
	f("{field: a, eq: true}", true, "a", true)
	f("{field: a, eq: true}", true, "a", "true")
	f("{field: a, eq: true}", false, "a", 1)
	f("{field: a, in: [error, fatal, 5]}", true, "a", "fatal")
	f("{field: a, in: [error, fatal, 5]}", true, "a", "5")
	f("{field: a, not_in: [error, fatal]}", true, "a", "info")

	// regular expressions
	f(`{field: a, regex: "time.?out"}`, true, "a", "a time-out happened")
	f(`{field: a, regex: "^time.?out"}`, false, "a", "a time-out happened")
	f("{field: a, regex: \"^5..$\"}", true, "a", 503)
	f("{field: a, not_regex: ^/healthz}", true, "a", "/a")
	f("{field: a, not_regex: ^/healthz}", false, "a", "/healthz/live")

	// what is not there
	f("{field: a, exists: true}", true, "a", 0)
	f("{field: a, exists: true}", true, "a", "")
	f("{field: a, exists: on}", false, "b", 0)
	f("{field: a, exists: true}", false, "a", nil)
	f("{field: a, exists: false}", true, "a", nil)
	f("{field: a, exists: off}", true)
	f("{field: a, exists: false}", false, "a", 0)
	for _, fields := range [][]any{nil, {"a", nil}, {"b", 1}} {
		for _, op := range []string{"eq: 1", "gt: 1", "lt: 1", "gte: 1", "lte: 1", "in: [1]", "regex: .*", `eq: ""`} {
			f("{field: a, "+op+"}", false, fields...)
		}
		for _, op := range []string{"neq: 1", `neq: ""`, "not_in: [1]", `not_in: [""]`, "not_regex: .*"} {
			f("{field: a, "+op+"}", true, fields...)
		}
	}

	// joined
	f("[{field: a, eq: 1}, {field: b, eq: 2}]", true, "a", 1, "b", 2)
	f("[{field: a, eq: 1}, {field: b, eq: 2}]", false, "a", 1, "b", 3)
	f("{and: [{field: a, eq: 1}, {field: b, eq: 2}]}", true, "a", 1, "b", 2)
	f("{and: [{field: a, eq: 1}, {field: b, eq: 2}]}", false, "a", 2, "b", 2)
	f("{or: [{field: a, eq: 1}, {field: b, eq: 2}]}", true, "a", 1)
	f("{or: [{field: a, eq: 1}, {field: b, eq: 2}]}", true, "b", 2)
	f("{or: [{field: a, eq: 1}, {field: b, eq: 2}]}", false, "a", 2, "b", 1)
	f("{or: [{field: a, eq: 1}], and: [{field: b, eq: 2}]}", false, "a", 1)
	f("{or: [{and: [{field: a, eq: 1}, {field: b, eq: 2}]}, {field: c, exists: on}]}", true, "c", 1)
	// several comparisons in one condition hold all, also inside or
	f("{or: [{field: a, gte: 500, lt: 600}]}", false, "a", 700)

	// paths
	f("{field: $http.status, eq: 200}", true, "http", m{"status": 200})
	f("{field: http.status, eq: 200}", true, "http.status", 200)
	f("{field: \"$list[1]\", eq: b}", true, "list", []any{"a", "b"})
}

func TestEveryOperatorIsAKey(t *testing.T) {
	for _, name := range operatorNames {
		if !conditionKeys.has(name) {
			t.Errorf("%s is not in the table of keys", name)
		}
	}
	if len(operatorNames)+1 != len(conditionKeys) {
		t.Error("a key is no operator")
	}
}
