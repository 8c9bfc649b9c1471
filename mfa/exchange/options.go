package exchange

import (
	"bytes"
	"cmp"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Option is a second factor that can be chosen.
type Option struct {
	Method        string
	Authenticator storage.AuthenticatorID
	Name          string // what its owner calls it; told after the first factor only
	Text          string // what tells it apart for everybody else
	Info          mfa.Info
	aliases       []storage.AuthenticatorID // its pseudonyms, while nobody is identified
}

// Options lists the second factors an account enrolled and the client allows. Of an
// identifier nobody has it lists decoys: the same ones whenever it is asked, of the
// same shape, made so that only the server can tell them from real ones.
//
// Before the first factor the real list takes a shape that decoys have too: one medium
// of each method, standing for all of it, and recovery codes with others only. While
// nobody is identified it has pseudonyms.
func (v *Verifier) Options(p Login) []Option {
	t := mfa.Table{Policy: p.Policy, Methods: v.infos}
	if p.Account == nil {
		return v.decoys(t, p)
	}
	verdict := v.verdict(p)
	identified, name := verdict.Need != mfa.NeedFirst, []byte(nil)
	if p.anonymous() {
		name = v.digest(p.Identifier)
	}
	var out []Option
	for _, i := range v.infos {
		if !i.Second || !t.Allowed(i) || identified && !verdict.Wants(i.Name) {
			continue
		}
		for _, a := range p.Account.Authenticators {
			if a.Method != i.Name || !mfa.Enrolled(a) {
				continue
			}
			o := Option{Method: i.Name, Authenticator: a.ID, Text: i.Name, Info: i}
			if identified && a.Name != "" {
				o.Name, o.Text = a.Name, a.Name
			}
			if b, ok := storage.Bytes(a.ID); ok && name != nil {
				o.aliases = v.pseudonyms(p.Request, name, b)
				o.Authenticator = o.aliases[0]
			}
			if identified || shapely(out, i) {
				out = append(out, o)
			}
		}
	}
	return out
}

// shapely reports whether a method may be the next in a list shown to anybody.
func shapely(out []Option, i mfa.Info) bool {
	listed := slices.ContainsFunc(out, func(o Option) bool { return o.Method == i.Name })
	return !listed && (i.Standalone() || len(out) > 0)
}

// decoys invents what an unknown identifier could have enrolled: each method by the
// toss of a keyed coin; what only comes with others (recovery codes), with others, and
// then by a toss of its own.
func (v *Verifier) decoys(t mfa.Table, p Login) []Option {
	if p.Identifier == "" {
		return nil
	}
	name := v.digest(p.Identifier)
	var out []Option
	for _, i := range v.infos {
		if !i.Second || !t.Allowed(i) {
			continue
		}
		coin := v.hash128("decoy coin", i.Name+"|"+string(name))
		if coin[0]&1 == 0 || !shapely(out, i) {
			continue
		}
		aliases := v.pseudonyms(p.Request, name, v.invented(i.Name))
		out = append(out, Option{Method: i.Name, Authenticator: aliases[0], Text: i.Name, Info: i, aliases: aliases})
	}
	return out
}

// target is what a chosen method is tried on.
type target struct {
	method        mfa.Method
	info          mfa.Info
	usage         string
	account       *storage.Account       // nil: a decoy, which never verifies
	authenticator *storage.Authenticator // nil: any of the account's
	subject       subject
	text          string
}

// choose finds what a choice is about, or refuses it. A usage that is not allowed is
// refused like a method that is not configured. Before the first factor an account
// that may not be used (disabled, demanding two factors, another than the request's)
// becomes a decoy: refusing it would tell that it exists.
func (v *Verifier) choose(p Login, c Choice) (target, error) {
	m, known := v.methods[c.Method]
	if !known {
		return target{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	t := target{method: m, info: m.Info(), usage: cmp.Or(c.Usage, mfa.UsageSecond), account: p.Account, text: c.Method}
	if !p.allows(v, t.info) {
		return target{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if p.Request.Subject != "" && (p.Account == nil || p.Account.User.ID != p.Request.Subject) {
		return target{}, &mfa.Error{Code: mfa.RequestChanged}
	}
	if v.namesAnother(p) {
		p.Account, p.Request.Subject, t.account = nil, "", nil
	}
	if t.usage == mfa.UsageEnroll || !slices.Contains(mfa.Usages(), t.usage) {
		return target{}, &mfa.Error{Code: mfa.InvalidRequest}
	}
	if !v.usable(p, t.info, t.usage) {
		return target{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if mfa.ReplacesPassword(t.usage) && t.account != nil && t.account.User.MFAEnabled {
		t.account = nil
	}
	if t.account != nil && t.account.User.Status == storage.UserDisabled {
		t.account = nil
	}
	err := v.resolve(&t, p, c)
	return t, err
}

// resolve finds the authenticator of a choice, and whom failures count for.
func (v *Verifier) resolve(t *target, p Login, c Choice) error {
	t.subject = v.subjectOf(p.Account, p.Identifier)
	if t.info.Typed && t.subject.hash == nil {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	if t.usage != mfa.UsageFirst {
		offered := v.Options(p)
		i := slices.IndexFunc(offered, func(o Option) bool { return v.means(p, c, o) })
		if i < 0 {
			return &mfa.Error{Code: mfa.NotConfigured}
		}
		t.text = offered[i].Text
	}
	if t.account == nil {
		return nil
	}
	c.Authenticator = v.real(p, c.Authenticator)
	if mfa.ReplacesPassword(t.usage) || p.anonymous() {
		c.Authenticator = "" // the medium shown stands for all of its method
	}
	var own []*storage.Authenticator
	for i := range t.account.Authenticators {
		a := &t.account.Authenticators[i]
		if a.Method == c.Method && mfa.Enrolled(*a) && (c.Authenticator == "" || a.ID == c.Authenticator) {
			own = append(own, a)
		}
	}
	if len(own) == 1 {
		t.authenticator = own[0]
	}
	return nil
}

// namesAnother reports whether a typed identifier is not one of the request's subject.
func (v *Verifier) namesAnother(p Login) bool {
	return p.Request.Subject != "" && p.Identifier != "" && p.Account != nil &&
		!slices.ContainsFunc(p.Account.Identifiers, func(i storage.Identifier) bool { return bytes.Equal(v.digest(i.Value), v.digest(p.Identifier)) })
}
