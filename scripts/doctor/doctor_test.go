package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flbgo/scripts/internal/confcheck"
)

// diagnose runs the program.
func diagnose(t *testing.T, path string, migrate bool) (said string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(&out, &errs, path, migrate)
	return out.String() + errs.String(), status
}

// written puts a configuration into a file of its own.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What the doctor says of a careless file and of what is to be migrated is kept; UPDATE_GOLDEN=1 writes it anew.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file    string
		migrate bool
		status  int
	}{
		{"careless.conf", false, 1},
		{"careless.yaml", false, 1},
		{"builtin.conf", true, 0},
		{"builtin.yaml", true, 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			said, status := diagnose(t, "testdata/"+c.file, c.migrate)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if strings.Contains(said, "never-shown") {
				t.Errorf("a secret is shown:\n%s", said)
			}
			golden := "testdata/" + c.file + ".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(said), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if said != string(want) {
				t.Errorf("got\n%s\nwant\n%s", said, want)
			}
		})
	}
}

// The project's own files have nothing that must be mended.
func TestShippedFiles(t *testing.T) {
	n := 0
	err := filepath.WalkDir("../../conf", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "recipes" {
			return filepath.SkipDir // parts of files
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != ".conf" && filepath.Ext(path) != ".yaml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Contains(b, []byte("kafka_batch")) || !bytes.Contains(bytes.ToLower(b), []byte("retry_limit")) {
			return nil // no pipeline
		}
		n++
		if said, status := diagnose(t, path, false); status != 0 {
			t.Errorf("%s", said)
		}
		return nil
	})
	if err != nil || n < 4 {
		t.Fatalf("%d files, %v", n, err)
	}
}

// What is printed for a section of another plugin is one that starts: its options are all known and right.
func TestMigratedSectionsAreRight(t *testing.T) {
	t.Setenv("KEY_PASSWORD", "")
	said, _ := diagnose(t, "testdata/builtin.conf", true)
	path := written(t, "migrated.conf", "[SERVICE]\n    Flush 1\n[INPUT]\n    Name dummy\n"+strings.ReplaceAll(said, "***", "x"))
	f, err := confcheck.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Outputs) != 2 || f.Outputs[0].Name != "kafka_batch" || f.Outputs[1].Name != "field_metrics" {
		t.Fatalf("%+v", f.Outputs)
	}
	for _, x := range examine(f).all {
		// It has the sections of the outputs alone.
		if x.level == wrong {
			t.Errorf("%s:%d: %s", x.file, x.line, x.text)
		}
	}
}

// Each fault by itself, with what has to be said of it.
func TestFindings(t *testing.T) {
	const (
		service = "[SERVICE]\n    storage.path /s\n    scheduler.base 1\n    scheduler.cap 10\n"
		input   = "[INPUT]\n    Name forward\n    storage.type filesystem\n    storage.pause_on_chunks_overlimit On\n"
		metrics = "[OUTPUT]\n    Name field_metrics\n    Match *\n    Metric_Name a_total\n    Workers 1\n    Retry_Limit no_retries\n"
		kafka   = "[OUTPUT]\n    Name kafka_batch\n    Match *\n    Brokers a:1\n    Topics logs\n    Dead_Letter_Topic d\n    Listen 127.0.0.1:2022\n    Workers 8\n    Retry_Limit no_limits\n"
	)
	good := service + input + metrics + kafka
	f := func(want, text string) {
		t.Helper()
		said, status := diagnose(t, written(t, "f.conf", text), false)
		if want == "" != (status == 0) || !strings.Contains(said, want) {
			t.Errorf("%s: status %d\n%s", want, status, said)
		}
	}
	t.Setenv("DOCTOR_TEST_UNSET", "")
	os.Unsetenv("DOCTOR_TEST_UNSET")
	change := func(from, to string) string {
		t.Helper()
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not there", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	f("", good)
	f("there is no plugin kafka_bach; the nearest is kafka_batch", good+"[OUTPUT]\n    Name kafka_bach\n    Match *\n")
	f("there is no plugin kafka-batch; the nearest is kafka_batch", good+"[OUTPUT]\n    Name kafka-batch\n    Match *\n")
	f("share port 2022 and client_id fluent-bit", good+kafka)
	f("", good+kafka+"    Client_Id other\n")
	f("has no option topicz; the nearest is topics", good+"    Topicz x\n")
	f("topics is set again: only the first, in line 19, is read", good+"    Topics other\n")
	f("has no option xyzzyxyzzy\n", good+"    xyzzyxyzzy 1\n")
	f("needs retry_limit no_limits", change("    Retry_Limit no_limits\n", ""))
	f("needs storage.type filesystem", change("    storage.type filesystem\n", ""))
	f("needs storage.path", change("    storage.path /s\n", ""))
	f("needs Workers, for example 8", change("    Workers 8\n", ""))
	f("tail needs a DB", good+"[INPUT]\n    Name tail\n    Path /a*\n    Skip_Long_Lines On\n    storage.type filesystem\n    storage.pause_on_chunks_overlimit On\n")
	f("both listen at port 2021", change("Listen 127.0.0.1:2022", "Listen 127.0.0.1:2021"))
	f("both listen at port 24224", good+strings.Replace(input, "forward", "http\n    Port 24224", 1))
	f("", good+strings.Replace(metrics, "a_total", "b_total", 1)) // instances of one plugin share their address
	f("the oldest chunks are deleted", good+"    storage.total_limit_size 100M\n")
	f("Hot_Reload On", change("    storage.path", "    Hot_Reload On\n    storage.path"))
	f("must not be a daemon", change("    storage.path", "    Daemon On\n    storage.path"))
	f("needs another output beside it", service+input+kafka)
	f("must be host:port", change("Brokers a:1", "Brokers a:b"))
	f("is no section", good+"[OUTPUT\n")
	// The format, as Fluent Bit reads it: scripts/e2e holds the same faults to real ones.
	f("", strings.ReplaceAll(good, "\n", "\r\n"))
	f("", strings.ReplaceAll(good, "    ", "\t"))
	f("", strings.ReplaceAll(good, "[INPUT]", "[INPUT] # where it comes from"))
	f("4: a tab follows scheduler.cap", change("    scheduler.cap 10", "    scheduler.cap\t10"))
	f("4: scheduler.cap has no value", change("    scheduler.cap 10", "    scheduler.cap"))
	f("4: the indentation is not", change("    scheduler.cap 10", "     scheduler.cap 10"))
	f("4: the indentation is not", change("    scheduler.cap 10", "  # ten\n    scheduler.cap 10"))
	f("[OUTPUT] is indented", good+"    [OUTPUT]\n    Name null\n    Match *\n")
	f("@INCLUDE is indented", good+"    @INCLUDE none.conf\n")
	f("include of none*.conf, which is not there", good+"@INCLUDE none*.conf\n")
	f("include of ${A}.conf, which is not there", "@SET A=f\n"+good+"@INCLUDE ${A}.conf\n") // no variables there
	f("included a second time", good+"@INCLUDE f.conf\n")
	// All names for no limit, variables, and what the service has for all inputs.
	f("", change("    Retry_Limit no_limits\n", "    Retry_Limit False\n"))
	f("", change("    Retry_Limit no_limits\n", "    Retry_Limit off\n"))
	f("needs retry_limit no_limits", change("    Retry_Limit no_limits\n", "    Retry_Limit 0\n"))
	f("", "@SET W=8\n@SET T=filesystem\n"+strings.ReplaceAll(strings.ReplaceAll(good, "Workers 8", "Workers ${W}"), "filesystem", "${T}"))
	f("DOCTOR_TEST_UNSET is not set here", change("Workers 8", "Workers ${DOCTOR_TEST_UNSET}"))
	f("", change("    storage.type filesystem\n", "")+"[SERVICE]\n    storage.type filesystem\n    storage.inherit on\n")
	// One port of two addresses is no clash.
	f("", change("Listen 127.0.0.1:2022", "Listen 127.0.0.2:2021"))
	f("both listen at port 2021", change("Listen 127.0.0.1:2022", "Listen 0.0.0.0:2021"))
}

// What a file includes is looked for where Fluent Bit looks, whatever its name ends with.
func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.conf":       "@INCLUDE parts/input.inc\n@INCLUDE parts/*.part\n",
		"main.yaml":       "includes: [parts/*.yaml]\npipeline:\n  inputs:\n    - name: dummy\n",
		"parts/a.yaml":    "includes: [b.yml]\n",
		"parts/b.yml":     "pipeline:\n  outputs:\n    - name: field_metrics\n      match: '*'\n      metric_name: a\n      oops: 1\n",
		"parts/input.inc": "[INPUT]\n  Name dummy\n@INCLUDE parts/last\n", // of the first file's folder, not of its own
		"parts/last":      "[OUTPUT]\n Name field_metrics\n Match *\n Metric_Name a\n Oops 1\n",
		"parts/1.part":    "[OUTPUT]\n\tName null\n\tMatch *\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, main := range []string{"main.conf", "main.yaml"} {
		said, status := diagnose(t, filepath.Join(dir, main), false)
		if status != 1 || !strings.Contains(said, "has no option oops") || !strings.Contains(said, "\n1 wrong, 0") {
			t.Errorf("%s: status %d\n%s", main, status, said)
		}
	}
}

// Of what is printed nothing is a secret, also where a value is one only in part.
func TestMigratedSecrets(t *testing.T) {
	for value, want := range map[string]string{"${U}never-shown": "***", "never-shown": "***", "${A}${B}": "***", "${PASSWORD}": "${PASSWORD}"} {
		said, status := diagnose(t, written(t, "f.conf", "[INPUT]\n    Name dummy\n[OUTPUT]\n    Name kafka\n    Match *\n    Brokers a:1\n    rdkafka.sasl.password "+value+"\n"), true)
		if status != 0 || strings.Contains(said, "never-shown") || !strings.Contains(said, "sasl_password     "+want+"\n") {
			t.Errorf("%s: status %d\n%s", value, status, said)
		}
	}
}

// A file that cannot be read is told from one with faults.
func TestUnreadable(t *testing.T) {
	for _, path := range []string{"testdata/none.conf", written(t, "a.txt", ""), written(t, "a.yaml", "a: [")} {
		if said, status := diagnose(t, path, false); status != 2 || !strings.Contains(said, "doctor: ") {
			t.Errorf("%s: status %d: %s", path, status, said)
		}
	}
	if said, status := diagnose(t, written(t, "a.conf", "[SERVICE]\n[INPUT]\n    Name a\n"), true); status != 2 || !strings.Contains(said, "neither a kafka output") {
		t.Errorf("status %d: %s", status, said)
	}
}

// The sections that the documentation shows have no option that is not there, and no wrong value.
func TestDocumentedSections(t *testing.T) {
	n := 0
	for _, page := range []string{"README.md", "conf/README.md", "plugins/filter_enrich/README.md", "plugins/out_field_metrics/README.md", "plugins/out_kafka_batch/README.md"} {
		b, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks(string(b)) {
			if !strings.Contains(block, "[OUTPUT]") && !strings.Contains(block, "[FILTER]") {
				continue
			}
			n++
			f, err := confcheck.Open(written(t, "f.conf", block+"\n[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n    Match *\n"))
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
				continue
			}
			for _, x := range examine(f).all {
				// Files that an example names are not here, and what an example leaves out is not its subject.
				if x.level == wrong && !strings.Contains(x.text, "no such file") {
					t.Errorf("%s: %s\n%s", page, x.text, block)
				}
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d sections were found", n)
	}
}

// blocks are the fenced and the indented ones of a page, with no more indentation than the sections need.
func blocks(page string) (out []string) {
	for i, part := range strings.Split(page, "```") {
		if i%2 == 1 {
			_, body, _ := strings.Cut(part, "\n")
			out = append(out, body)
			continue
		}
		var block []string
		for _, line := range append(strings.Split(part, "\n"), "") {
			if rest, ok := strings.CutPrefix(line, "    "); ok {
				block = append(block, rest)
			} else if len(block) > 0 {
				out, block = append(out, strings.Join(block, "\n")), nil
			}
		}
	}
	return out
}
