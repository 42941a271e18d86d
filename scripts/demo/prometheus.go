package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flbgo/scripts/internal/prometheus"
)

// startPrometheus runs a Prometheus with the project's rules beside the pipeline, and an Alertmanager where one is
// installed, whose alerts are printed as they come.
func (d *demo) startPrometheus(ctx context.Context, root, dir string) (err error) {
	cfg := prometheus.Config{Conf: filepath.Join(root, "conf/prometheus"), Dir: filepath.Join(dir, "prometheus"), Targets: []string{d.p.Metrics, d.p.Kafka}}
	if _, err := exec.LookPath(prometheus.AlertProgram); err == nil {
		if d.alerts, err = prometheus.NewReceiver(d.showAlert); err != nil {
			return err
		}
		cfg.Receiver = d.alerts
	}
	if d.prom, err = prometheus.Start(ctx, cfg); err != nil {
		return err
	}
	d.say("Prometheus at %s, rules at %s/rules, alerts at %s/alerts", d.prom.URL, d.prom.URL, d.prom.URL)
	if d.prom.AlertURL != "" {
		d.say("Alertmanager at %s; its webhook and its mail are printed here", d.prom.AlertURL)
	} else {
		d.say("no Alertmanager: %s is not installed", prometheus.AlertProgram)
	}
	d.say("a Grafana of yours: data source %s, then Dashboards, New, Import: conf/grafana/dashboard.json", d.prom.URL)
	return nil
}

// stopPrometheus stops what startPrometheus started.
func (d *demo) stopPrometheus() error {
	var errs []error
	if d.prom != nil {
		errs = append(errs, d.prom.Close())
	}
	if d.alerts != nil {
		errs = append(errs, d.alerts.Close())
	}
	return errors.Join(errs...)
}

func (d *demo) showAlert(m prometheus.Message) {
	if m.By == "mail" {
		d.say(">>> mail to %s: %s", m.To, strings.Join(strings.Fields(m.Text), " "))
		return
	}
	d.say(">>> webhook: %s %s: %s", m.Status, m.Labels["alertname"], m.Text)
}

// recorded are the rules that the end shows, with what they are.
var recorded = []struct{ expr, what string }{
	{"service:log_records:rate30s", "lines a second"},
	{"service:log_errors_per_record:ratio30s", "of them errors"},
	{"service:http_requests:rate30s", "requests a second"},
	{"service:http_errors_per_request:ratio30s", "of them answered with 5xx"},
	{"service:http_request_duration_seconds:p99_30s", "seconds, one request in a hundred takes longer"},
	{"instance:kafka_batch_records_acknowledged:rate30s", "records a second acknowledged by Kafka"},
	{"instance:kafka_batch_records:unaccounted", "records unaccounted for"},
}

// showRecorded prints what Prometheus has made of the metrics; a rule without a value, after two evaluations more, is an
// error.
func (d *demo) showRecorded(ctx context.Context) error {
	if d.prom == nil {
		return nil
	}
	fmt.Printf("From Prometheus, over the last 30 s:\n")
	var errs []error
	for _, r := range recorded {
		var samples []prometheus.Sample
		var err error
		for deadline := time.Now().Add(20 * time.Second); len(samples) == 0 && err == nil && time.Now().Before(deadline); {
			if samples, err = d.prom.Query(ctx, r.expr); len(samples) == 0 && err == nil {
				err = sleep(ctx, 500*time.Millisecond)
			}
		}
		if err == nil && len(samples) == 0 {
			err = fmt.Errorf("the rule %s has no value", r.expr)
		}
		errs = append(errs, err)
		for _, s := range samples {
			fmt.Printf("  %-52s %10.3f  %s\n", r.expr, s.Value, r.what)
		}
	}
	alerts, err := d.prom.Query(ctx, `ALERTS{alertstate="firing"}`)
	for _, a := range alerts {
		fmt.Printf("  alert %s fires: level %s, action %s\n", a.Labels["alertname"], a.Labels["level"], a.Labels["action"])
	}
	fmt.Println()
	return errors.Join(append(errs, err)...)
}
