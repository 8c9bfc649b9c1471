package server_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage"
)

// A second factor must raise a login with some first factor to AAL2. One that does not (a
// second secret to know) would never be required, and users who enrolled it could enrol no other.
func TestEverySecondFactorReachesAAL2(t *testing.T) {
	methods := servertest.NewAdminAPI(t).Server.Verifier.Methods()
	for _, second := range methods {
		if second.Second && !slices.ContainsFunc(methods, func(first mfa.Info) bool {
			level, _ := mfa.Assess([]storage.Factor{mfa.FactorOf(first, nil), mfa.FactorOf(second, nil)})
			return first.First && level.AtLeast(mfa.AAL2)
		}) {
			t.Errorf("%s with no first factor reaches AAL2", second.Name)
		}
	}
}

// Values are those of RFC 8176 section 2 that are true of every proof with the method: how a device verified its
// user, whether by fingerprint (fpt) or PIN (pin), it does not say.
//
// Conformance (Authentication methods): RFC 8176 2, OpenID Connect Core 2: `amr` of each method: `pwd`, `otp`, `sms` with `otp`, `pop` and `user`; and `mfa` where two kinds of factors were proven
func TestMethodsAreReportedByTheirRegisteredNames(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	o := servertest.Options(t, settings, new(servertest.Clock))
	o.Config.OutboxFile, o.Config.SMS.Countries, o.Config.CodeFactors = filepath.Join(t.TempDir(), "outbox.jsonl"), []string{"US"}, []string{"email", "sms"}
	o.Config.Issuer = "http://localhost:8080" // passkeys belong to a name, not to an address
	want := map[string]struct{ alone, afterPassword string }{
		"password": {"pwd", "pwd"}, "totp": {"otp", "mfa otp pwd"}, "recovery": {"otp", "mfa otp pwd"}, "email": {"otp", "mfa otp pwd"}, "sms": {"otp sms", "mfa otp pwd sms"},
		"passkey": {"mfa pop user", "mfa pop pwd user"},
	}
	methods := servertest.Open(t, o).Verifier.Methods()
	password := methods[slices.IndexFunc(methods, func(i mfa.Info) bool { return i.Name == "password" })]
	for _, i := range methods {
		w, ok := want[i.Name]
		_, alone := mfa.Assess([]storage.Factor{mfa.FactorOf(i, nil)})
		_, after := mfa.Assess([]storage.Factor{mfa.FactorOf(password, nil), mfa.FactorOf(i, nil)})
		if !ok || strings.Join(alone, " ") != w.alone || strings.Join(after, " ") != w.afterPassword {
			t.Errorf("%s is reported as %q, and after the password as %q; want %q", i.Name, alone, after, w)
		}
		delete(want, i.Name)
	}
	if len(want) > 0 {
		t.Errorf("not among the methods: %v", want)
	}
}

// A server that can send text messages, for backends say, offers them to nobody as a factor until its
// operator says so: NIST SP 800-63B-4 section 3.1.3.3 restricts them.
func TestTextMessagesAreNoFactorByDefault(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	for _, tc := range []struct {
		factors    []string // nil: the default
		mail, text bool
	}{{nil, true, false}, {[]string{"email", "sms"}, true, true}, {[]string{}, false, false}} {
		o := servertest.Options(t, settings, new(servertest.Clock))
		o.Config.OutboxFile, o.Config.SMS.Countries = filepath.Join(t.TempDir(), "outbox.jsonl"), []string{"US"}
		if tc.factors != nil {
			o.Config.CodeFactors = tc.factors
		}
		s := servertest.Open(t, o)
		for name, want := range map[string]bool{"email": tc.mail, "sms": tc.text} {
			i, known := s.Verifier.Info(name)
			if !known || i.Second != want || i.Enrolls != want {
				t.Errorf("code_factors %v: %s is known %v, a second factor %v, enrolled %v; want %v", tc.factors, name, known, i.Second, i.Enrolls, want)
			}
		}
	}
}
