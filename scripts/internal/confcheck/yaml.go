package confcheck

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readYAML reads Fluent Bit's YAML format. Values are taken as they are written: `off` stays off.
func readYAML(f *File, content []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return err
	}
	if doc.Kind != yaml.DocumentNode {
		return fmt.Errorf("empty")
	}
	return eachKey(doc.Content[0], func(key string, value *yaml.Node) error {
		switch key {
		case "service":
			f.Service.File, f.Service.Line = f.Path, value.Line
			return f.Service.fill(f, value)
		case "pipeline":
			f.Kind = Pipeline
			return f.pipeline(value)
		case "parsers", "multiline_parsers":
			return f.only(Parsers, value)
		case "plugins":
			return f.only(Plugins, value)
		case "metrics":
			return f.only(Metrics, value)
		}
		if f.users != nil {
			return f.userKey(key, value)
		}
		return fmt.Errorf("line %d: %s is not known here", value.Line, key)
	})
}

// only notes that the file is of a kind that has no rules; in a pipeline such a part needs none either.
func (f *File) only(kind Kind, value *yaml.Node) error {
	if value.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: %s must be a list", value.Line, kind)
	}
	if f.Kind == "" {
		f.Kind = kind
	}
	return nil
}

func (f *File) pipeline(node *yaml.Node) error {
	return eachKey(node, func(key string, value *yaml.Node) error {
		switch key {
		case "inputs":
			return f.list(&f.Inputs, value)
		case "filters":
			return f.list(&f.Filters, value)
		case "outputs":
			return f.list(&f.Outputs, value)
		}
		if f.users != nil {
			f.leaveOut(value.Line, "pipeline.%s", key)
			return nil
		}
		return fmt.Errorf("line %d: pipeline.%s is not known here", value.Line, key)
	})
}

// list reads plugin instances. Their processors for logs are filters; others, and those of outputs, are refused.
func (f *File) list(to *[]Section, node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: must be a list", node.Line)
	}
	for _, item := range node.Content {
		s := Section{File: f.Path, Line: item.Line}
		err := eachKey(item, func(key string, value *yaml.Node) error {
			if key != "processors" {
				return s.add(f, key, value)
			}
			if to != &f.Inputs && f.users == nil {
				return fmt.Errorf("line %d: processors of an output run again at every attempt, those of a filter not at all: give them to the input", value.Line)
			}
			return eachKey(value, func(signal string, list *yaml.Node) error {
				if signal != "logs" && f.users != nil {
					return nil
				}
				if signal != "logs" {
					return fmt.Errorf("line %d: processors for %s are not known here", list.Line, signal)
				}
				return f.list(&f.Filters, list)
			})
		})
		if err != nil {
			return err
		}
		*to = append(*to, s)
	}
	return nil
}

// fill takes every key of a map as a setting.
func (s *Section) fill(f *File, node *yaml.Node) error {
	return eachKey(node, func(key string, value *yaml.Node) error { return s.add(f, key, value) })
}

func (s *Section) add(f *File, key string, value *yaml.Node) error {
	if value.Kind == yaml.SequenceNode && (several[key] || f.users != nil) {
		for _, v := range value.Content {
			s.set(v.Line, key, v.Value)
		}
		return nil
	}
	if value.Kind != yaml.ScalarNode && f.users != nil {
		f.leaveOut(value.Line, "%s, which is a map", key)
		return nil
	}
	if value.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: %s must be one value", value.Line, key)
	}
	s.set(value.Line, key, value.Value)
	return nil
}

// eachKey calls fn for every member of a map, with the key in lower case.
func eachKey(node *yaml.Node, fn func(key string, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: must be a map", node.Line)
	}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if value.Kind == yaml.AliasNode || key.Value == "<<" {
			return fmt.Errorf("line %d: anchors are not understood here", key.Line)
		}
		if err := fn(strings.ToLower(key.Value), value); err != nil {
			return err
		}
	}
	return nil
}
