package peers

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// report has every figure of a run.
type report struct {
	Commit  string
	Machine string
	Slice   string
	Rounds  int
	Peers   []reported
	Missing map[string]string // peers that were left out, and why
	Flows   map[string]map[string]*figures
}

type reported struct{ Name, Version string }

// figures are the slices of a flow of a server, and their median.
type figures struct {
	Median   sample
	Ratio    float64 `json:",omitempty"` // of this server's rate to the peer's
	CPURatio float64 `json:",omitempty"` // of the peer's CPU per operation, database included, to this server's
	Slices   []sample
	Failed   string `json:",omitempty"`
}

func newReport(slice fmt.Stringer, rounds int) *report {
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output()
	return &report{Commit: strings.TrimSpace(string(commit)), Machine: fmt.Sprintf("%d CPUs, %s %s", runtime.NumCPU(), runtime.GOARCH, runtime.Version()),
		Slice: slice.String(), Rounds: rounds, Missing: map[string]string{}, Flows: map[string]map[string]*figures{}}
}

func (r *report) add(p *peer) { r.Peers = append(r.Peers, reported{p.name, p.version}) }

func (r *report) of(flow string, p *peer) *figures {
	if r.Flows[flow] == nil {
		r.Flows[flow] = map[string]*figures{}
	}
	if r.Flows[flow][p.name] == nil {
		r.Flows[flow][p.name] = new(figures)
	}
	return r.Flows[flow][p.name]
}

func (r *report) fail(flow string, p *peer, err error) { r.of(flow, p).Failed = err.Error() }

func (r *report) record(flow string, p *peer, s sample) {
	f := r.of(flow, p)
	f.Slices = append(f.Slices, s)
	for _, field := range []func(*sample) *float64{
		func(s *sample) *float64 { return &s.Rate }, func(s *sample) *float64 { return &s.P50 }, func(s *sample) *float64 { return &s.P99 },
		func(s *sample) *float64 { return &s.Server }, func(s *sample) *float64 { return &s.Database }, func(s *sample) *float64 { return &s.WAL },
		func(s *sample) *float64 { return &s.RSS },
	} {
		var values []float64
		for i := range f.Slices {
			values = append(values, *field(&f.Slices[i]))
		}
		slices.Sort(values)
		*field(&f.Median) = values[len(values)/2]
	}
	ours := r.Flows[flow]["sallyport"]
	for name, other := range r.Flows[flow] {
		if name != "sallyport" && ours != nil && ours.Failed == "" && other.Median.Rate > 0 {
			other.Ratio = ours.Median.Rate / other.Median.Rate
			other.CPURatio = other.Median.cpu() / ours.Median.cpu()
		}
	}
}

func (r *report) save(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// String is the report as tables in Markdown.
func (r *report) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s, %s, %d slices of %s each\n", r.Commit, r.Machine, r.Rounds, r.Slice)
	for _, p := range r.Peers {
		fmt.Fprintf(&out, "%s: %s\n", p.Name, p.Version)
	}
	for name, why := range r.Missing {
		fmt.Fprintf(&out, "%s was left out: %s\n", name, why)
	}
	r.table(&out, "operations per second (this server / peer)", func(f *figures) string {
		if f.Ratio == 0 {
			return fmt.Sprintf("%.0f", f.Median.Rate)
		}
		return fmt.Sprintf("%.0f (%.2f)", f.Median.Rate, f.Ratio)
	})
	r.table(&out, "CPU of server + PostgreSQL, us per operation (peer / this server): it drifts less when something else runs", func(f *figures) string {
		cell := fmt.Sprintf("%.0f + %.0f", f.Median.Server, f.Median.Database)
		if f.CPURatio > 0 {
			cell += fmt.Sprintf(" (%.2f)", f.CPURatio)
		}
		return cell
	})
	r.table(&out, "p50 / p99, ms", func(f *figures) string { return fmt.Sprintf("%.2f / %.2f", f.Median.P50, f.Median.P99) })
	r.table(&out, "WAL, bytes per operation", func(f *figures) string { return fmt.Sprintf("%.0f", f.Median.WAL) })
	r.table(&out, "RSS of the server, MiB", func(f *figures) string { return fmt.Sprintf("%.0f", f.Median.RSS) })
	return out.String()
}

func (r *report) table(out *strings.Builder, title string, cell func(*figures) string) {
	fmt.Fprintf(out, "\n%s\n\n", title)
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(w, "| flow\t")
	rule := "|---\t"
	for _, p := range r.Peers {
		fmt.Fprintf(w, "| %s\t", p.Name)
		rule += "|---\t"
	}
	fmt.Fprintf(w, "|\n%s|\n", rule)
	for _, name := range flows {
		fmt.Fprintf(w, "| %s\t", name)
		for _, p := range r.Peers {
			switch f := r.Flows[name][p.Name]; {
			case f == nil:
				fmt.Fprint(w, "| -\t")
			case f.Failed != "":
				fmt.Fprint(w, "| errors\t")
			default:
				fmt.Fprintf(w, "| %s\t", cell(f))
			}
		}
		fmt.Fprint(w, "|\n")
	}
	_ = w.Flush()
}
