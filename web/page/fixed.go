package page

import (
	"html/template"
	"io"
	"regexp"
	"strings"
	"sync"
	"text/template/parse"
)

// pages are the templates of the pages by language and name, with the texts and values that are the
// same on every page written into them. Each is made when it is first shown, as html/template escapes
// a template when it first executes it: to make them all would be most of a server's start.
type pages map[string]map[string]func() (*template.Template, error)

// fixed is what is the same on every page in a language.
type fixed struct {
	texts  map[string]string // by key
	values map[string]string // by field of Page
}

// newPages parses the pages, for every language of the texts. Fields of Page with values have the
// same ones on every page.
func newPages(files layers, texts *catalogue, values map[string]string) (pages, error) {
	plain, err := newTemplates(files, texts)
	if err != nil {
		return nil, err
	}
	out := pages{}
	for lang, keys := range texts.fixed {
		out[lang] = map[string]func() (*template.Template, error){}
		for name, t := range plain {
			out[lang][name] = sync.OnceValues(func() (*template.Template, error) { return fixed{keys, values}.in(t) })
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

// in returns a copy of a page with what is fixed in place of what returns it.
func (f fixed) in(t *template.Template) (*template.Template, error) {
	t, err := t.Clone()
	if err != nil {
		return nil, err
	}
	// html/template decides at the first execution how each place is escaped. Without data this
	// one fails afterwards, and that does not matter.
	_ = t.Execute(io.Discard, nil)
	for _, part := range t.Templates() {
		if part.Tree != nil {
			f.write(part.Tree.Root, true)
		}
	}
	return t, nil
}

// write replaces the actions in a list of nodes and in those below; page: "." is the page there.
func (f fixed) write(list *parse.ListNode, page bool) {
	if list == nil {
		return
	}
	for i, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if text := f.text(n.Pipe, page); text != "" {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(text)}
			}
		case *parse.IfNode:
			f.write(n.List, page)
			f.write(n.ElseList, page)
		case *parse.RangeNode:
			f.write(n.List, false)
			f.write(n.ElseList, page)
		case *parse.WithNode:
			f.write(n.List, false)
			f.write(n.ElseList, page)
		}
	}
}

// text returns what is written for {{.T "KEY"}} and {{.Field}} with a fixed text or value, and "" if
// that is not the same everywhere or has a character that is escaped there.
func (f fixed) text(p *parse.PipeNode, page bool) string {
	if len(p.Decl) > 0 || len(p.Cmds) < 2 {
		return ""
	}
	text, args := "", p.Cmds[0].Args
	switch name := args[0].String(); {
	case len(args) == 2 && (name == ".T" || name == "$.T"):
		if key, ok := args[1].(*parse.StringNode); ok {
			text = f.texts[key.Text]
		}
	case len(args) == 1 && strings.HasPrefix(name, "$."):
		text = f.values[name[2:]]
	case len(args) == 1 && strings.HasPrefix(name, ".") && page:
		text = f.values[name[1:]]
	}
	for _, escaper := range p.Cmds[1:] {
		switch escaper.String() {
		case "_html_template_htmlescaper", "_html_template_attrescaper", "_html_template_rcdataescaper":
			if strings.ContainsAny(text, "\x00\"&'+<>") {
				return ""
			}
		case "_html_template_urlfilter", "_html_template_urlnormalizer":
			if !plainPath.MatchString(text) {
				return ""
			}
		default:
			return ""
		}
	}
	return text
}

// plainPath is a path that is written into addresses as it is.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]*$`)
