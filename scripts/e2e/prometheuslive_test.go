package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"flbgo/scripts/internal/fluentbit"
	"flbgo/scripts/internal/loggen"
	"flbgo/scripts/internal/prometheus"
)

// metricsFile is conf/fluent-bit.conf with conf/metrics.yaml in place of its two sections, as that file says.
func metricsFile(t *testing.T) string {
	conf := filepath.Join(root, "conf") + "/"
	return variant(t, "conf/fluent-bit.conf", [][2]string{
		{`(?ms)^\[OUTPUT\]\n    Name         field_metrics\n    Match        access.*?\n\n`, ""},
		{`(?m)^    Metric_Name  log_records_total\n(    \S.*\n)+`, "    Metrics_File " + conf + "metrics.yaml\n"},
		{`(?m)^(\s*(?:Parsers|Plugins)_File\s+)`, "${1}" + conf},
	})
}

// inbox keeps what the Alertmanager sends.
type inbox struct {
	mu  sync.Mutex
	all []prometheus.Message
}

func (i *inbox) add(m prometheus.Message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, m)
}

func (i *inbox) has(match func(prometheus.Message) bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.all, match)
}

// A real Prometheus with conf/prometheus scrapes a running pipeline: recording rules have values, every metric and label
// that a rule or the dashboard asks for is there, exemplars have traces, and alerts reach the webhook and the mailbox of
// alertmanager.yml.
func TestPrometheusOnThePipeline(t *testing.T) {
	eachHostAtOnce(t, func(t *testing.T, h fluentbit.Host) {
		need(t, prometheus.Program)
		need(t, prometheus.AlertProgram)
		var got inbox
		receiver, err := prometheus.NewReceiver(got.add)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = receiver.Close() })
		r := newRig(t, h, metricsFile(t))
		r.startHost()
		s, err := prometheus.Start(t.Context(), prometheus.Config{Conf: filepath.Join(root, "conf/prometheus"), Dir: t.TempDir(),
			Targets: []string{r.Metrics, r.Kafka}, Receiver: receiver})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Log(s.Logs())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		fatal := logLine(time.Now(), map[string]any{"level": "fatal", "msg": "out of memory"})
		if err := os.WriteFile(filepath.Join(r.Logs, "zap.log.fatal"), []byte(fatal+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		written := r.writing(loggen.Config{Rate: 300, Duration: 25 * time.Second, Seed: 9, MaxGinLatency: time.Millisecond})
		live := &live{Server: s, t: t, ctx: t.Context()}

		// What Prometheus itself has recorded, but for averages of an hour that ended five minutes ago.
		var recorded []rule
		for _, g := range readRules(t, "recording").Groups {
			recorded = append(recorded, g.Rules...)
			if g.Name == "normal" {
				continue
			}
			for _, rule := range g.Rules {
				live.wait(rule.Record, 35*time.Second)
			}
		}
		live.learn(recorded)
		for _, g := range readRules(t, "alerts").Groups {
			for _, rule := range g.Rules {
				live.check("alert "+rule.Alert, rule.Expr)
			}
		}
		for _, r := range recorded {
			live.check("rule "+r.Record, r.Expr)
		}
		live.checkDashboard()
		for _, sample := range live.query(`instance:kafka_batch_records:unaccounted != 0`) {
			t.Errorf("unaccounted: %v", sample)
		}
		if all, err := s.Rules(t.Context()); err != nil || len(all) < 30 {
			t.Errorf("%d rules, %v", len(all), err)
		} else {
			for _, rule := range all {
				if rule.Health != "ok" {
					t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
				}
			}
		}
		live.waitFor("exemplars of errors", 20*time.Second, func() bool {
			e, err := s.Exemplars(t.Context(), `log_records_total{level="ERROR"}`)
			return err == nil && slices.ContainsFunc(e, func(l map[string]string) bool { return len(l["trace_id"]) == 32 })
		})
		live.waitFor("an alert at the webhook", 30*time.Second, func() bool {
			return got.has(func(m prometheus.Message) bool {
				return m.By == "webhook" && m.Status == "firing" && m.Labels["alertname"] == "LogFatal" && m.Labels["service"] == "checkout" &&
					m.Labels["level"] == "critical" && m.Labels["action"] == "webhook" && m.Text == "checkout wrote a line of level FATAL"
			})
		})
		live.waitFor("an alert by mail", 30*time.Second, func() bool {
			return got.has(func(m prometheus.Message) bool {
				return m.By == "mail" && m.To == "operations@example.com" && strings.Contains(m.Text, "FIRING")
			})
		})
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
}

// live asks a running Prometheus what there is.
type live struct {
	*prometheus.Server
	t      *testing.T
	ctx    context.Context
	series map[string][]map[string]string // labels by metric, recorded ones too
}

func (l *live) query(expr string) []prometheus.Sample {
	l.t.Helper()
	samples, err := l.Query(l.ctx, expr)
	if err != nil {
		l.t.Fatal(err)
	}
	return samples
}

func (l *live) wait(expr string, limit time.Duration) {
	l.t.Helper()
	l.waitFor(expr, limit, func() bool { return len(l.query(expr)) > 0 })
}

func (l *live) waitFor(what string, limit time.Duration, is func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(250 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Errorf("not there after %v: %s", limit, what)
			return
		}
	}
}

// learn collects every series that is scraped, and what recording rules make of them; the averages of the past with the
// present in its place.
func (l *live) learn(recorded []rule) {
	l.t.Helper()
	l.series = map[string][]map[string]string{}
	for _, s := range l.query(`{job="fluent-bit"}`) {
		l.series[s.Labels["__name__"]] = append(l.series[s.Labels["__name__"]], s.Labels)
	}
	now := strings.NewReplacer(" offset 5m", "", ">= 180", ">= 1")
	for _, r := range recorded {
		for _, s := range l.query(now.Replace(r.Expr)) {
			l.series[r.Record] = append(l.series[r.Record], s.Labels)
		}
		if len(l.series[r.Record]) == 0 {
			l.t.Errorf("%s has no series: %s", r.Record, r.Expr)
		}
	}
}

// check holds an expression to the series that there are: each selector finds one, and each label that it is grouped or
// joined by is a label of one.
func (l *live) check(what, expr string) {
	l.t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		l.t.Errorf("%s: %v", what, err)
		return
	}
	grouped := func(node parser.Node, labels []string) {
		for _, label := range labels {
			found := false
			parser.Inspect(node, func(n parser.Node, _ []parser.Node) error {
				if s, ok := n.(*parser.VectorSelector); ok {
					for _, labels := range l.series[s.Name] {
						_, has := labels[label]
						found = found || has
					}
				}
				return nil
			})
			if !found {
				l.t.Errorf("%s: nothing in %s has the label %s", what, node, label)
			}
		}
	}
	selectors := 0
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			grouped(n, n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				grouped(n, n.VectorMatching.MatchingLabels)
			}
		case *parser.VectorSelector:
			selectors++
			if !slices.ContainsFunc(l.series[n.Name], func(labels map[string]string) bool {
				for _, m := range n.LabelMatchers {
					if m.Name != "__name__" && !m.Matches(labels[m.Name]) {
						return false
					}
				}
				return true
			}) {
				l.t.Errorf("%s: no series is selected by %s", what, n)
			}
		}
		return nil
	})
	if selectors == 0 {
		l.t.Errorf("%s asks for no series: %s", what, expr)
	}
}

var (
	legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
)

// checkDashboard holds every query of the dashboard to what there is; what it shows has the labels that its legend names.
func (l *live) checkDashboard() {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "conf/grafana/dashboard.json"))
	if err != nil {
		l.t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		l.t.Fatal(err)
	}
	replace := []string{"$__rate_interval", "30s"}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		replace = append(replace, "$"+v.Name, ".*")
		m := labelValues.FindStringSubmatch(fmt.Sprint(v.Query))
		if m == nil {
			l.t.Errorf("the variable %s: %v", v.Name, v.Query)
		} else {
			l.check("variable "+v.Name, fmt.Sprintf("sum by (%s) (%s)", m[2], m[1]))
		}
	}
	queries, shown := 0, 0
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries++
			expr := strings.NewReplacer(replace...).Replace(target.Expr)
			l.check("panel "+p.Title, expr)
			samples := l.query(expr)
			if len(samples) == 0 {
				continue
			}
			shown++
			for _, m := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.ContainsFunc(samples, func(s prometheus.Sample) bool { return s.Labels[m[1]] != "" }) {
					l.t.Errorf("panel %s: the legend names %s, which %s does not have: %v", p.Title, m[1], expr, samples[0].Labels)
				}
			}
		}
	}
	// The rest: three averages of an hour that nothing has yet, and what is above 0 only when something is wrong.
	if queries < 25 || shown < queries-7 {
		l.t.Errorf("%d queries, of which %d have a result", queries, shown)
	}
}
