package pipeline

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Scrape reads what kafka_batch tells of itself: for each metric the sum over its series, by its name without the
// plugin's. An error is one of getting it: Fluent Bit may not be up.
func (p *Pipeline) Scrape(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := "http://" + p.Kafka + "/metrics"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	sums := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), "} ")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue // a comment
		}
		name, _, _ := strings.Cut(series, "{")
		sums[strings.TrimPrefix(name, "kafka_batch_")] += v
	}
	return sums, lines.Err()
}

// Unaccounted is how many records a scrape says were taken that are neither acknowledged, dead letters, dropped nor
// open. It has to be 0, at every moment. NaN where the scrape lacks one of the metrics.
func Unaccounted(scrape map[string]float64) float64 {
	d := scrape["records_taken_total"]
	for _, name := range []string{"records_acknowledged_total", "records_dead_lettered_total", "records_dropped_total", "records_open"} {
		v, ok := scrape[name]
		if !ok {
			return math.NaN()
		}
		d -= v
	}
	return d
}
