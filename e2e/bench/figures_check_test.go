package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAPercentileIsTheSmallestValueThatEnoughDoNotExceed(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, x := range []struct {
		sorted []float64
		share  float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7}, {[]float64{7}, 0.99, 7},
		{[]float64{1, 2}, 0.5, 1}, {[]float64{1, 2, 3}, 0.5, 2}, {[]float64{1, 2, 3}, 0.99, 3},
		{hundred, 0.5, 50}, {hundred, 0.95, 95}, {hundred, 0.99, 99}, {hundred, 1, 100},
	} {
		if got := percentile(x.sorted, x.share); got != x.want {
			t.Errorf("percentile(%d values, %v) = %v, want %v", len(x.sorted), x.share, got, x.want)
		}
	}
}

func TestAChangeIsOneIfThePartsOfBothRunsDoNotOverlap(t *testing.T) {
	at := func(low, value, high float64) figure { return figure{Value: value, Min: low, Median: value, Max: high} }
	for name, x := range map[string]struct {
		was, is   figure
		direction int
		want      verdict
	}{
		"the same":               {at(90, 100, 110), at(90, 100, 110), 1, verdict{1, ""}},
		"slower within noise":    {at(90, 100, 110), at(85, 95, 105), 1, verdict{0.95, ""}},
		"slower":                 {at(90, 100, 110), at(70, 80, 89), 1, verdict{0.8, worse}},
		"faster":                 {at(90, 100, 110), at(111, 120, 130), 1, verdict{1.2, better}},
		"costs more":             {at(90, 100, 110), at(111, 120, 130), -1, verdict{1.2, worse}},
		"costs less":             {at(90, 100, 110), at(70, 80, 89), -1, verdict{0.8, better}},
		"one statement more":     {at(3, 3, 3), at(4, 4, 4), -1, verdict{4.0 / 3, worse}},
		"too little to be one":   {at(1000, 1000, 1000), at(1009, 1009, 1009), -1, verdict{1.009, ""}},
		"nothing before or now":  {at(0, 0, 0), at(0, 0, 0), -1, verdict{1, ""}},
		"nothing before, now is": {at(0, 0, 0), at(2, 2, 2), -1, verdict{1e6, worse}},
	} {
		if got := compare(x.was, x.is, x.direction); got.mark != x.want.mark || fmt.Sprintf("%.3f", got.ratio) != fmt.Sprintf("%.3f", x.want.ratio) {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}

func TestFiguresAreOfTheWholeRunAndTheirRangeOfItsParts(t *testing.T) {
	// One part has two operations of 10 ms in a second, the other four of 20 ms.
	samples := []sample{{200 * time.Millisecond, 10 * time.Millisecond}, {time.Second, 10 * time.Millisecond}}
	for i := range 4 {
		samples = append(samples, sample{time.Duration(1200+200*i) * time.Millisecond, 20 * time.Millisecond})
	}
	samples = append(samples, sample{3 * time.Second, time.Second}) // ended after the last mark
	at := func(seconds int, cpu time.Duration, statements, wal int64) mark {
		m := mark{at: time.Duration(seconds) * time.Second}
		m.used.CPU, m.used.Statements, m.used.database = cpu, statements, databaseUsage{CPU: cpu, WAL: wal}
		return m
	}
	got := summarize(samples, []mark{at(0, 0, 100, 1), at(1, time.Second, 106, 601), at(2, 2*time.Second, 118, 1201)})
	for key, want := range map[string]figure{
		"ops/s":      {Value: 3, Min: 2, Median: 2, Max: 4},
		"p50-ms":     {Value: 20, Min: 10, Median: 10, Max: 20},
		"server-us":  {Value: 2e6 / 6, Min: 250_000, Median: 250_000, Max: 500_000},
		"statements": {Value: 3, Min: 3, Median: 3, Max: 3},
		"wal-bytes":  {Value: 200, Min: 150, Median: 150, Max: 300},
	} {
		if fmt.Sprintf("%.3f", got[key]) != fmt.Sprintf("%.3f", want) {
			t.Errorf("%s = %+v, want %+v", key, got[key], want)
		}
	}
}

func TestARunThatOnlyMetRefusalsSaysSo(t *testing.T) {
	got := summarize(nil, []mark{{}, {at: time.Second, refused: 4}, {at: 2 * time.Second, refused: 10}})
	if want := (figure{Value: 5, Min: 4, Median: 4, Max: 6}); got["refused/s"] != want || got["ops/s"] != (figure{}) || len(got) != 2 {
		t.Errorf("figures = %+v, want refused/s %+v", got, want)
	}
}

func TestAFlowIsLimitedByItsDearestPart(t *testing.T) {
	rate := func(table, flow string, ops, commits float64) result {
		return result{table, flow, map[string]figure{"ops/s": {Value: ops, Min: ops, Median: ops, Max: ops}, "commits": {Value: commits}}}
	}
	const of8, of1, alone = "SQLite, 8 connections, many addresses", "SQLite, 1 connection, many addresses", "machine, 8 connections, many addresses"
	r := &report{Results: []result{
		rate(alone, onlyHash, 80, 0), rate(alone, onlyHTTP, 40_000, 0), rate(alone, sqlite+onlyCommit, 2000, 0), rate(alone, postgreSQL+onlyCommit, 9000, 0),
		rate(of8, "login/argon2id/ES256", 60, 5), rate(of8, "login/free/ES256", 200, 5), rate(of8, "totp/free/ES256", 150, 7),
		rate(of8, "discovery", 10_000, 0), rate(of8, "refresh", 500, 1), rate(of1, "discovery", 5000, 0),
	}}
	r.addLimits()
	for flow, want := range map[string]float64{"login/argon2id/ES256": 75, "login/free/ES256": 50, "totp/free/ES256": 75, "discovery": 25, "refresh": 25} {
		if got, _ := r.figure(result{Table: of8, Flow: flow}, "of-limit-%"); got.Value != want {
			t.Errorf("%s reaches %v %%, want %v", flow, got.Value, want)
		}
	}
	if got, ok := r.figure(result{Table: of1, Flow: "discovery"}, "of-limit-%"); ok {
		t.Errorf("without a limit over one connection: %v %%", got)
	}
}

func TestASavedReportComparesWithItself(t *testing.T) {
	r := &report{At: "now", Commit: "c", Machine: "m", Results: []result{{"T", "login", map[string]figure{"ops/s": {100, 90, 100, 110}, "statements": {3, 3, 3, 3}}}}}
	file := filepath.Join(t.TempDir(), "b.json")
	if err := r.write(file); err != nil {
		t.Fatal(err)
	}
	old, err := readReport(file)
	if err != nil {
		t.Fatal(err)
	}
	r.Results[0].Figures["statements"] = figure{4, 4, 4, 4}
	var out strings.Builder
	r.print(&out, old)
	for _, want := range []string{"ops/s  statements", "100        4.00  login", "1.00       1.33-  login"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}

func TestCPUOfATreeCountsChildrenThatEnded(t *testing.T) {
	proc := t.TempDir()
	for pid, line := range map[int]string{
		10: "10 (postgres) S 1 10 10 0 -1 0 0 0 0 0 1 2 30 40 20 0 1 0 5 0 0",
		11: "11 (postgres: a (b) c) S 10 10 10 0 -1 0 0 0 0 0 100 200 7 7 20 0 1 0 5 0 0",
		12: "12 (other) S 1 12 12 0 -1 0 0 0 0 0 1000 1000 0 0 20 0 1 0 5 0 0",
	} {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := treeCPU(proc, 10); err != nil || got != 3730*time.Millisecond {
		t.Errorf("CPU = %v, %v, want 3.73s", got, err)
	}
	if _, err := treeCPU(proc, 13); err == nil {
		t.Error("a process that has ended has a CPU time")
	}
}

func TestAUserSpendsACodeOnce(t *testing.T) {
	p, now := newPeople(2), time.Unix(3000, 0)
	seen := map[[2]int64]bool{}
	for range 4 {
		user, step, err := p.next(true, now)
		if err != nil || seen[[2]int64{int64(user), step}] || step < 100 || step > 101 {
			t.Fatalf("user %d, step %d, %v", user, step, err)
		}
		seen[[2]int64{int64(user), step}] = true
	}
	if _, _, err := p.next(true, now); err == nil {
		t.Error("a fifth code of two users")
	}
	if _, step, err := p.next(true, now.Add(30*time.Second)); err != nil || step != 102 {
		t.Errorf("step %d, %v, want 102", step, err)
	}
}
