package page

import (
	"html/template"
	"io"
	"strings"
	"sync"
	"text/template/parse"
)

// pages are the templates of the pages by language and name, with the texts that are the same on
// every page written into them. Each is made when it is first shown, as html/template escapes a
// template when it first executes it: to make them all would be most of a server's start.
type pages map[string]map[string]func() (*template.Template, error)

// newPages parses the pages, for every language of the texts.
func newPages(files layers, texts *catalogue) (pages, error) {
	plain, err := newTemplates(files, texts)
	if err != nil {
		return nil, err
	}
	out := pages{}
	for lang, fixed := range texts.fixed {
		out[lang] = map[string]func() (*template.Template, error){}
		for name, t := range plain {
			out[lang][name] = sync.OnceValues(func() (*template.Template, error) { return withTexts(t, fixed) })
		}
	}
	return out, nil
}

// execute writes a page.
func (p pages) execute(w io.Writer, name string, v *Page) error {
	t, err := p[v.texts][name]()
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}

// withTexts returns a copy of a page with fixed texts in place of the calls that return them.
func withTexts(t *template.Template, fixed map[string]string) (*template.Template, error) {
	t, err := t.Clone()
	if err != nil {
		return nil, err
	}
	// html/template decides at the first execution how each place is escaped. Without data this
	// one fails afterwards, and that does not matter.
	_ = t.Execute(io.Discard, nil)
	for _, part := range t.Templates() {
		if part.Tree != nil {
			write(part.Tree.Root, fixed)
		}
	}
	return t, nil
}

// write replaces the calls in a list of nodes and in those below.
func write(list *parse.ListNode, fixed map[string]string) {
	if list == nil {
		return
	}
	for i, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			key := keyOf(n.Pipe)
			if text := fixed[key]; key != "" && text != "" && !strings.ContainsAny(text, "\x00\"&'+<>") {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(text)}
			}
		case *parse.IfNode:
			write(n.List, fixed)
			write(n.ElseList, fixed)
		case *parse.RangeNode:
			write(n.List, fixed)
			write(n.ElseList, fixed)
		case *parse.WithNode:
			write(n.List, fixed)
			write(n.ElseList, fixed)
		}
	}
}

// keyOf returns KEY of {{.T "KEY"}} where HTML is escaped as in an element or a quoted attribute,
// and "" for everything else: there, a text with none of the characters above is written as it is.
func keyOf(p *parse.PipeNode) string {
	if len(p.Decl) > 0 || len(p.Cmds) != 2 || len(p.Cmds[0].Args) != 2 {
		return ""
	}
	switch p.Cmds[1].String() {
	case "_html_template_htmlescaper", "_html_template_attrescaper", "_html_template_rcdataescaper":
	default:
		return ""
	}
	call, key := p.Cmds[0].Args[0].String(), p.Cmds[0].Args[1]
	if text, ok := key.(*parse.StringNode); ok && (call == ".T" || call == "$.T") {
		return text.Text
	}
	return ""
}
