package manifests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose file is one by its specification, all that it mounts is there, what listens does so on this machine alone,
// and every variable of the configurations that it runs has a value.
func TestCompose(t *testing.T) {
	path, err := filepath.Abs(filepath.Join(root, "conf/compose/compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  filepath.Dir(path),
		ConfigFiles: []types.ConfigFile{{Filename: path, Content: content}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Services) < 8 {
		t.Errorf("%d services", len(project.Services))
	}
	for name, s := range project.Services {
		if s.Image == "" || strings.HasSuffix(s.Image, ":latest") || s.Build == nil && !strings.Contains(s.Image, ":") {
			t.Errorf("%s: image %q is not pinned", name, s.Image)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to the network", name, p.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, ok := project.Volumes[v.Source]; !ok {
				t.Errorf("%s: no volume %s", name, v.Source)
			}
		}
		for other := range s.DependsOn {
			if _, ok := project.Services[other]; !ok {
				t.Errorf("%s waits for %s, which is not there", name, other)
			}
		}
	}
	// What Kafka keeps is in the volume.
	kafka := project.Services["kafka"]
	if dir := kafka.Environment["KAFKA_LOG_DIRS"]; dir == nil || len(kafka.Volumes) != 1 || kafka.Volumes[0].Target != *dir {
		t.Errorf("kafka: log dirs %v, volumes %+v", dir, kafka.Volumes)
	}
	given := map[string]bool{}
	for _, name := range imageEnvironment(t) {
		given[name] = true
	}
	variables := func(service, conf string, given map[string]bool) {
		b, err := os.ReadFile(filepath.Join(root, conf))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllSubmatch(b, -1) {
			if _, ok := project.Services[service].Environment[string(m[1])]; !ok && !given[string(m[1])] {
				t.Errorf("%s: %s of %s has no value", service, m[1], conf)
			}
		}
	}
	variables("fluent-bit", "conf/compose/fluent-bit.conf", given)
	variables("downstream", "conf/downstream/fluent-bit.conf", nil)

	// Its configuration is the sidecar's with one line more.
	after := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		_, pipeline, _ := strings.Cut(string(b), "[SERVICE]")
		return pipeline
	}
	own := strings.Replace(after("conf/compose/fluent-bit.conf"), "    Record_Id_Key    record_id\n", "", 1)
	if own != after("conf/sidecar/fluent-bit.conf") || own == after("conf/compose/fluent-bit.conf") {
		t.Error("conf/compose/fluent-bit.conf is not conf/sidecar/fluent-bit.conf with Record_Id_Key record_id")
	}
}
