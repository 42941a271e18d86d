package identity

import (
	"fmt"
	"net/url"
	"strings"
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

// ParseResource reads k=v,k=v, where a comma or an equals sign inside is percent-encoded. A plus sign is a plus sign.
func ParseResource(s string) ([]Attribute, error) {
	var attrs []Attribute
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not k=v", item)
		}
		k, err := url.PathUnescape(strings.TrimSpace(key))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		v, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("the value of %s: %w", k, err)
		}
		if k == "" {
			return nil, fmt.Errorf("%q has no name", item)
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
