package page

import (
	"fmt"
	"html/template"
	"io/fs"
	"regexp"
	"strings"
	"text/template/parse"
)

const layout = "layout.html"

// newTemplates parses the pages, each with the layout.
func newTemplates(files layers, texts *catalogue) (map[string]*template.Template, error) {
	all, err := files.names("templates")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	around, err := template.New(layout).Option("missingkey=error").ParseFS(files, "templates/"+layout)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	out := map[string]*template.Template{}
	for _, name := range all {
		if err := checkNonces(files, name); err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		if name == layout {
			continue
		}
		one, err := around.Clone()
		if err != nil {
			return nil, err
		}
		if _, err = one.ParseFS(files, "templates/"+name); err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
		for _, part := range one.Templates() {
			if err := checkTexts(part.Tree.Root, texts); err != nil {
				return nil, fmt.Errorf("template %s: %w", name, err)
			}
		}
		out[strings.TrimSuffix(name, ".html")] = one
	}
	return out, nil
}

var (
	// active are the tags that the policy of a page must allow.
	active = regexp.MustCompile(`(?is)<(?:script|style|link)\b(?:\{\{.*?\}\}|[^>])*>`)
	icon   = regexp.MustCompile(`(?is)^<link\b(?:\{\{.*?\}\}|[^>])*\brel="icon"`)
	nonce  = regexp.MustCompile(`\bnonce="\{\{\s*\$?\.Nonce\s*\}\}"`)
	inline = regexp.MustCompile(`(?i)<[a-z](?:\{\{.*?\}\}|[^>])*\s(style|on[a-z]+)\s*=`)
)

// checkNonces finds scripts and styles that the policy of a page would block.
func checkNonces(files layers, name string) error {
	text, err := fs.ReadFile(files, "templates/"+name)
	if err != nil {
		return err
	}
	for _, tag := range active.FindAllString(string(text), -1) {
		if !nonce.MatchString(tag) && !icon.MatchString(tag) {
			return fmt.Errorf(`%s needs nonce="{{.Nonce}}", or browsers block it`, tag)
		}
	}
	if m := inline.FindStringSubmatch(string(text)); m != nil {
		return fmt.Errorf("browsers ignore the attribute %s: the policy of pages allows no inline scripts and styles", m[1])
	}
	return nil
}

// checkTexts finds keys without a text.
func checkTexts(n parse.Node, texts *catalogue) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, m := range n.Nodes {
			if err := checkTexts(m, texts); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		return checkTexts(n.Pipe, texts)
	case *parse.IfNode:
		return checkBranch(&n.BranchNode, texts)
	case *parse.RangeNode:
		return checkBranch(&n.BranchNode, texts)
	case *parse.WithNode:
		return checkBranch(&n.BranchNode, texts)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		for _, c := range n.Cmds {
			if err := checkTexts(c, texts); err != nil {
				return err
			}
		}
	case *parse.CommandNode:
		return checkCommand(n, texts)
	}
	return nil
}

func checkBranch(n *parse.BranchNode, texts *catalogue) error {
	for _, m := range []parse.Node{n.Pipe, n.List, n.ElseList} {
		if err := checkTexts(m, texts); err != nil {
			return err
		}
	}
	return nil
}

func checkCommand(n *parse.CommandNode, texts *catalogue) error {
	for _, arg := range n.Args {
		if err := checkTexts(arg, texts); err != nil {
			return err
		}
	}
	if len(n.Args) < 2 || !strings.HasSuffix(n.Args[0].String(), ".T") {
		return nil
	}
	key, ok := n.Args[1].(*parse.StringNode)
	if ok && !texts.keys[key.Text] {
		return fmt.Errorf("there is no text %q", key.Text)
	}
	return nil
}
