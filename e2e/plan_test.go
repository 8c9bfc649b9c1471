package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// plan is the diagram of the packages: which leads to which.
type plan map[string][]string

var (
	mermaid = regexp.MustCompile("(?s)```mermaid\n(.*?)```")
	node    = regexp.MustCompile(`^\s*(\w+)\["([\w/]+)(?:<br>[^"]*)?"\]$`)
	arrow   = regexp.MustCompile(`^\s*(\w+) --> (\w+(?: & \w+)*)$`)
)

// readPlan reads every diagram of a document. A node has the same name in all of them.
func readPlan(file string) (plan, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	names, p := map[string]string{}, plan{}
	var arrows [][]string
	for _, diagram := range mermaid.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(diagram[1]) {
			line = strings.TrimRight(line, "\n")
			if m := node.FindStringSubmatch(line); m != nil {
				names[m[1]] = m[2]
				p[m[2]] = nil
			} else if m := arrow.FindStringSubmatch(line); m != nil {
				arrows = append(arrows, m[1:])
			}
		}
	}
	for _, a := range arrows {
		for to := range strings.SplitSeq(a[1], " & ") {
			if names[a[0]] == "" || names[to] == "" {
				return nil, fmt.Errorf("%s: an arrow from %s to %s, which are not both drawn", file, a[0], to)
			}
			p[names[a[0]]] = append(p[names[a[0]]], names[to])
		}
	}
	return p, nil
}

// leads reports whether the arrows lead from one package to another.
func (p plan) leads(from, to string) bool {
	return slices.ContainsFunc(p[from], func(next string) bool { return next == to || p.leads(next, to) })
}

// differences returns what is in the diagram and does not exist, and the reverse.
func (p plan) differences(files []goFile) []string {
	var out []string
	imports := map[string][]string{}
	for _, f := range files {
		if f.test || top(f.dir) == "e2e" || top(f.dir) == "deploy" {
			continue
		}
		if _, ok := imports[f.dir]; !ok {
			imports[f.dir] = nil
			if _, drawn := p[f.dir]; !drawn {
				out = append(out, drawing+" does not draw "+f.dir)
			}
		}
		for _, spec := range f.ast.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				imports[f.dir] = append(imports[f.dir], strings.TrimPrefix(path, module))
			}
		}
	}
	for from, tos := range p {
		if _, ok := imports[from]; !ok {
			out = append(out, drawing+" draws "+from+", which does not exist")
			continue
		}
		for _, to := range tos {
			if !slices.Contains(imports[from], to) {
				out = append(out, fmt.Sprintf("%s has an arrow from %s to %s, but nothing there imports it", drawing, from, to))
			}
		}
	}
	return out
}

// badDiagram is the diagram of a tree that breaks every rule.
const badDiagram = "```mermaid\n" + `flowchart TD
    cmd["cmd/sallyport<br>everything"]
    web["web"]
    login["web/login"]
    page["web/page"]
    oidc["web/oidc"]
    provider["provider"]
    gone["provider/gone"]
    mfa["mfa"]
    storage["storage"]
    relational["storage/relational"]
    seal["storage/seal"]
    config["config"]
    cmd --> config & login & relational
    login --> page & web & provider & mfa & storage
    page --> web & storage
    provider --> mfa
    relational --> storage & seal
    seal --> storage
` + "```\n"
