package details

import (
	"fmt"
	"os"
	"regexp"
	"slices"

	"sallyport/config/strict"
	"sallyport/input"
)

// Types are the types of authorization details that the server knows. nil: none.
type Types struct {
	// Types, at most 100.
	Types []Type `yaml:"types"`
}

// Type is one of them.
type Type struct {
	// Name is the member type of details, such as payment_initiation or a URI.
	Name string `yaml:"type"`
	// Title says to users what it allows, by language: "en" and others.
	Title map[string]string `yaml:"title"`
	// Members are all that details of the type may have besides type, in the order they are shown.
	Members []Member `yaml:"members"`
}

// Member is a member of details. Its value is any JSON, or one of Values, or a list of those.
type Member struct {
	Name     string            `yaml:"name"`
	Title    map[string]string `yaml:"title"`
	Required bool              `yaml:"required"`
	Values   []string          `yaml:"values"`
}

const (
	maxTypes   = 100
	maxMembers = 50
)

var (
	validType = regexp.MustCompile(`^[!#-\[\]-~]{1,255}$`)
	language  = regexp.MustCompile(`^[a-z]{2}$`)
)

// Open reads the file of the operator.
func Open(path string) (*Types, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Read(path, text)
}

// Read reads types as the operator writes them. The error lists every fault.
func Read(source string, text []byte) (*Types, error) {
	var t Types
	r := strict.Decode(source, text, &t)
	r.BeginChecks()
	t.check(r.Report)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &t, nil
}

func (t *Types) check(fault func(path, text string)) {
	if len(t.Types) > maxTypes {
		fault("types", fmt.Sprintf("must have at most %d entries", maxTypes))
	}
	for i, typ := range t.Types {
		path := fmt.Sprintf("types[%d]", i)
		if !validType.MatchString(typ.Name) {
			fault(path+".type", "is required: 1 to 255 printable ASCII characters without spaces")
		}
		if slices.ContainsFunc(t.Types[:i], func(o Type) bool { return o.Name == typ.Name }) {
			fault(path+".type", "is named twice")
		}
		checkTitle(fault, path+".title", typ.Title)
		if len(typ.Members) > maxMembers {
			fault(path+".members", fmt.Sprintf("must have at most %d entries", maxMembers))
		}
		for j, m := range typ.Members {
			inner := fmt.Sprintf("%s.members[%d]", path, j)
			if !validType.MatchString(m.Name) || m.Name == "type" {
				fault(inner+".name", "is required: 1 to 255 printable ASCII characters without spaces, not type")
			}
			if slices.ContainsFunc(typ.Members[:j], func(o Member) bool { return o.Name == m.Name }) {
				fault(inner+".name", "is named twice")
			}
			checkTitle(fault, inner+".title", m.Title)
		}
	}
}

func checkTitle(fault func(path, text string), path string, title map[string]string) {
	if title["en"] == "" {
		fault(path, "needs a text in en")
	}
	for _, lang := range strict.SortedKeys(title) {
		text := title[lang]
		if !language.MatchString(lang) {
			fault(path, "has names of languages such as en and de")
		}
		if text == "" || len(text) > 200 || !input.Shown(text) {
			fault(path, "has texts of 1 to 200 bytes without control characters")
		}
	}
}

// Names returns the names of the types.
func (t *Types) Names() []string {
	if t == nil {
		return nil
	}
	var out []string
	for _, typ := range t.Types {
		out = append(out, typ.Name)
	}
	return out
}

func (t *Types) named(name string) *Type {
	if t == nil {
		return nil
	}
	for i := range t.Types {
		if t.Types[i].Name == name {
			return &t.Types[i]
		}
	}
	return nil
}
