package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ruleFiles are those of conf/prometheus, each with a file of tests beside it.
var ruleFiles = []string{"recording", "alerts"}

// promtool and amtool find nothing wrong with the files that are shipped, and the rules do what their tests say.
func TestPrometheusFiles(t *testing.T) {
	for _, c := range [][]string{
		{"promtool", "check", "config", "prometheus.yml"},
		{"promtool", "check", "rules", "--lint=all", "--lint-fatal", "recording.yml", "alerts.yml"},
		{"promtool", "test", "rules", "recording_test.yml", "alerts_test.yml"},
		{"amtool", "check-config", "alertmanager.yml"},
	} {
		t.Run(strings.Join(c[:len(c)-1], " "), func(t *testing.T) {
			cmd := exec.Command(need(t, c[0]), c[1:]...)
			cmd.Dir = filepath.Join(root, "conf/prometheus")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", c, err, out)
			}
		})
	}
}

// rule is one of a rule file. Fields that are not here stay as they are.
type rule struct {
	Record string         `yaml:"record,omitempty"`
	Alert  string         `yaml:"alert,omitempty"`
	Expr   string         `yaml:"expr"`
	For    string         `yaml:"for,omitempty"`
	Rest   map[string]any `yaml:",inline"`
}

func (r rule) name() string { return r.Record + r.Alert }

// rules is a rule file.
type rules struct {
	Groups []struct {
		Name     string
		Interval string
		Rules    []rule
	}
}

func readRules(t *testing.T, name string) (r rules) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "conf/prometheus", name+".yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Every rule has a test that fails without it, with half of each threshold that it has and, where it has to hold for a
// time, without that.
func TestPrometheusRulesAreTested(t *testing.T) {
	promtool := need(t, "promtool")
	for _, file := range ruleFiles {
		all := readRules(t, file)
		count := 0
		for g, group := range all.Groups {
			if group.Interval != "10s" {
				t.Errorf("the group %s is evaluated every %s, want 10s", group.Name, group.Interval)
			}
			for i, r := range group.Rules {
				count++
				without := r
				without.Expr = "(" + r.Expr + ") and vector(0) > 1"
				broken := []rule{without}
				if r.For != "" {
					at := r
					at.For = ""
					broken = append(broken, at)
				}
				if r.Alert != "" {
					broken = append(broken, halved(r)...)
					for _, label := range []string{"level", "action"} {
						if labels, _ := r.Rest["labels"].(map[string]any); labels[label] == nil {
							t.Errorf("the alert %s has no label %s", r.Alert, label)
						}
					}
				}
				for n, b := range broken {
					t.Run(fmt.Sprintf("%s/%d", r.name(), n), func(t *testing.T) {
						t.Parallel()
						changed := readRules(t, file)
						changed.Groups[g].Rules[i] = b
						if passes(t, promtool, file, r.name(), changed) {
							t.Errorf("the tests of %s.yml pass with\n%s, for: %q", file, b.Expr, b.For)
						}
					})
				}
			}
		}
		if count < 10 {
			t.Errorf("%s.yml has %d rules", file, count)
		}
	}
}

var threshold = regexp.MustCompile(` > [0-9.]+`)

// halved returns the rule with half of each of its thresholds in turn, those of 0 left out.
func halved(r rule) (list []rule) {
	for _, at := range threshold.FindAllStringIndex(r.Expr, -1) {
		n, err := strconv.ParseFloat(r.Expr[at[0]+3:at[1]], 64)
		if err != nil || n == 0 {
			continue
		}
		half := r
		half.Expr = fmt.Sprintf("%s > %v%s", r.Expr[:at[0]], n/2, r.Expr[at[1]:])
		list = append(list, half)
	}
	return list
}

// passes runs the tests of a rule file that name a rule against a changed file. The others would only take time.
func passes(t *testing.T, promtool, file, name string, changed rules) bool {
	t.Helper()
	dir := t.TempDir()
	for _, other := range ruleFiles {
		b, err := os.ReadFile(filepath.Join(root, "conf/prometheus", other+".yml"))
		if other == file && err == nil {
			b, err = yaml.Marshal(struct {
				Groups any `yaml:"groups"`
			}{changed.Groups})
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, other+".yml"), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "conf/prometheus", file+"_test.yml"))
	var tests struct {
		Tests []yaml.Node
		Rest  map[string]any `yaml:",inline"`
	}
	if err == nil {
		err = yaml.Unmarshal(b, &tests)
	}
	if err != nil {
		t.Fatal(err)
	}
	tests.Tests = slices.DeleteFunc(tests.Tests, func(n yaml.Node) bool {
		b, err := yaml.Marshal(&n)
		if err != nil {
			t.Fatal(err)
		}
		return !strings.Contains(string(b), name)
	})
	if b, err = yaml.Marshal(tests); err == nil {
		err = os.WriteFile(filepath.Join(dir, file+"_test.yml"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(promtool, "test", "rules", file+"_test.yml")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	// Anything but a test that fails is a fault of this test.
	if err != nil && !strings.Contains(string(out), "got:") {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	return err == nil
}
