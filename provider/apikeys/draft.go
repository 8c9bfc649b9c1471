package apikeys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sallyport/mfa/users"
	"sallyport/provider/secret"
	"sallyport/storage"
)

// Dialects of API keys: the APIs that backends call.
const (
	DialectAdmin      = "admin"      // /admin/v1
	DialectStreambird = "streambird" // Authorization: Bearer KEY
	DialectStytch     = "stytch"     // Authorization: Basic PROJECT:KEY
)

// Verbs of API keys, the same in every dialect.
const (
	VerbRead  = "read"
	VerbWrite = "write"
)

// Bounds of a secret: one taken over was made elsewhere.
const (
	secretShortest = 32
	secretLongest  = 255
)

const nameMost = 100 // characters

// APIKeyDraft is a key that is to be made.
type Draft struct {
	Name            string
	Dialects, Verbs []string
	Project         string // with dialect stytch: project-test-UUID or project-live-UUID
	App             string // with dialect streambird, if wanted
	Disabled        bool
	ExpiresAt       time.Time // zero: never
	// Secret, or the SHA-256 sum of one, is taken over from elsewhere. Neither: one is made.
	Secret     string
	SecretHash []byte
}

// InvalidAPIKey says what is wrong with a key that was to be stored. Fields have the
// names of the desired state.
type InvalidError struct{ Faults []users.Fault }

// Error implements error.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.Field + " " + f.Err.Error()
	}
	return "the API key cannot be stored: " + strings.Join(texts, "; ")
}

// Into gives a key the settings of a draft, all but the secret.
func (d Draft) Into(k storage.APIKey) storage.APIKey {
	k.Name, k.Dialects, k.Verbs, k.Project, k.App = d.Name, d.Dialects, d.Verbs, d.Project, d.App
	k.Disabled, k.ExpiresAt = d.Disabled, d.ExpiresAt
	return k
}

// draftOf is the reverse of Into: a stored key as a draft, whose secret is taken over.
func draftOf(k storage.APIKey) Draft {
	d := Draft{Name: k.Name, Dialects: k.Dialects, Verbs: k.Verbs, Project: k.Project, App: k.App, Disabled: k.Disabled, ExpiresAt: k.ExpiresAt}
	if len(k.Hashes) > 0 {
		d.SecretHash = k.Hashes[0]
	}
	return d
}

// Hash is that of a secret taken over, or nil.
func (d Draft) Hash() []byte {
	if d.Secret != "" {
		return secret.Sum(d.Secret)
	}
	return d.SecretHash
}

// projectID is a Stytch project; its UUID is not looked into.
var projectID = regexp.MustCompile(`^project-(test|live)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Faults returns everything Create would refuse a draft of a caller for, without making
// anything and without asking whether its name or secret is taken.
func (a *Keys) Faults(by Caller, d Draft) []users.Fault {
	var out []users.Fault
	fault := func(when bool, field, text string) {
		if when && !slices.ContainsFunc(out, func(f users.Fault) bool { return f.Field == field }) {
			out = append(out, users.Fault{Field: field, Err: errors.New(text)})
		}
	}
	fault(!shown(d.Name, nameMost), "name", "is required: 1 to 100 characters that can be seen, no spaces around them")
	fault(!subset(d.Dialects, DialectAdmin, DialectStreambird, DialectStytch), "dialects", "must be one or more of admin, streambird and stytch, each once")
	fault(!subset(d.Verbs, VerbRead, VerbWrite), "verbs", "must be read, write or both")

	stytch := slices.Contains(d.Dialects, DialectStytch)
	fault(stytch && d.Project == "", "project", "is required for stytch")
	fault(!stytch && d.Project != "", "project", "belongs to the dialect stytch")
	fault(d.Project != "" && !projectID.MatchString(d.Project), "project", "must be project-test- or project-live- and a UUID in lower case")
	fault(d.Project != "" && !strings.HasPrefix(d.Project, "project-"+a.environment+"-"), "project", a.otherEnvironment())
	fault(d.App != "" && !slices.Contains(d.Dialects, DialectStreambird), "app", "belongs to the dialect streambird")
	fault(d.App != "" && !shown(d.App, nameMost), "app", "must have 1 to 100 characters that can be seen, no spaces around them")

	fault(d.Secret != "" && d.SecretHash != nil, "secret", "and secret_sha256 exclude each other")
	fault(d.SecretHash != nil && len(d.SecretHash) != sha256.Size, "secret_sha256", "must be 64 hexadecimal digits")
	if d.Secret != "" {
		fault(a.foreign(d.Secret), "secret", a.otherEnvironment())
		fault(!presentable(d.Secret), "secret", "must have 32 to 255 printable ASCII characters without spaces, made at random")
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

// shown reports whether people can see a name as it is.
func shown(name string, most int) bool {
	return name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= most && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// subset reports whether a list names some of these, each once.
func subset(list []string, of ...string) bool {
	for i, s := range list {
		if !slices.Contains(of, s) || slices.Contains(list[:i], s) {
			return false
		}
	}
	return len(list) > 0
}

// A secret reads PREFIX ENVIRONMENT SEPARATOR, 256 random bits and a checksum, so that
// scanners for leaked secrets can tell it from chance. The prefixes other than the first
// are those that SDKs of the dialects expect, and keys taken over from there have.
const ownPrefix = "sallyport_"

// apiKeyMark is how secrets of an environment begin.
func prefixOf(prefix, environment string) string {
	return prefix + environment + prefix[len(prefix)-1:]
}

// newSecret makes a secret: 57 characters or more.
func (a *Keys) newSecret(dialects []string) (string, error) {
	prefix := ownPrefix
	switch {
	case slices.Contains(dialects, DialectStreambird):
		prefix = "sk_" // the SDK for Ruby refuses anything else
	case slices.Contains(dialects, DialectStytch):
		prefix = "secret-"
	}
	random, err := secret.New(a.random)
	if err != nil {
		return "", err
	}
	whole := prefixOf(prefix, a.environment) + random
	return whole + checksum(whole), nil
}

// checksumLength is that of 32 bits in base64url.
const checksumLength = 6

// checksum keeps a mistyped or cut secret from the database. It protects nothing.
func checksum(secret string) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(secret))))
}

// foreign reports whether a secret says that it is of the other environment.
func (a *Keys) foreign(secret string) bool {
	other := "test"
	if a.environment == other {
		other = "live"
	}
	for _, prefix := range []string{ownPrefix, "sk_", "secret-"} {
		if strings.HasPrefix(secret, prefixOf(prefix, other)) {
			return true
		}
	}
	return false
}

// mistyped reports whether a secret begins as ours do and does not end so. Other
// prefixes are not ours alone.
func (a *Keys) mistyped(secret string) bool {
	if !strings.HasPrefix(secret, ownPrefix) {
		return false
	}
	cut := max(0, len(secret)-checksumLength)
	return checksum(secret[:cut]) != secret[cut:]
}

// presentable reports whether a secret can be one at all: it travels in a header.
func presentable(secret string) bool {
	return len(secret) >= secretShortest && len(secret) <= secretLongest &&
		bytes.IndexFunc([]byte(secret), func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
