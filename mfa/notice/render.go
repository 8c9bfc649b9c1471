package notice

import (
	"embed"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"path"
	"strings"
	"text/template"
	"time"
	"unicode"

	"sallyport/mfa"
)

//go:embed templates
var files embed.FS

// fallback is the language of messages to users whose own has no texts.
const fallback = "en"

// longest is the most characters a value may have in a message: names are chosen by users.
const longest = 100

// Content is a message as its recipient reads it.
type Content struct {
	Subject string // "": a text message has none
	Text    string
	HTML    string
}

// Renderer renders messages in the languages of the folder templates.
type Renderer struct {
	host, account string
	support       string // the operator's contact; "": none
	languages     map[string]*language
	html          *htmltemplate.Template
}

// language has the texts of one language.
type language struct {
	texts   *template.Template
	methods map[string]string // their names
	layout  string            // of a time
}

// NewRenderer returns a Renderer. host is the host of the issuer, to which browsers bind the
// code of a text message; account is the URL at which users change their factors; methods are
// those that messages name.
func NewRenderer(host, account string, methods []mfa.Info) (*Renderer, error) {
	r := &Renderer{host: host, account: account, languages: map[string]*language{}}
	var err error
	if r.html, err = htmltemplate.ParseFS(files, "templates/mail.html"); err != nil {
		return nil, fmt.Errorf("parse messages: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.txt")
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	for _, name := range names {
		tongue := strings.TrimSuffix(path.Base(name), ".txt")
		l := &language{methods: map[string]string{}}
		// A value that is missing is an error, not an empty place in a message.
		if l.texts, err = template.New(tongue).Option("missingkey=error").ParseFS(files, name); err != nil {
			return nil, fmt.Errorf("parse messages: %w", err)
		}
		if l.layout, err = l.run("time.layout", nil); err != nil {
			return nil, err
		}
		for _, m := range methods {
			if l.methods[m.Name], err = methodName(m, tongue); err != nil {
				return nil, err
			}
		}
		r.languages[tongue] = l
	}
	return r, nil
}

// WithSupport returns the Renderer with the operator's contact, which notices name.
func (r *Renderer) WithSupport(url string) *Renderer {
	with := *r
	with.support = strings.TrimPrefix(url, "mailto:")
	return &with
}

// methodName returns what the pages call a method.
func methodName(m mfa.Info, language string) (string, error) {
	text, err := fs.ReadFile(m.Texts, "messages/"+language+".json")
	if err != nil {
		return "", fmt.Errorf("read texts of %s: %w", m.Name, err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return "", fmt.Errorf("read texts of %s: %w", m.Name, err)
	}
	name, _ := all["method."+m.Name+".short"].(string)
	if name == "" {
		return "", fmt.Errorf("method %s has no name in %q", m.Name, language)
	}
	return name, nil
}

// Render renders a message of the kind Mail or SMS. An error names neither values nor texts.
func (r *Renderer) Render(kind, name, locale string, data map[string]string) (Content, error) {
	tongue, _, _ := strings.Cut(locale, "-")
	l := r.languages[tongue]
	if l == nil {
		tongue, l = fallback, r.languages[fallback]
	}
	values := l.values(data)
	values["account"], values["notme"], values["support"] = r.account, r.account+"/not-me?about="+name, r.support
	if undo := values["undo"]; undo != "" {
		values["undo"] = r.account + "/undo?token=" + undo
	}
	switch kind {
	case Mail:
		return r.mail(l, tongue, name, values)
	case SMS:
		text, err := l.run(name+".sms", values)
		if code, ok := values["code"]; ok && name == Code {
			text += "\n\n@" + r.host + " #" + code
		}
		return Content{Text: text}, err
	}
	return Content{}, fmt.Errorf("messages of the kind %q have no text", kind)
}

func (r *Renderer) mail(l *language, tongue, name string, values map[string]string) (Content, error) {
	subject, err := l.run(name+".subject", values)
	if err != nil {
		return Content{}, err
	}
	text, err := l.run(name+".text", values)
	if err != nil {
		return Content{}, err
	}
	label, err := l.run("link", values)
	if err != nil {
		return Content{}, err
	}
	var html strings.Builder
	err = r.html.Execute(&html, map[string]any{"Language": tongue, "Subject": subject, "Paragraphs": strings.Split(text, "\n\n"), "Code": values["code"],
		"Address": values["notme"], "Label": label, "Links": map[string]bool{values["link"]: true, values["undo"]: true, r.account: true}})
	if err != nil {
		return Content{}, fmt.Errorf("render message %s as HTML", name)
	}
	return Content{Subject: subject, Text: text + "\n", HTML: html.String()}, nil
}

func (l *language) run(name string, values map[string]string) (string, error) {
	var out strings.Builder
	if err := l.texts.ExecuteTemplate(&out, name, values); err != nil {
		// The library's error may quote values.
		return "", fmt.Errorf("render message %s: a text or a value is missing", name)
	}
	return out.String(), nil
}

// values returns the data of a message as its texts show it.
func (l *language) values(data map[string]string) map[string]string {
	out := make(map[string]string, len(data)+1)
	for key, value := range data {
		switch key {
		case "time", "until":
			if at, err := time.Parse(time.RFC3339, value); err == nil {
				value = at.UTC().Format(l.layout)
			}
		case "link": // of the server itself, and longer than a name
			out[key] = harmless(value)
			continue
		case "method":
			if name := l.methods[value]; name != "" {
				value = name
			}
		}
		out[key] = oneLine(value)
	}
	return out
}

// oneLine makes a value harmless, and not a text in itself.
func oneLine(value string) string {
	value = harmless(value)
	if short := []rune(value); len(short) > longest {
		value = string(short[:longest]) + "..."
	}
	return value
}

// harmless changes a value so that it begins no line, and so no header, of its own, and does not
// turn the direction of the text.
func harmless(value string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Join_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(value, ""))
}
