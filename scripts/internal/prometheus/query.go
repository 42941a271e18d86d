package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Sample is one value of an instant query.
type Sample struct {
	Labels map[string]string // __name__ among them
	Value  float64
}

// Query evaluates an expression now.
func (s *Server) Query(ctx context.Context, expr string) ([]Sample, error) {
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
	}
	if err := s.ask(ctx, "query", url.Values{"query": {expr}}, &data); err != nil {
		return nil, err
	}
	var samples []Sample
	for _, r := range data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			v = math.NaN()
		}
		samples = append(samples, Sample{r.Metric, v})
	}
	return samples, nil
}

// Exemplars returns the exemplars' labels of the series that match a selector, of the last hour.
func (s *Server) Exemplars(ctx context.Context, selector string) ([]map[string]string, error) {
	var data []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	now := time.Now()
	at := func(d time.Duration) []string { return []string{strconv.FormatInt(now.Add(d).Unix(), 10)} }
	if err := s.ask(ctx, "query_exemplars", url.Values{"query": {selector}, "start": at(-time.Hour), "end": at(time.Minute)}, &data); err != nil {
		return nil, err
	}
	var labels []map[string]string
	for _, d := range data {
		for _, e := range d.Exemplars {
			labels = append(labels, e.Labels)
		}
	}
	return labels, nil
}

// Rule is a recording or an alert rule, as Prometheus has read it.
type Rule struct {
	Name, Query, Type, Health, LastError string
	State                                string // of an alert: inactive, pending, firing
}

// Rules returns all of them.
func (s *Server) Rules(ctx context.Context) ([]Rule, error) {
	var data struct {
		Groups []struct{ Rules []Rule }
	}
	if err := s.ask(ctx, "rules", nil, &data); err != nil {
		return nil, err
	}
	var rules []Rule
	for _, g := range data.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules, nil
}

// ask calls the HTTP API and decodes the data of its answer.
func (s *Server) ask(ctx context.Context, path string, values url.Values, to any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/"+path+"?"+values.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s answers %s: %w", req.URL.Path, resp.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s of %s: %s", path, values.Get("query"), answer.Error)
	}
	return json.Unmarshal(answer.Data, to)
}
