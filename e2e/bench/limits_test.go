package bench

import "strings"

// addLimits compares the rate of each flow with what bounds it: what the machine allows of its
// dearest part over as many connections, or for a login with a code, the login without.
func (r *report) addLimits() {
	for _, x := range r.Results {
		limit, ok := r.limit(x)
		if !ok || limit == 0 {
			continue
		}
		f := x.Figures["ops/s"]
		share := func(v float64) float64 { return 100 * v / limit }
		x.Figures["of-limit-%"] = figure{share(f.Value), share(f.Min), share(f.Median), share(f.Max)}
	}
}

// limit returns the operations per second that bound a flow.
func (r *report) limit(x result) (float64, bool) {
	database, rest, _ := strings.Cut(x.Table, ",")
	connections, _, ok := strings.Cut(rest, ",")
	if database == machine || !ok {
		return 0, false
	}
	rate := func(table, flow string) (float64, bool) {
		f, ok := r.figure(result{Table: table, Flow: flow}, "ops/s")
		return f.Value, ok
	}
	alone := machine + "," + connections + ", many addresses"
	kind, cost, _ := strings.Cut(x.Flow, "/")
	switch {
	case strings.HasPrefix(cost, "argon2id"):
		return rate(alone, onlyHash)
	case kind == "totp":
		return rate(x.Table, strings.Replace(x.Flow, "totp", "login", 1))
	case x.Figures["commits"].Value >= 0.5:
		commits, ok := rate(alone, database+onlyCommit)
		return commits / x.Figures["commits"].Value, ok
	}
	return rate(alone, onlyHTTP)
}
