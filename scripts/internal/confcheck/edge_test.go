package confcheck

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// parsed reads a file of the project.
func parsed(t *testing.T, name string) *File {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// settings of a section, without their lines.
func settings(s Section, without ...string) (out []string) {
	for _, p := range s.Props {
		if !slices.Contains(without, p.Key) {
			out = append(out, p.Key+"="+p.Value)
		}
	}
	return out
}

// The gateway for untrusted networks is the other one but for how it is reached and how much it sends: what was found out
// about one holds for both.
func TestSecureGatewayIsTheGateway(t *testing.T) {
	plain, secure := parsed(t, "conf/edge-gateway/fluent-bit.conf"), parsed(t, "conf/edge-gateway/secure.conf")
	same := func(what string, a, b Section, without ...string) {
		t.Helper()
		if x, y := settings(a, without...), settings(b, without...); !slices.Equal(x, y) {
			t.Errorf("%s differs:\n%v\n%v", what, x, y)
		}
	}
	same("the service", plain.Service, secure.Service)
	if len(plain.Filters) != 1 || len(secure.Filters) != 1 || len(plain.Outputs) != 2 || len(secure.Outputs) != 2 || len(secure.Inputs) != 2 {
		t.Fatal("another number of sections")
	}
	same("enrich", plain.Filters[0], secure.Filters[0])
	same("field_metrics", plain.Outputs[0], secure.Outputs[0])
	same("kafka_batch", plain.Outputs[1], secure.Outputs[1], "rate_limit_bytes")
	same("forward", plain.Inputs[0], secure.Inputs[0], "tls", "tls.crt_file", "tls.key_file", "shared_key", "self_hostname")
	for _, s := range secure.Inputs {
		if !s.Is("tls", "on") {
			t.Errorf("%s without TLS", s.Name)
		}
	}
}

// The example of the environment has all that the gateways' files ask for, and nothing else.
func TestGatewayEnvironment(t *testing.T) {
	names := func(name, expression string) []string {
		b, err := os.ReadFile(filepath.Join(root, "conf/edge-gateway", name))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(string(b), -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	given, asked := names("edge-gateway.env", `(?m)^(\w+)=.`), names("secure.conf", `\$\{(\w+)\}`)
	if !slices.Equal(given, asked) {
		t.Errorf("given %v\nasked %v", given, asked)
	}
	if open := names("fluent-bit.conf", `\$\{(\w+)\}`); slices.ContainsFunc(open, func(n string) bool { return !slices.Contains(given, n) }) {
		t.Errorf("asked %v, given %v", open, given)
	}
	b, err := os.ReadFile(filepath.Join(root, "conf/edge-gateway/fluent-bit-edge.service"))
	if err != nil || !strings.Contains(string(b), "EnvironmentFile=/etc/fluent-bit/edge-gateway.env") {
		t.Error(err)
	}
	// A made-up user can read what systemd hands on, not a key that is root's alone.
	for _, path := range names("edge-gateway.env", `(?m)^TLS_\w+=(.*)$`) {
		credential, ok := strings.CutPrefix(path, "/run/credentials/fluent-bit-edge.service/")
		if !ok || !strings.Contains(string(b), "\nLoadCredential="+credential+":/") {
			t.Errorf("%s is no credential of the unit", path)
		}
	}
}
