package identity

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// readOTel reads OTEL_SERVICE_NAME, which beats the service.name of OTEL_RESOURCE_ATTRIBUTES. Where the latter is not
// what the specification allows, all of it is discarded (OpenTelemetry, resource/sdk.md).
func readOTel(s *System) ([]Attribute, State, error) {
	name, list := s.env("OTEL_SERVICE_NAME"), s.env("OTEL_RESOURCE_ATTRIBUTES")
	if name == "" && list == "" {
		return nil, Absent, nil
	}
	attrs := add(nil, "service.name", name)
	more, err := ParseResource(list)
	if err != nil {
		return attrs, Failed, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES is discarded: %w", err)
	}
	return merge(attrs, more), Found, nil
}

// ParseResource reads k=v,k=v, where a comma or an equals sign inside is percent-encoded. A plus sign is a plus sign. The
// error names no value: what is wrong may be the rest of one that has a comma in it, and a secret.
func ParseResource(s string) ([]Attribute, error) {
	var attrs []Attribute
	for i, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("item %d is not k=v", i+1)
		}
		k, err := url.PathUnescape(strings.TrimSpace(key))
		if err != nil {
			return nil, fmt.Errorf("the name of item %d: %w", i+1, err)
		}
		v, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("the value of item %d: %w", i+1, err)
		}
		if k == "" {
			return nil, fmt.Errorf("item %d has no name", i+1)
		}
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("item %d is not UTF-8", i+1)
		}
		attrs = add(attrs, current(k), v)
	}
	return merge(attrs), nil
}

// current is the name that OpenTelemetry has for an attribute today.
func current(name string) string {
	if name == "deployment.environment" {
		return "deployment.environment.name"
	}
	return name
}

func readDatadog(s *System) ([]Attribute, State, error) {
	attrs := add(nil, "service.name", s.env("DD_SERVICE"))
	attrs = add(attrs, "service.version", s.env("DD_VERSION"))
	attrs = add(attrs, "deployment.environment.name", s.env("DD_ENV"))
	if attrs == nil {
		return nil, Absent, nil
	}
	return attrs, Found, nil
}
