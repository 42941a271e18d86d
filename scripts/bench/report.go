package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"flbgo/scripts/internal/pipeline"
)

// report is all that was measured with one Fluent Bit version, over several calls: a row that is measured again takes the
// place of its predecessor.
type report struct {
	path    string // without extension
	version string
	rows    []Result
}

func loadReport(folder, version string) (*report, error) {
	r := &report{path: filepath.Join(folder, "peers-"+version), version: version}
	b, err := os.ReadFile(r.path + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &r.rows); err != nil {
		return nil, fmt.Errorf("%s.json: %w", r.path, err)
	}
	return r, nil
}

// put keeps the order of the table.
func (r *report) put(res Result) {
	r.rows = slices.DeleteFunc(r.rows, func(o Result) bool { return o.Name == res.Name })
	r.rows = append(r.rows, res)
	names := rowNames()
	slices.SortStableFunc(r.rows, func(a, b Result) int { return slices.Index(names, a.Name) - slices.Index(names, b.Name) })
}

// save writes the JSON, and the Markdown and the chart made from it.
func (r *report) save() error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r.rows, "", "  ")
	if err != nil {
		return err
	}
	md, err := r.markdown()
	if err != nil {
		return err
	}
	return errors.Join(
		replace(r.path+".json", append(b, '\n')),
		replace(r.path+".md", []byte(md)),
		replace(r.path+".svg", []byte(r.chart())))
}

// replace writes a file in one go: an interrupted bench leaves the old one.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (r *report) markdown() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# The plugins beside the built-in ones, Fluent Bit %s\n\n", r.version)
	b.WriteString(r.summary())
	b.WriteByte('\n')
	b.WriteString(method)
	for _, res := range r.rows {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", res.Name, strings.ToUpper(res.What[:1])+res.What[1:])
		b.WriteString(table(res))
		b.WriteByte('\n')
		for _, n := range res.facts() {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	b.WriteString("\n## Configurations\n")
	root, err := pipeline.Root()
	if err != nil {
		return "", err
	}
	files, err := r.files(root)
	if err != nil {
		return "", err
	}
	for _, name := range files {
		text, err := peerFile(root, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n`scripts/bench/peers/%s`\n\n```\n%s```\n", name, text)
	}
	return b.String(), nil
}

// summary is the CPU of all rows.
func (r *report) summary() string {
	var b strings.Builder
	b.WriteString("| | ours | built-in | CPU per record, µs | ratio | targets |\n|---|---|---|---|---|---|\n")
	for _, res := range r.rows {
		m := res.Measures[0] // CPU
		against, ratio := short(m.Builtin.Median), short(m.Ratio.Median)
		if res.Skipped != "" {
			against, ratio = "skipped", "–"
		}
		var targets []string
		for _, m := range res.Measures {
			for _, t := range m.Targets {
				targets = append(targets, m.Name+" "+t)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s : %s | %s | %s |\n", res.Name, res.OursSide.Name, res.BuiltinSide.Name,
			short(m.Ours.Median), against, ratio, strings.Join(targets, "; "))
	}
	return b.String()
}

// method is the same for every row.
const method = "Written by `make bench-peers`; the JSON file beside it has every run. CPU is user and system time of the whole\n" +
	"Fluent Bit process (wait4); a plugin's cost is that less the same of the run with `null.conf` of the same round. records/s\n" +
	"are from the first byte read until the last record is in Kafka (high watermarks), counted at /metrics or, for a filter,\n" +
	"read. Peak RSS is VmHWM. Latency is from before the write(2) of a line until a consumer has its record; the first second is\n" +
	"left out. Numbers are medians with (lowest–highest); a ratio is ours / built-in, taken round by round. The file is in the\n" +
	"page cache, and the broker shares the machine. Compare ratios, not machines.\n"

func table(res Result) string {
	var b strings.Builder
	peer := res.BuiltinSide.Name
	if res.Skipped != "" {
		peer += " (skipped)"
	}
	fmt.Fprintf(&b, "| | %s | %s | ratio | target |\n|---|---|---|---|---|\n", res.OursSide.Name, peer)
	for _, m := range res.Measures {
		builtin, ratio := "–", "–"
		if res.Skipped == "" {
			builtin, ratio = cell(m.Builtin), cell(m.Ratio)
		}
		name := m.Name
		if m.Unit != "" {
			name += ", " + m.Unit
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, cell(m.Ours), builtin, ratio, strings.Join(m.Targets, "; "))
	}
	return b.String()
}

// cell is "1.23 (1.20–1.31)".
func cell(s Stat) string {
	return fmt.Sprintf("%s (%s–%s)", short(s.Median), short(s.Min), short(s.Max))
}

// short has three digits that count.
func short(f float64) string {
	switch a := max(f, -f); {
	case a >= 100:
		return fmt.Sprintf("%.0f", f)
	case a >= 10:
		return fmt.Sprintf("%.1f", f)
	case a >= 1:
		return fmt.Sprintf("%.2f", f)
	default:
		return fmt.Sprintf("%.3f", f)
	}
}

// facts stand below a row's table.
func (res *Result) facts() []string {
	facts := []string{
		fmt.Sprintf("%s, commit %s, %s, %s", res.Time.Format("2006-01-02 15:04 MST"), res.Commit, res.Versions, res.Machine),
		fmt.Sprintf("%d lines of %.0f bytes, %d rounds, `%s`", res.Lines, res.LineBytes, len(res.Ours), res.Command),
		fmt.Sprintf("ours: `%s`", res.OursSide.Command),
	}
	if res.Skipped == "" {
		facts = append(facts, fmt.Sprintf("built-in: `%s`", res.BuiltinSide.Command))
	} else {
		facts = append(facts, "peer skipped: "+res.Skipped)
	}
	if res.Broker != "" {
		facts = append(facts, "broker: "+res.Broker)
	}
	if len(res.OursLatency) > 0 {
		facts = append(facts, fmt.Sprintf("latency: %d lines/s, %d lines, %d times", res.Rate, res.OursLatency[0].Lines, len(res.OursLatency)))
	}
	if res.Floor != "" {
		facts = append(facts, "floor: "+res.Floor)
	}
	if res.Same != "" {
		facts = append(facts, res.Same)
	}
	return append(facts, res.notes()...)
}

// peerFile returns a file of peers/.
func peerFile(root, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, "scripts", "bench", "peers", name))
	return string(b), err
}

var named = regexp.MustCompile(`(?m)^\s*(?:@INCLUDE|Parsers_File|Script)\s+(\S+)`)

// files are the configurations of the rows and what these name, each once, what is named first.
func (r *report) files(root string) (files []string, err error) {
	var add func(name string) error
	add = func(name string) error {
		if slices.Contains(files, name) {
			return nil
		}
		text, err := peerFile(root, name)
		if err != nil {
			return err
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if err := add(m[1]); err != nil {
				return err
			}
		}
		files = append(files, name)
		return nil
	}
	names := []string{null.conf}
	for _, res := range r.rows {
		names = append(names, res.OursSide.Name+".conf")
		if res.Skipped == "" {
			names = append(names, res.BuiltinSide.Name+".conf")
		}
	}
	for _, n := range names {
		if err := add(n); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// text is what the terminal shows of some rows.
func (r *report) text(names []string) string {
	var b strings.Builder
	for _, res := range r.rows {
		if !slices.Contains(names, res.Name) {
			continue
		}
		fmt.Fprintf(&b, "\nFluent Bit %s, %s: %s\n\n%s\n", r.version, res.Name, res.What, table(res))
		for _, f := range res.facts() {
			fmt.Fprintf(&b, "- %s\n", f)
		}
	}
	fmt.Fprintf(&b, "\nsaved: %s.md and .json\n", r.path)
	return b.String()
}
