package fieldmetrics

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a metrics file. Aliases may make it far larger than it is, so that what is made of it is bounded too.
const (
	maxFileSize = 1 << 20
	maxMetrics  = 1000
	maxItems    = 10_000 // of a list or a mapping
	maxNodes    = 200_000
)

// metricsFile is a file of metrics that is being read. It goes on after an error: a user who has made five mistakes sees
// five lines.
type metricsFile struct {
	name  string
	errs  []fileError
	nodes int
}

type fileError struct {
	line int
	text string
}

// readMetrics reads the metrics of a file. The error joins everything that is wrong, one line each in the order of the
// file, as name:line: what.
func readMetrics(name string) ([]ruleConfig, error) {
	f := &metricsFile{name: name}
	rules := f.read()
	if len(f.errs) == 0 {
		return rules, nil
	}
	slices.SortStableFunc(f.errs, func(a, b fileError) int { return cmp.Compare(a.line, b.line) })
	errs := make([]error, len(f.errs))
	for i, e := range f.errs {
		errs[i] = fmt.Errorf("%s:%d: %s", name, e.line, e.text)
	}
	return nil, errors.Join(errs...)
}

func (f *metricsFile) fail(line int, format string, args ...any) {
	f.errs = append(f.errs, fileError{max(line, 1), fmt.Sprintf(format, args...)})
}

const fileExample = "example: metrics: [{name: log_records_total, labels: {level: level}}]"

func (f *metricsFile) read() (rules []ruleConfig) {
	file, err := os.Open(f.name)
	if err != nil {
		f.fail(1, "cannot be read: %v", errors.Unwrap(err))
		return nil
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	switch {
	case err != nil:
		f.fail(1, "cannot be read: %v", err)
		return nil
	case len(b) > maxFileSize:
		f.fail(1, "is larger than the %d bytes that are allowed", maxFileSize)
		return nil
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	if err := decoder.Decode(&document); err != nil {
		line, text := yamlError(err)
		f.fail(line, "%s", text)
		return nil
	}
	if decoder.Decode(&second) == nil {
		f.fail(second.Line, "a second document; all metrics stand in one list, %s", fileExample)
		return nil
	}
	var list *yaml.Node
	for _, p := range f.pairs(document.Content[0], "", keys{{Name: "metrics"}}) {
		list = p.value
	}
	if list == nil {
		if len(f.errs) == 0 {
			f.fail(document.Line, "there are no metrics; %s", fileExample)
		}
		return nil
	}
	items := f.items(list, "metrics")
	if len(items) == 0 && len(f.errs) == 0 {
		f.fail(list.Line, "metrics: there is none; %s", fileExample)
	}
	if len(items) > maxMetrics {
		f.fail(list.Line, "metrics: %d are more than the %d that are allowed", len(items), maxMetrics)
		return nil
	}
	for i, item := range items {
		rules = append(rules, f.metric(item, fmt.Sprintf("metrics[%d]", i)))
	}
	if len(f.errs) == 0 {
		if i, j, name, found := clash(rules); found {
			line, _ := strconv.Atoi(rules[j].Origin[strings.LastIndexByte(rules[j].Origin, ':')+1:])
			f.fail(line, "%s (%s) and %s (%s) are both shown as %s; give one of them another name",
				rules[j].Name, rules[j].Origin, rules[i].Name, rules[i].Origin, name)
		}
	}
	return rules
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// yamlError takes the line out of what the parser says.
func yamlError(err error) (line int, text string) {
	if errors.Is(err, io.EOF) {
		return 1, "is empty; " + fileExample
	}
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return line, "is no YAML: " + text
}

// pair is one key of a mapping and its value, with aliases followed.
type pair struct {
	key   string
	line  int
	value *yaml.Node
}

// follow is the node that an alias stands for. It also bounds how many nodes are looked at.
func (f *metricsFile) follow(n *yaml.Node) *yaml.Node {
	if f.nodes++; f.nodes == maxNodes {
		f.fail(n.Line, "there is more in it than is allowed (%d values, those behind aliases counted each time)", maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs are the keys of a mapping, each once; those of << come behind the mapping's own. allowed nil takes any.
func (f *metricsFile) pairs(n *yaml.Node, path string, allowed keys) (list []pair) {
	n = f.follow(n)
	if n.Kind != yaml.MappingNode {
		what := "keys and values" + exampleOf(path)
		if allowed != nil {
			what = "keys out of these: " + allowed.names()
		}
		f.fail(n.Line, "%smust have %s", dotted(path, ""), what)
		return nil
	}
	if len(n.Content) > 2*maxItems {
		f.fail(n.Line, "%sthere are more than the %d keys that are allowed", dotted(path, ""), maxItems)
		return nil
	}
	seen, merged := map[string]bool{}, []*yaml.Node(nil)
	for i := 0; i+1 < len(n.Content) && f.nodes < maxNodes; i += 2 {
		k, v := n.Content[i], f.follow(n.Content[i+1])
		switch {
		case k.Kind != yaml.ScalarNode:
			f.fail(k.Line, "%sa key must be a text", dotted(path, ""))
		case k.Value == "<<" && k.Tag == "!!merge":
			merged = append(merged, v)
		case seen[k.Value]:
			f.fail(k.Line, "%sis there twice", dotted(path, k.Value))
		case allowed != nil && !allowed.has(k.Value):
			f.fail(k.Line, "%sno such key; allowed: %s", dotted(path, k.Value), allowed.names())
		default:
			list = append(list, pair{k.Value, k.Line, v})
		}
		seen[k.Value] = true
	}
	for len(merged) > 0 && f.nodes < maxNodes {
		m := f.follow(merged[0])
		merged = merged[1:]
		if m.Kind == yaml.SequenceNode {
			merged = append(slices.Clone(m.Content), merged...)
			continue
		}
		for _, p := range f.pairs(m, path, allowed) {
			if !seen[p.key] {
				seen[p.key] = true
				list = append(list, p)
			}
		}
	}
	return list
}

// items are the elements of a list.
func (f *metricsFile) items(n *yaml.Node, path string) (list []*yaml.Node) {
	n = f.follow(n)
	if n.Kind != yaml.SequenceNode {
		f.fail(n.Line, "%smust be a list%s", dotted(path, ""), exampleOf(path))
		return nil
	}
	if len(n.Content) > maxItems {
		f.fail(n.Line, "%s%d are more than the %d that are allowed", dotted(path, ""), len(n.Content), maxItems)
		return nil
	}
	for _, item := range n.Content {
		if f.nodes >= maxNodes {
			break
		}
		list = append(list, f.follow(item))
	}
	return list
}

// scalar is a text, a number, on or off, as it stands in the file.
func (f *metricsFile) scalar(n *yaml.Node, path string) (string, bool) {
	n = f.follow(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		f.fail(n.Line, "%smust be a single value%s", dotted(path, ""), exampleOf(path))
		return "", false
	}
	return n.Value, true
}

// dotted is a place in the file as errors begin with it.
func dotted(path, key string) string {
	if path != "" && key != "" {
		path += "."
	}
	if path += key; path == "" {
		return ""
	}
	return path + ": "
}

var indexes = regexp.MustCompile(`\[\d+\]`)

// exampleOf is an example of the key at a place, as errors end with it; "" where there is none.
func exampleOf(path string) string {
	path = indexes.ReplaceAllString(path, "")
	list := metricKeys
	switch {
	case strings.Contains(path, ".where."):
		list = conditionKeys
	case strings.Contains(path, ".labels."):
		list = labelKeys
	}
	if example := list.example(path[strings.LastIndexByte(path, '.')+1:]); example != "" {
		return "; example: " + example
	}
	if path == "metrics" {
		return "; " + fileExample
	}
	return ""
}
