package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Markdown returns a reference in the form of the documents.
func Markdown(sections []Section) string {
	var b strings.Builder
	for i, s := range sections {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s\n\n", s.heading())
		if s.Path != "" { // the document describes the whole
			b.WriteString(s.Text + "\n\n")
		}
		settings := slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.Variable != "" })
		if settings {
			b.WriteString("| key | variable | type | default | bounds | what it is |\n|---|---|---|---|---|---|\n")
		} else {
			b.WriteString("| key | type | what it is |\n|---|---|---|\n")
		}
		for _, e := range s.Entries {
			cells := []string{"`" + Join(s.Path, e.Key) + "`", "`" + e.Variable + "`", e.Type, cmp.Or(e.Default, "none"), cmp.Or(e.Bounds, "-"), strings.ReplaceAll(e.Text, "|", `\|`)}
			if !settings {
				cells = []string{"`" + e.Key + "`", e.Type, cells[5]}
			}
			b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		}
	}
	return b.String()
}

func (s Section) heading() string {
	if s.Path == "" {
		return "The file"
	}
	return "`" + s.Path + "`"
}

// Plain returns a reference for a terminal, in lines of 79 characters.
func Plain(sections []Section) string {
	var b strings.Builder
	for _, s := range sections {
		for _, e := range s.Entries {
			facts := []string{e.Type}
			if e.Default != "" {
				facts = append(facts, "default "+e.Default)
			}
			if e.Bounds != "" {
				facts = append(facts, e.Bounds)
			}
			fmt.Fprintf(&b, "%s  (%s)\n", Join(s.Path, e.Key), strings.Join(facts, "; "))
			if e.Variable != "" {
				fmt.Fprintf(&b, "    %s\n", e.Variable)
			}
			b.WriteString(wrapped(strings.ReplaceAll(e.Text, "`", ""), "    ", 79) + "\n")
		}
	}
	return b.String()
}

func wrapped(text, indent string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		if column > 0 && column+1+len(word) > width {
			b.WriteString("\n")
			column = 0
		}
		lead := " "
		if column == 0 {
			lead = indent
		}
		b.WriteString(lead + word)
		column += len(lead) + len(word)
	}
	return b.String() + "\n"
}
