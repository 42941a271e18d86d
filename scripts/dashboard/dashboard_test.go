package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"go.yaml.in/yaml/v3"
)

//lint:file-ignore SA1019 as in main.go

const root = "../.."

// The file is what this program makes, and Grafana's own schema takes all of it.
func TestFileIsCurrent(t *testing.T) {
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the program makes; run: go -C scripts run ./dashboard", path)
	}
	cog.NewRuntime().RegisterPanelcfgVariant(timeseries.VariantConfig())
	cog.NewRuntime().RegisterDataqueryVariant(prometheus.VariantConfig())
	var d dashboard.Dashboard
	// An error without content is none: the package returns its list as one.
	if err := d.UnmarshalJSONStrict(got); err != nil && err.Error() != "" {
		t.Errorf("not understood in full: %v", err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
}

// Every panel has a title, a unit and a query; those that show traces ask for a series as it was scraped: what a rule has
// recorded has no exemplars.
func TestPanels(t *testing.T) {
	exemplars := 0
	for _, r := range rows {
		titles := map[string]bool{}
		for _, p := range r.panels {
			if p.title == "" || p.unit == "" || len(p.queries) == 0 || titles[p.title] {
				t.Errorf("%s: the panel %q lacks something, or another one has its title", r.title, p.title)
			}
			titles[p.title] = true
			for _, q := range p.queries {
				if q.exemplar {
					exemplars++
				}
				if q.exemplar && strings.Contains(strings.ReplaceAll(q.expr, "$__rate_interval", ""), ":") {
					t.Errorf("%s: exemplars of a recorded series: %s", p.title, q.expr)
				}
			}
		}
	}
	if exemplars < 2 {
		t.Errorf("%d queries ask for exemplars", exemplars)
	}
}

// Exemplars lead to the data source of traces that is provisioned beside them.
func TestExemplarsLeadToTraces(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "conf/grafana/datasources.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
			JSONData                     struct {
				HTTPMethod                  string `yaml:"httpMethod"`
				TimeInterval                string `yaml:"timeInterval"`
				ExemplarTraceIDDestinations []struct {
					Name          string
					DatasourceUID string `yaml:"datasourceUid"`
				} `yaml:"exemplarTraceIdDestinations"`
			} `yaml:"jsonData"`
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, d := range file.Datasources {
		types[d.UID] = d.Type
	}
	for _, d := range file.Datasources {
		if d.Type != "prometheus" {
			continue
		}
		to := d.JSONData.ExemplarTraceIDDestinations
		if len(to) != 1 || to[0].Name != "trace_id" || types[to[0].DatasourceUID] != "tempo" {
			t.Errorf("exemplars lead to %+v, among %v", to, types)
		}
	}
}
