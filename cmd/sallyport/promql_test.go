package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// use is how an expression uses a metric.
type use struct {
	metric string
	within []string // functions around it, from the outside in
	ranged bool     // with a range, as in metric[5m]
	labels []string // those it selects by
}

// scan finds the metrics of a PromQL expression, and the labels it groups by. It knows as
// much of the language as the expressions in deploy need.
func scan(expr string) (uses []use, by []string) {
	var within []string
	grouping := 0 // depth of the list of labels that is open; 0: none
	word := regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	for i := 0; i < len(expr); {
		switch c := expr[i]; {
		case c == '"':
			i += 1 + strings.IndexByte(expr[i+1:], '"') + 1
		case c == '(':
			within, i = append(within, ""), i+1
		case c == ')':
			if len(within) == grouping {
				grouping = 0
			}
			within, i = within[:len(within)-1], i+1
		case c == '[' || c >= '0' && c <= '9' || c == '$':
			i += len(regexp.MustCompile(`^(\[[^\]]*\]|\$?[0-9a-zA-Z_.]+)`).FindString(expr[i:]))
		case word.MatchString(expr[i:]):
			name := word.FindString(expr[i:])
			i += len(name)
			rest := strings.TrimLeft(expr[i:], " ")
			opens := strings.HasPrefix(rest, "(")
			switch {
			case grouping > 0:
				by = append(by, name)
			case slices.Contains([]string{"by", "on", "without", "ignoring"}, name):
				within = append(within, name)
				grouping = len(within)
				i += strings.IndexByte(expr[i:], '(') + 1
			case slices.Contains([]string{"and", "or", "unless", "bool", "offset"}, name):
			case opens:
				within = append(within, name)
				i += strings.IndexByte(expr[i:], '(') + 1
			case strings.HasPrefix(rest, "by"), strings.HasPrefix(rest, "without"):
				// An aggregation that names its labels first: what follows them is within it.
				end := strings.IndexByte(expr[i:], ')')
				for _, l := range strings.Split(expr[i+strings.IndexByte(expr[i:], '(')+1:i+end], ",") {
					by = append(by, strings.TrimSpace(l))
				}
				i += end + 1
				within = append(within, name)
				i += strings.IndexByte(expr[i:], '(') + 1
			default:
				u := use{metric: name, within: slices.Clone(within)}
				selector := regexp.MustCompile(`^\{([^}]*)\}`).FindStringSubmatch(expr[i:])
				if selector != nil {
					i += len(selector[0])
					for _, m := range regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)`).FindAllStringSubmatch(selector[1], -1) {
						u.labels = append(u.labels, m[1])
					}
				}
				u.ranged = strings.HasPrefix(expr[i:], "[")
				uses = append(uses, u)
			}
		default:
			i++
		}
	}
	return uses, by
}

func TestScan(t *testing.T) {
	uses, by := scan(`histogram_quantile(0.99, sum by (le, route) (rate(a_bucket{route!="none",class=~"2xx|(x)"}[5m]))) > 1 and max(b) / 3600 > 2 or (time() - c > 3)`)
	if len(uses) != 3 || !slices.Equal(by, []string{"le", "route"}) {
		t.Fatalf("uses %+v, by %v", uses, by)
	}
	a, b, c := uses[0], uses[1], uses[2]
	if a.metric != "a_bucket" || !a.ranged || !slices.Equal(a.within, []string{"histogram_quantile", "sum", "rate"}) || !slices.Equal(a.labels, []string{"route", "class"}) {
		t.Errorf("a = %+v", a)
	}
	if b.metric != "b" || b.ranged || !slices.Equal(b.within, []string{"max"}) || c.metric != "c" || !slices.Equal(c.within, []string{""}) {
		t.Errorf("b = %+v, c = %+v", b, c)
	}
}
