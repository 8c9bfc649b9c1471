package apikeys

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/input"
	"sallyport/mfa/users"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Dialects are the APIs that backends call.
const (
	DialectAdmin      = "admin"      // /admin/v1
	DialectStreambird = "streambird" // Authorization: Bearer KEY
	DialectStytch     = "stytch"     // Authorization: Basic PROJECT:KEY
)

// Verbs are the same in every dialect.
const (
	VerbRead  = "read"
	VerbWrite = "write"
)

// Length of an imported secret.
const (
	secretShortest = 32
	secretLongest  = 255
)

const nameMost = 100 // characters

// Draft describes a key to create.
type Draft struct {
	Name            string
	Dialects, Verbs []string
	Project         string // with dialect stytch: project-test-UUID or project-live-UUID
	App             string // with dialect streambird, if wanted
	Disabled        bool
	ExpiresAt       time.Time // zero: never
	// Secret, or its SHA-256, is imported. Without either, a secret is created.
	Secret     string
	SecretHash []byte
}

// InvalidError has the faults of a draft or key. Fields have the names of the desired state.
type InvalidError struct{ Faults []users.Fault }

// Error implements error.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.Field + " " + f.Err.Error()
	}
	return "the API key cannot be stored: " + strings.Join(texts, "; ")
}

// Into returns a key with the settings of the draft, except the secret.
func (d Draft) Into(k storage.APIKey) storage.APIKey {
	k.Name, k.Dialects, k.Verbs, k.Project, k.App = d.Name, d.Dialects, d.Verbs, d.Project, d.App
	k.Disabled, k.ExpiresAt = d.Disabled, d.ExpiresAt
	return k
}

// draftOf returns the draft of a stored key.
func draftOf(k storage.APIKey) Draft {
	d := Draft{Name: k.Name, Dialects: k.Dialects, Verbs: k.Verbs, Project: k.Project, App: k.App, Disabled: k.Disabled, ExpiresAt: k.ExpiresAt}
	if len(k.Hashes) > 0 {
		d.SecretHash = k.Hashes[0]
	}
	return d
}

// Hash returns the SHA-256 of the imported secret, or nil.
func (d Draft) Hash() []byte {
	if d.Secret != "" {
		return secret.Sum(d.Secret)
	}
	return d.SecretHash
}

// projectID is the ID of a Stytch project.
var projectID = regexp.MustCompile(`^project-(test|live)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Faults returns everything that Create would refuse in a draft, except a name or secret that is
// taken.
func (a *Keys) Faults(by Caller, d Draft) []users.Fault {
	var out []users.Fault
	fault := func(when bool, field, text string) {
		if when && !slices.ContainsFunc(out, func(f users.Fault) bool { return f.Field == field }) {
			out = append(out, users.Fault{Field: field, Err: errors.New(text)})
		}
	}
	fault(!readable(d.Name, nameMost), "name", "is required: 1 to 100 characters that can be seen, no spaces around them")
	fault(!subset(d.Dialects, DialectAdmin, DialectStreambird, DialectStytch), "dialects", "must be one or more of admin, streambird and stytch, each once")
	fault(!subset(d.Verbs, VerbRead, VerbWrite), "verbs", "must be read, write or both")

	stytch := slices.Contains(d.Dialects, DialectStytch)
	fault(stytch && d.Project == "", "project", "is required for stytch")
	fault(!stytch && d.Project != "", "project", "belongs to the dialect stytch")
	fault(d.Project != "" && !projectID.MatchString(d.Project), "project", "must be project-test- or project-live- and a UUID in lower case")
	fault(d.Project != "" && !strings.HasPrefix(d.Project, "project-"+a.environment+"-"), "project", a.otherEnvironment())
	fault(d.App != "" && !slices.Contains(d.Dialects, DialectStreambird), "app", "belongs to the dialect streambird")
	fault(d.App != "" && !readable(d.App, nameMost), "app", "must have 1 to 100 characters that can be seen, no spaces around them")

	fault(d.Secret != "" && d.SecretHash != nil, "secret", "and secret_sha256 exclude each other")
	fault(d.SecretHash != nil && len(d.SecretHash) != sha256.Size, "secret_sha256", "must be 64 hexadecimal digits")
	if d.Secret != "" {
		fault(a.fromOtherEnvironment(d.Secret), "secret", a.otherEnvironment())
		fault(!wellFormed(d.Secret), "secret", "must have 32 to 255 printable ASCII characters without spaces, made at random")
		fault(a.mistyped(d.Secret), "secret", "looks like one made by Sallyport, but is not whole")
	}
	for _, f := range by.beyond(d) {
		fault(true, f.Field, f.Err.Error())
	}
	return out
}

func (a *Keys) otherEnvironment() string {
	return fmt.Sprintf("is for the other environment: this server is %s", a.environment)
}

// readable reports whether a name consists of visible characters.
func readable(name string, most int) bool {
	return name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= most && strings.TrimSpace(name) == name &&
		input.Shown(name)
}

// subset reports whether a list contains some of these, each once.
func subset(list []string, of ...string) bool {
	for i, s := range list {
		if !slices.Contains(of, s) || slices.Contains(list[:i], s) {
			return false
		}
	}
	return len(list) > 0
}
