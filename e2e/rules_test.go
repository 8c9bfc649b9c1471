package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// ruleLine is a row that defines a rule: its anchor and its number.
	ruleLine = regexp.MustCompile(`(?m)^\| <a id="([a-z]-\d+)"></a>([A-Z]-\d+) \|`)
	// ruleCited is a letter of the rules and a number, and no part of a longer word or
	// number, such as AES-256, SHA-1, UTF-8, P-256 and 2026-11-29.
	ruleCited = regexp.MustCompile(`(?:^|[^\w.\-])([SBMTNOHLRG]-\d{1,3})(?:[^\w\-]|$)`)
	// unnumbered speaks of a rule by a number without a letter.
	unnumbered = regexp.MustCompile(`\b(?:[Rr]ulings?|[Rr]ules?) \d+`)
	// decisionCited names a decision, or several, by number.
	decisionCited = regexp.MustCompile(`\b[Dd]ecisions?[ /]\d{4}(?:(?:, | and )\d{4})*`)
	number        = regexp.MustCompile(`\d{4}`)
)

// misquoted returns what the texts below root cite and docs does not have.
func misquoted(root string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "rules.md"))
	if err != nil {
		return nil, err
	}
	var out []string
	rules := map[string]bool{}
	for _, m := range ruleLine.FindAllStringSubmatch(string(text), -1) {
		if rules[m[2]] {
			out = append(out, "docs/rules.md has "+m[2]+" twice")
		}
		if m[1] != strings.ToLower(m[2]) {
			out = append(out, "docs/rules.md has "+m[2]+" at "+m[1])
		}
		rules[m[2]] = true
	}
	kinds := []string{".go", ".md", ".sql", ".yaml", ".yml", ".html", ".mjs", ".js", ".css"}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || !slices.Contains(kinds, filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		for _, fault := range misquotes(root, string(text), rules) {
			out = append(out, filepath.ToSlash(below)+" "+fault)
		}
		return nil
	})
	return out, err
}

// misquotes returns the faults of one text.
func misquotes(root, text string, rules map[string]bool) []string {
	var out []string
	// Comments break lines between a word and its number.
	text = regexp.MustCompile(`\s*\n\s*(?://|--|#)? *`).ReplaceAllString(text, " ")
	for rest := text; ; {
		at := ruleCited.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		if cited := rest[at[2]:at[3]]; !rules[cited] {
			out = append(out, "cites "+cited+", which docs/rules.md does not have")
		}
		rest = rest[at[3]:] // the end of one may begin the next
	}
	for _, cited := range unnumbered.FindAllString(text, -1) {
		out = append(out, "cites "+cited+": a rule has a letter")
	}
	for _, cited := range decisionCited.FindAllString(text, -1) {
		for _, n := range number.FindAllString(cited, -1) {
			if found, err := filepath.Glob(filepath.Join(root, "docs", "decisions", n+"-*.md")); err != nil || len(found) != 1 {
				out = append(out, "cites decision "+n+", which docs/decisions does not have")
			}
		}
	}
	return out
}

// TestCitationsResolve checks that every cited rule and decision exists.
func TestCitationsResolve(t *testing.T) {
	faults, err := misquoted("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestCitationsCatchesEveryKindOfFault(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "docs/rules.md"), "| <a id=\"r-1\"></a>R-1 | x |\n| <a id=\"r-1\"></a>R-1 | x |\n| <a id=\"r-3\"></a>R-2 | x |\n")
	write(t, filepath.Join(root, "docs/decisions/0001-x.md"), "Decisions 0001 and\n0002, docs/decisions/0003.\n")
	// The numbers are put together here, or they would be citations of this file.
	r, ruling, rule := "R-", "rul"+"ing 13", "ru"+"le 37"
	write(t, filepath.Join(root, "a.go"), "package a\n\n// "+r+"1,"+r+"8 ("+r+"9), "+ruling+"; "+rule+".\n")
	write(t, filepath.Join(root, "b.sql"), "-- AES-256, SHA-1, UTF-8, P-256, S256, 800-63B-4, XR-7, "+r+"7x, "+r+"7-1, A-7\n")
	got, err := misquoted(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"docs/rules.md has R-1 twice",
		"docs/rules.md has R-2 at r-3",
		"a.go cites " + r + "8, which docs/rules.md does not have",
		"a.go cites " + r + "9, which docs/rules.md does not have",
		"a.go cites " + ruling + ": a rule has a letter",
		"a.go cites " + rule + ": a rule has a letter",
		"docs/decisions/0001-x.md cites decision 0002, which docs/decisions does not have",
		"docs/decisions/0001-x.md cites decision 0003, which docs/decisions does not have",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
