package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// parts are those of docs/conformance.md, by their names in the comments of tests, with the standards
// they are about.
var parts = [][2]string{
	{"OpenID Connect", "OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0; rows name modules of the plans config, basic and rp-initiated-logout of the OpenID Foundation's suite"},
	{"Request objects", "RFC 9101, OpenID Connect Core section 6"},
	{"Pushed authorization requests", "RFC 9126"},
	{"Client assertions", "RFC 7523, OpenID Connect Core section 9"},
	{"Certificates of clients", "RFC 8705"},
	{"DPoP", "RFC 9449"},
	{"Signed responses", "JWT Secured Authorization Response Mode for OAuth 2.0, RFC 9701"},
	{"FAPI 2.0", "FAPI 2.0 Security Profile, FAPI 2.0 Message Signing; rows name modules of the plans of the OpenID Foundation's suite"},
	{"Authentication methods", "RFC 8176, OpenID Connect Core section 2"},
	{"Subjects", "OpenID Connect Core section 8"},
	{"Encryption", "RFC 7516, RFC 7518, OpenID Connect Core section 10.2"},
	{"Userinfo", "OpenID Connect Core section 5.3"},
	{"Device authorization", "RFC 8628"},
	{"CIBA", "OpenID Connect Client-Initiated Backchannel Authentication Core 1.0"},
	{"Token exchange", "RFC 8693"},
	{"JWT access tokens", "RFC 9068"},
	{"Step-up", "RFC 9470"},
	{"Rich authorization requests", "RFC 9396"},
	{"Logout", "OpenID Connect Back-Channel Logout 1.0, Front-Channel Logout 1.0"},
	{"Clients by document", "draft-ietf-oauth-client-id-metadata-document, RFC 8707"},
	{"Protected resources", "RFC 9728"},
	{"Attacks", "RFC 8725, RFC 9207, RFC 9700"},
	{"Registration", "RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0"},
}

// conformance is a requirement as the comment of a test says it: "// Conformance (PART): SECTIONS: TEXT".
// Tests with the same one share a row.
type conformance struct {
	part, sections, text string
	tests                []string
}

var conforms = regexp.MustCompile(`^// Conformance \(([^()]+)\): ((?:[^:]|:\S)+): (\S.*)$`)

// conformanceOf returns docs/conformance.md as the comments of the tests below a folder say it.
func conformanceOf(root string) (string, error) {
	var rows []*conformance
	var faults []error
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "node_modules" {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		found, err := conformanceIn(root, path)
		for _, r := range found {
			i := slices.IndexFunc(rows, func(o *conformance) bool { return o.part == r.part && o.sections == r.sections && o.text == r.text })
			if i < 0 {
				rows = append(rows, r)
			} else {
				rows[i].tests = append(rows[i].tests, r.tests...)
			}
		}
		faults = append(faults, err)
		return nil
	})
	text, missing := written(rows)
	return text, errors.Join(append(faults, err, missing)...)
}

// conformanceIn reads the comments of the tests in a file.
func conformanceIn(root, path string) (out []*conformance, err error) {
	source, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(source), "\n// Conformance") {
		return nil, err
	}
	file, err := parser.ParseFile(gotoken.NewFileSet(), path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	in, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Doc == nil || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		test := "`" + f.Name.Name + "`"
		if in != "provider" {
			test += " (" + filepath.ToSlash(in) + ")"
		}
		for _, c := range f.Doc.List {
			if m := conforms.FindStringSubmatch(c.Text); m != nil {
				out = append(out, &conformance{m[1], m[2], m[3], []string{test}})
			}
		}
	}
	if n := strings.Count(string(source), "\n// Conformance"); n != len(out) {
		err = fmt.Errorf("%s: %d of %d comments about conformance are in the form \"// Conformance (PART): SECTIONS: TEXT\", above a test", path, len(out), n)
	}
	return out, err
}

// written writes the rows in the order of sections.
func written(rows []*conformance) (string, error) {
	var b strings.Builder
	var faults []error
	for _, r := range rows {
		if !slices.ContainsFunc(parts, func(p [2]string) bool { return p[0] == r.part }) {
			faults = append(faults, fmt.Errorf("%s: there is no part %q", r.tests[0], r.part))
		}
	}
	for _, p := range parts {
		of := slices.DeleteFunc(slices.Clone(rows), func(r *conformance) bool { return r.part != p[0] })
		if len(of) == 0 {
			faults = append(faults, fmt.Errorf("no test is about %q", p[0]))
		}
		slices.SortStableFunc(of, func(a, b *conformance) int {
			return cmp.Or(slices.Compare(numbers(a.sections), numbers(b.sections)), strings.Compare(a.sections, b.sections), strings.Compare(a.text, b.text))
		})
		fmt.Fprintf(&b, "\n## %s (%s)\n\n| requirement | section | tests |\n|---|---|---|\n", p[0], p[1])
		for _, r := range of {
			slices.Sort(r.tests)
			fmt.Fprintf(&b, "| %s | %s | %s |\n", r.text, r.sections, strings.Join(r.tests, ", "))
		}
	}
	return b.String(), errors.Join(faults...)
}

var digits = regexp.MustCompile(`\d+`)

// numbers returns the numbers in a text, so that section 10 follows section 9.
func numbers(text string) []int {
	var out []int
	for _, n := range digits.FindAllString(text, -1) {
		i, err := strconv.Atoi(n)
		if err == nil {
			out = append(out, i)
		}
	}
	return out
}

func TestCommentsAboutConformanceAreRead(t *testing.T) {
	all := ""
	for _, p := range parts {
		all += "// Conformance (" + p[0] + "): RFC 9 10: `it` is: so\n"
	}
	for name, tc := range map[string]struct{ text, want string }{
		"all parts":            {all + "func TestA() {}\n// Conformance (DPoP): RFC 9 2: first\nfunc TestB() {}\n// Conformance (DPoP): RFC 9 10: `it` is: so\nfunc TestC() {}\n", ""},
		"a part that is not":   {all + "// Conformance (Nothing): RFC 1 1: a\nfunc TestA() {}\n", `no part "Nothing"`},
		"no test":              {all + "func helper() {}\n", fmt.Sprintf("0 of %d comments", len(parts))},
		"no sections":          {all + "// Conformance (DPoP): text\nfunc TestA() {}\n", fmt.Sprintf("%d of %d comments", len(parts), len(parts)+1)},
		"above nothing":        {all + "func TestA() {}\n// Conformance (DPoP): RFC 1 1: a\n\nvar x int\n", fmt.Sprintf("%d of %d comments", len(parts), len(parts)+1)},
		"a part without tests": {"// Conformance (DPoP): RFC 1 1: a\nfunc TestA() {}\n", `no test is about "Request objects"`},
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "web"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "web", "x_test.go"), []byte("package x\n\n"+tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := conformanceOf(root)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		const want = "| first | RFC 9 2 | `TestB` (web) |\n| `it` is: so | RFC 9 10 | `TestA` (web), `TestC` (web) |\n"
		if tc.want == "" && !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %s in it", name, text, want)
		}
	}
}

// fapiModules are those of the test plans of the OpenID Foundation's suite that apply to an authorization
// server without an ecosystem's profile, fapi2-security-profile-final-test-plan and
// fapi2-message-signing-final-test-plan, without the prefix that all of them have.
const fapiModules = `discovery-end-point-verification happy-flow user-rejects-authentication ensure-request-object-with-multiple-aud-succeeds
	ensure-authorization-request-without-state-success ensure-authorization-request-without-nonce-success ensure-authorization-request-with-64-char-nonce-success
	ensure-other-scope-order-succeeds test-claims-parameter-identity-claims access-token-type-header-case-sensitivity
	ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted check-dpop-proof-nbf-exp ensure-dpopproof-with-iat-10seconds-before-succeeds
	ensure-dpopproof-with-iat-10seconds-after-succeeds ensure-mismatched-dpop-jkt-fails ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt
	ensure-token-endpoint-fails-with-mismatched-dpop-jkt ensure-dpopproof-at-par-endpoint-binding-success ensure-dpop-auth-code-binding-success
	ensure-different-nonce-inside-and-outside-request-object ensure-different-state-inside-and-outside-request-object
	ensure-authorization-request-with-long-nonce ensure-authorization-request-with-long-state ensure-request-object-without-exp-fails
	ensure-request-object-without-nbf-fails state-only-outside-request-object-not-used ensure-request-object-without-redirect-uri-fails
	ensure-expired-request-object-fails ensure-request-object-with-bad-aud-fails ensure-request-object-with-exp-over-60-fails
	ensure-request-object-with-nbf-over-60-fails ensure-signed-request-object-with-RS256-fails ensure-request-object-signature-algorithm-is-not-none
	ensure-request-object-with-invalid-signature-fails ensure-matching-key-in-authorization-request ensure-unsigned-request-at-par-endpoint-fails
	ensure-registered-redirect-uri plain-fapi-ensure-registered-redirect-uri ensure-unsigned-authorization-request-without-using-par-fails
	ensure-redirect-uri-in-authorization-request ensure-response-type-code-idtoken-fails ensure-response-type-token-fails ensure-client-id-in-token-endpoint
	ensure-holder-of-key-required ensure-authorization-code-is-bound-to-client attempt-reuse-authorization-code-after-one-second
	ensure-token-endpoint-fails-with-expired-auth-code ensure-signed-client-assertion-with-RS256-fails ensure-client-assertion-in-token-endpoint
	ensure-client-assertion-with-exp-is-5-minutes-in-past-fails ensure-client-assertion-with-wrong-aud-fails ensure-client-assertion-with-no-sub-fails
	ensure-invalid-client-assertions-fail dpop-negative-tests refresh-token par-ensure-reused-request-uri-prior-to-auth-completion-succeeds
	par-attempt-reuse-request_uri par-attempt-to-use-expired-request_uri par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted
	par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails par-attempt-to-use-request_uri-for-different-client
	par-authorization-request-containing-request_uri-form-param par-attempt-invalid-http-method par-ensure-pkce-required ensure-pkce-code-verifier-required
	incorrect-pkce-code-verifier-rejected par-plain-pkce-rejected par-authorization-request-containing-request_uri par-without-duplicate-parameters
	par-test-array-as-audience-fails par-test-par-endpoint-url-as-audience-fails par-test-token-endpoint-url-as-audience-fails`

// connectModules are those of oidcc-config-certification-test-plan, oidcc-basic-certification-test-plan and
// oidcc-rp-initiated-logout-certification-test-plan.
const connectModules = `oidcc-discovery-endpoint-verification oidcc-server oidcc-response-type-missing oidcc-idtoken-signature oidcc-userinfo-get
	oidcc-userinfo-post-header oidcc-userinfo-post-body oidcc-ensure-request-without-nonce-succeeds-for-code-flow oidcc-scope-profile oidcc-scope-email
	oidcc-scope-address oidcc-scope-phone oidcc-scope-all oidcc-alternate-happy-flow oidcc-display-page oidcc-display-popup oidcc-prompt-login
	oidcc-prompt-none-not-logged-in oidcc-prompt-none-logged-in oidcc-max-age-1 oidcc-max-age-10000 oidcc-ensure-request-with-unknown-parameter-succeeds
	oidcc-id-token-hint oidcc-login-hint oidcc-ui-locales oidcc-claims-locales oidcc-ensure-request-with-acr-values-succeeds oidcc-codereuse
	oidcc-codereuse-30seconds oidcc-ensure-registered-redirect-uri oidcc-ensure-post-request-succeeds oidcc-server-client-secret-post
	oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported
	oidcc-claims-essential oidcc-ensure-request-object-with-redirect-uri oidcc-refresh-token oidcc-ensure-request-with-valid-pkce-succeeds
	oidcc-rp-initiated-logout-discovery-endpoint-verification oidcc-rp-initiated-logout oidcc-rp-initiated-logout-no-state
	oidcc-rp-initiated-logout-bad-post-logout-redirect-uri oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri
	oidcc-rp-initiated-logout-modified-id-token-hint oidcc-rp-initiated-logout-bad-id-token-hint oidcc-rp-initiated-logout-no-id-token-hint
	oidcc-rp-initiated-logout-no-params oidcc-rp-initiated-logout-no-post-logout-redirect-uri oidcc-rp-initiated-logout-only-state`

func TestEveryModuleHasATest(t *testing.T) {
	text, err := conformanceOf(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for name, modules := range map[string]string{"FAPI 2.0": fapiModules, "OpenID Connect": connectModules} {
		_, part, _ := strings.Cut(text, "\n## "+name+" (")
		part, _, _ = strings.Cut(part, "\n## ")
		for module := range strings.FieldsSeq(modules) {
			if !regexp.MustCompile(`[ (]` + module + `[,:; ]`).MatchString(part) {
				t.Errorf("no test stands for the module %s", module)
			}
		}
	}
}
