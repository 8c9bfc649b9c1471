package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything measured, as it is saved.
type report struct {
	At      string   `json:"at"`
	Commit  string   `json:"commit"`
	Machine string   `json:"machine"`
	Results []result `json:"results"`
}

// result is what one run measured.
type result struct {
	Table   string            `json:"table"` // it is printed in
	Flow    string            `json:"flow"`
	Figures map[string]figure `json:"figures"`
}

func newReport() *report {
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	return &report{At: time.Now().UTC().Format(time.RFC3339), Commit: strings.TrimSpace(string(commit)),
		Machine: fmt.Sprintf("%d cores, %s/%s, %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), processor())}
}

// processor returns the name of the processor.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimLeft(line, "\t :")
}

// add adds the result of a run.
func (r *report) add(x run, figures map[string]figure) {
	r.Results = append(r.Results, result{x.table(), x.flow.name, figures})
}

// table names the table that a run is a row of.
func (r run) table() string {
	if r.measure != nil {
		return r.database + ", argon2id, " + strings.TrimRight(r.flow.name, " 0123456789x")
	}
	from := "many addresses"
	if r.place > 0 {
		from = "one address"
	}
	word := "connections"
	if r.connections == 1 {
		word = "connection"
	}
	return fmt.Sprintf("%s, %d %s, %s", r.database, r.connections, word, from)
}

func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

func readReport(file string) (*report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// print prints a table a kind of run, and beside old the ratios.
func (r *report) print(w io.Writer, old *report) {
	fmt.Fprintf(w, "\n%s, commit %s, %s\n", r.At, r.Commit, r.Machine)
	r.tables(w, func(x result, c column) string {
		f, ok := x.Figures[c.key]
		if !ok || c.key == refused+"/s" && f.Value == 0 {
			return ""
		}
		return fmt.Sprintf("%.*f", c.digits, f.Value)
	})
	if old == nil {
		return
	}
	fmt.Fprintf(w, "\nRatios to %s, commit %s, %s.\n%s: worse beyond the noise, %s: better beyond the noise.\n", old.At, old.Commit, old.Machine, worse, better)
	r.tables(w, func(x result, c column) string {
		was, had := old.figure(x, c.key)
		is, has := x.Figures[c.key]
		if !had || !has || was.Value == 0 && is.Value == 0 {
			return ""
		}
		v := compare(was, is, c.better)
		return fmt.Sprintf("%.2f%s", v.ratio, v.mark)
	})
}

// tables prints what cell returns, without columns that are empty.
func (r *report) tables(w io.Writer, cell func(result, column) string) {
	var names []string
	rows := map[string][]result{}
	for _, x := range r.Results {
		if rows[x.Table] == nil {
			names = append(names, x.Table)
		}
		rows[x.Table] = append(rows[x.Table], x)
	}
	for _, name := range names {
		var shown []column
		for _, c := range columns {
			for _, x := range rows[name] {
				if cell(x, c) != "" {
					shown = append(shown, c)
					break
				}
			}
		}
		fmt.Fprintf(w, "\n%s\n", name)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, c := range shown {
			fmt.Fprint(t, c.key, "\t")
		}
		fmt.Fprintln(t, " \t")
		for _, x := range rows[name] {
			for _, c := range shown {
				fmt.Fprint(t, cell(x, c), "\t")
			}
			fmt.Fprint(t, x.Flow, "\t\n")
		}
		_ = t.Flush()
	}
}

// figure returns the figure of the same run.
func (r *report) figure(x result, key string) (figure, bool) {
	for _, y := range r.Results {
		if y.Table == x.Table && y.Flow == x.Flow {
			f, ok := y.Figures[key]
			return f, ok
		}
	}
	return figure{}, false
}
