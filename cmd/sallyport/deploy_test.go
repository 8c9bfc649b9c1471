package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
)

// alert is a rule of deploy/prometheus.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/sallyport.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var out []alert
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

// panel is a panel of the dashboard.
type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr, RefID string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/sallyport.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Panels []panel }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Panels
}

// fault returns what is wrong with an expression over the exported metrics; "": nothing.
func fault(expr string, exported map[string]*dto.MetricFamily) string {
	uses, by := scan(expr)
	labels := []string{"instance", "job"}
	for _, u := range uses {
		name, part := u.metric, ""
		if name == "up" {
			continue // from Prometheus itself
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if whole, ok := strings.CutSuffix(u.metric, suffix); ok && exported[whole].GetType() == dto.MetricType_HISTOGRAM {
				name, part = whole, suffix
			}
		}
		f := exported[name]
		if f == nil {
			return u.metric + " is not exported"
		}
		counts := f.GetType() != dto.MetricType_GAUGE
		if f.GetType() == dto.MetricType_HISTOGRAM && part == "" {
			return u.metric + " is a histogram"
		}
		own := append(labelsOf(f), "instance", "job")
		if part == "_bucket" {
			own = append(own, "le")
			if !slices.Contains(u.within, "histogram_quantile") || !slices.Contains(by, "le") {
				return u.metric + " is for histogram_quantile by le"
			}
		}
		for _, l := range u.labels {
			if !slices.Contains(own, l) {
				return u.metric + " has no label " + l
			}
		}
		labels = append(labels, own...)
		around := u.within[max(len(u.within)-1, 0):]
		rated := slices.ContainsFunc([]string{"rate", "increase"}, func(f string) bool { return slices.Contains(around, f) })
		switch {
		case counts && (!rated || !u.ranged):
			return u.metric + " is a counter and needs a rate"
		case !counts && rated:
			return u.metric + " is a gauge and has no rate"
		case u.ranged && !rated && !slices.Contains(around, "delta"):
			return u.metric + " has a range and nothing that takes one"
		}
	}
	for _, l := range by {
		if !slices.Contains(labels, l) {
			return "nothing has the label " + l
		}
	}
	if len(uses) == 0 {
		return "no metric in it"
	}
	return ""
}

// Alerts and dashboard use exported metrics, each according to its type and labels.
func TestAlertsAndDashboardNameExportedMetrics(t *testing.T) {
	withTraffic(t, newFixtureOf(t, servertest.NewUnstarted), func(h *server.Server) {
		exported := gather(t, h)
		for _, a := range alerts(t) {
			if why := fault(a.Expr, exported); why != "" {
				t.Errorf("alert %s: %s: %s", a.Alert, why, a.Expr)
			}
		}
		for _, p := range panels(t) {
			for _, target := range p.Targets {
				if why := fault(target.Expr, exported); why != "" {
					t.Errorf("panel %q: %s: %s", p.Title, why, target.Expr)
				}
			}
		}
		for _, c := range []struct{ expr, want string }{
			{"sallyport_nothing", "not exported"}, {"sallyport_http_requests_total", "needs a rate"}, {"rate(sallyport_ready[5m])", "has no rate"},
			{"sum(rate(sallyport_http_request_duration_seconds_bucket[5m]))", "histogram_quantile"}, {"max by (city) (sallyport_ready)", "label city"},
			{"sallyport_ready{city=\"x\"}", "no label city"}, {"rate(sallyport_http_request_duration_seconds[5m])", "is a histogram"},
			{"sum(sallyport_ready[5m])", "nothing that takes one"}, {"rate(sallyport_http_requests_total)", "needs a rate"}, {"1 > 0", "no metric"},
		} {
			if got := fault(c.expr, exported); !strings.Contains(got, c.want) {
				t.Errorf("%s: %q, want %q", c.expr, got, c.want)
			}
		}
	})
}

// docs/operations.md has a section for each alert, and no other.
func TestEveryAlertHasItsSection(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sections, found := strings.Cut(string(text), "\n## Alerts\n")
	if !found {
		t.Fatal("docs/operations.md has no section Alerts")
	}
	all := alerts(t)
	for _, a := range all {
		if strings.Count(sections, "\n### "+a.Alert+"\n") != 1 {
			t.Errorf("docs/operations.md has no section %s, or two", a.Alert)
		}
		if want := "docs/operations.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want {
			t.Errorf("the runbook of %s is %q, want %q", a.Alert, a.Annotations["runbook"], want)
		}
		if a.Annotations["summary"] == "" || !slices.Contains([]string{"page", "ticket"}, a.Labels["severity"]) {
			t.Errorf("%s has the severity %q and the summary %q", a.Alert, a.Labels["severity"], a.Annotations["summary"])
		}
	}
	if n := strings.Count(sections, "\n### Sallyport"); n != len(all) || n < 20 {
		t.Errorf("%d sections for %d alerts", n, len(all))
	}
}

// Panels are on the grid, have unique IDs and do not overlap.
func TestPanelsDoNotOverlap(t *testing.T) {
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range panels(t) {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q of type %s has no ID of its own, no title or no target", p.ID, p.Title, p.Type)
		}
		ids[p.ID] = true
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if refs[target.RefID] {
				t.Errorf("%q has two targets %s", p.Title, target.RefID)
			}
			refs[target.RefID] = true
		}
		g := p.GridPos
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if had := taken[[2]int{x, y}]; had != "" || x >= 24 {
					t.Fatalf("%q is where %q is, or beside the grid", p.Title, had)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	if len(ids) < 20 {
		t.Errorf("%d panels", len(ids))
	}
}
