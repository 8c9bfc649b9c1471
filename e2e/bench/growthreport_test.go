package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// growthReport is what BenchmarkGrowth measured, as it is saved.
type growthReport struct {
	*report
	Operations []measuredOperation `json:"operations"`
	Tables     []weight            `json:"tables"`
	Sweeping   sweeping            `json:"sweeping"`
}

func (r *growthReport) printGrowth(w io.Writer) {
	fmt.Fprintf(w, "\n%s, commit %s, %s\n\n", r.At, r.Commit, r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "operation\tusers\tcount\tp50-ms\tp99-ms\tratio\tscanned\tspilled\t")
	for _, o := range r.Operations {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t\n", o.Operation, o.Users, o.Count, o.P50, o.P99, o.Ratio, o.Scanned, o.Sorted)
	}
	fmt.Fprintln(t, "\ntable\tusers\trows\theap-MiB\tindexes-MiB\tbytes/row\t\t\t")
	for _, x := range r.Tables {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.1f\t%.1f\t%.0f\t\t\t\n", x.Table, x.Users, x.Rows, float64(x.Heap)/(1<<20), float64(x.Indexes)/(1<<20), x.bytesARow())
	}
	_ = t.Flush()
	s := r.Sweeping
	fmt.Fprintf(w, "\nsweep beside %.0f logins/s, %d users: p50 %.2f -> %.2f ms, p99 %.2f -> %.2f ms, %.0f rows/s removed, %.0f times what the logins write\n",
		s.LoginsASecond, s.Users, s.P50Without, s.P50With, s.P99Without, s.P99With, s.SweptASecond, s.TimesPeak)
}

func (w weight) bytesARow() float64 { return float64(w.Heap+w.Indexes) / float64(max(1, w.Rows)) }

// drawAgain draws the figures of an earlier run.
func drawAgain(g growth) error {
	text, err := os.ReadFile(g.from)
	if err != nil {
		return err
	}
	r := &growthReport{report: new(report)}
	if err := json.Unmarshal(text, r); err != nil {
		return fmt.Errorf("%s: %w", g.from, err)
	}
	return r.draw(g.charts)
}

// draw writes charts into a folder; "": none.
func (r *growthReport) draw(folder string) error {
	if folder == "" {
		return nil
	}
	for name, text := range map[string]string{"growth-times.svg": r.times(), "growth-sizes.svg": r.sizes()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // a picture for everybody
			return err
		}
	}
	return nil
}

const chartWidth, chartRow = 720, 24

// chart begins a picture that follows the reader's colours. Text has the font of the page.
func chart(height int, title, words string) *strings.Builder {
	b := new(strings.Builder)
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .quiet { fill: #59636e } .end { text-anchor: end }
.a { fill: #0969da } .b { fill: #8ec5ff } .c { fill: #a40e26 } .goal { stroke: #a40e26; stroke-dasharray: 4 3 } .axis { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .quiet { fill: #9198a1 } .a { fill: #4493f8 } .b { fill: #1f4f8f } .c { fill: #ff7b72 } .goal { stroke: #ff7b72 } .axis { stroke: #3d444d }
}
</style>
<text class="title" x="0" y="16">%s</text>
`, chartWidth, height, chartWidth, height, words, title)
	return b
}

// times draws the ratios of every operation as dots on a scale.
func (r *growthReport) times() string {
	var names []string
	of := map[string][]measuredOperation{}
	most := 1.6
	for _, o := range r.Operations {
		if of[o.Operation] == nil {
			names = append(names, o.Operation)
		}
		of[o.Operation] = append(of[o.Operation], o)
		most = max(most, min(o.Ratio*1.05, 3))
	}
	smallest := r.Operations[0].Users
	const left, top, right = 210, 44, 130
	x := func(ratio float64) float64 {
		return left + (chartWidth-left-right)*min(ratio, most)/most
	}
	height := top + chartRow*len(names) + 30
	b := chart(height, "Median time of an operation, as a multiple of that with "+people10(smallest)+" users", "How operations grow with the number of users")
	for _, mark := range []float64{1, 1.2} {
		class, side := "axis", "end"
		if mark != 1 {
			class, side = "goal", "start"
		}
		fmt.Fprintf(b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", class, x(mark), x(mark), top-10, height-26)
		fmt.Fprintf(b, `<text class="quiet %s" x="%.1f" y="%d">%g</text>`+"\n", side, x(mark), height-10, mark)
	}
	for i, name := range names {
		y := top + chartRow*i + 6
		fmt.Fprintf(b, `<text class="end" x="%d" y="%d">%s</text>`+"\n", left-12, y+4, name)
		for k, o := range of[name] {
			class, radius := "b", 5
			if k == len(of[name])-1 {
				class, radius = "a", 6
			}
			fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%d" r="%d"><title>%s users: %.2f ms</title></circle>`+"\n", class, x(o.Ratio), y, radius, people10(o.Users), o.P50)
		}
		last := of[name][len(of[name])-1]
		fmt.Fprintf(b, `<text class="quiet end" x="%d" y="%d">%.2f, %.1f ms</text>`+"\n", chartWidth, y+4, last.Ratio, last.P50)
	}
	fmt.Fprintf(b, `<text class="quiet end" x="%d" y="%d">%s users</text>`+"\n</svg>\n", chartWidth, height-10, people10(r.largest()))
	return b.String()
}

func (r *growthReport) largest() int {
	return slices.MaxFunc(r.Operations, func(a, b measuredOperation) int { return cmp.Compare(a.Users, b.Users) }).Users
}

// sizes draws the largest tables of the largest database.
func (r *growthReport) sizes() string {
	var tables []weight
	var most int64
	for _, w := range r.Tables {
		if w.Users == r.largest() {
			tables, most = append(tables, w), max(most, w.Heap+w.Indexes)
		}
	}
	const left, top, right = 130, 44, 170
	height := top + chartRow*len(tables) + 26
	b := chart(height, "Tables with "+people10(r.largest())+" users: rows, and their indexes", "Sizes of tables and indexes")
	for i, w := range tables {
		y := top + chartRow*i
		scale := float64(chartWidth-left-right) / float64(most)
		heap, indexes := float64(w.Heap)*scale, float64(w.Indexes)*scale
		fmt.Fprintf(b, `<text class="end" x="%d" y="%d">%s</text><rect class="a" x="%d" y="%d" width="%.1f" height="14"/><rect class="b" x="%.1f" y="%d" width="%.1f" height="14"/>`+"\n",
			left-12, y+4, w.Table, left, y-7, heap, left+heap, y-7, indexes)
		fmt.Fprintf(b, `<text class="quiet end" x="%d" y="%d">%s, %.0f B a row</text>`+"\n", chartWidth, y+4, mebibytes(w.Heap+w.Indexes), w.bytesARow())
	}
	fmt.Fprintf(b, `<text class="quiet" x="%d" y="%d">left: rows, right: indexes</text>`+"\n</svg>\n", left, height-8)
	return b.String()
}

func mebibytes(n int64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// people10 writes a number of users as people say it.
func people10(n int) string {
	for _, x := range []struct {
		of   int
		word string
	}{{1_000_000, " million"}, {1_000, ",000"}} {
		if n >= x.of && n%x.of == 0 {
			return fmt.Sprint(n/x.of) + x.word
		}
	}
	return fmt.Sprint(int(math.Round(float64(n))))
}
