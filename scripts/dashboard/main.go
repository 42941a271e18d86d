// Dashboard writes conf/grafana/dashboard.json: `go -C scripts run ./dashboard` after a change of its panels. A test
// holds the file to what this program makes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"flbgo/scripts/internal/pipeline"
)

//lint:file-ignore SA1019 the form that the package prefers is for Grafana 12 and later; this one every Grafana imports

// path is the file, in the project's folder.
const path = "conf/grafana/dashboard.json"

// uid is what provisioning and links know the dashboard by.
const uid = "fluent-bit-logs"

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func write() error {
	root, err := pipeline.Root()
	if err != nil {
		return err
	}
	b, err := render()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, path), b, 0o644)
}

// render returns the file's content.
func render() ([]byte, error) {
	d, err := build()
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// build puts rows and variables together.
func build() (dashboard.Dashboard, error) {
	b := dashboard.NewDashboardBuilder("Logs: services, delivery to Kafka").
		Uid(uid).
		Description("What log records say about services (field_metrics), and what becomes of them on their way to Kafka (kafka_batch).").
		Tags([]string{"fluent-bit", "logs", "kafka"}).
		Time("now-30m", "now").
		Refresh("10s").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		WithVariable(choice("service", "Service", "label_values(log_records_total, service)")).
		WithVariable(choice("instance", "Fluent Bit", "label_values(kafka_batch_records_taken_total, instance)"))
	for _, r := range rows {
		b.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			b.WithPanel(p.builder())
		}
	}
	return b.Build()
}

// choice is a variable with the values of a label, all of them unless somebody chooses.
func choice(name, label, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).
		Label(label).
		Datasource(source).
		Query(dashboard.StringOrMap{String: &query}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).
		IncludeAll(true).
		AllValue(".*")
}

// source is the Prometheus that is chosen on the page.
var source = common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
