package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// keepSample remembers one record that has a trace.
func (d *demo) keepSample(stream string, _ uint64, r *kgo.Record) {
	if stream != "zap" || !bytes.Contains(r.Value, []byte(`"trace_id"`)) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sample == nil {
		d.sample = bytes.Clone(r.Value)
	}
}

// verdict prints the account and returns an error when anything was lost or is not what was written.
func (d *demo) verdict(ctx context.Context) error {
	r := d.check.Report()
	d.mu.Lock()
	sample := d.sample
	d.mu.Unlock()

	fmt.Println()
	if sample != nil {
		var b bytes.Buffer
		if err := json.Indent(&b, sample, "  ", "  "); err != nil {
			return err
		}
		fmt.Printf("One record in Kafka:\n  %s\n\n", b.Bytes())
	}
	metricsErr := errors.Join(d.showMetrics(), d.showDelivery(ctx), d.showRecorded(ctx)) // the account comes all the same
	fmt.Print(r.String())
	if d.calm.N > 0 {
		fmt.Printf("the same before the first fault: p50 %v, p99 %v\n", d.calm.P50.Round(time.Millisecond), d.calm.P99.Round(time.Millisecond))
	}
	if took := r.LastRead.Sub(r.FirstRead).Seconds(); took > 0 {
		faults := ", faults included"
		if d.forever {
			faults = ""
		}
		fmt.Printf("%.0f records/s over %.1f s%s\n", float64(r.Records)/took, took, faults)
	}
	if err := errors.Join(r.Err(), metricsErr, d.showDeadLetters(ctx)); err != nil {
		return err
	}
	fmt.Println("\nNothing was lost.")
	return nil
}

// interesting are the lines of /metrics that tell a story in a few lines.
var interesting = regexp.MustCompile(`^(log_records_total|http_request_duration_seconds_(count|bucket)\{method="GET",service="checkout",status="200"(,le="(0\.001|0\.005|0\.025|0\.1|1|\+Inf)")?\})`)

func (d *demo) showMetrics() error {
	url := "http://" + d.p.Metrics + "/metrics"
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Printf("From %s (since Fluent Bit's last start):\n", url)
	shown := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan() && shown < 14; {
		if interesting.Match(lines.Bytes()) {
			fmt.Printf("  %s\n", lines.Bytes())
			shown++
		}
	}
	fmt.Println()
	if shown == 0 {
		return fmt.Errorf("%s has none of the metrics that the configuration names", url)
	}
	return nil
}
