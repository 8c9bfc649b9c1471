package exchange

import (
	"bytes"
	"cmp"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Option is a second factor the user can choose.
type Option struct {
	Method        string
	Authenticator storage.AuthenticatorID
	Name          string // chosen by the user; shown after the first factor only
	Text          string // the label to show: Name, the masked address, or the method
	Address       string // masked, where codes are sent; after the first factor only
	Digits        int    // length of its codes; 0: unknown; after the first factor only
	Info          mfa.Info
	aliases       []storage.AuthenticatorID // its pseudonyms, until a user is identified
}

// Options returns the second factors that the account has enrolled and the client allows.
// For an unknown identifier it returns decoys: always the same ones, which only the server
// can tell from real factors.
//
// Before the first factor a real list has the form of a decoy list: one entry for each
// method, recovery codes only with others, and pseudonyms in place of IDs. It does not have
// methods that can be first factors: those are there for every name.
func (v *Verifier) Options(p Login) []Option {
	t := mfa.Rules{Policy: p.Policy, Methods: v.infos}
	if p.Account == nil {
		return v.decoys(t, p)
	}
	verdict := v.verdict(p)
	identified, name := verdict.Need != mfa.NeedFirst, []byte(nil)
	if p.nameOnly() {
		name = v.digest(p.Identifier)
	}
	var out []Option
	for _, i := range v.infos {
		if !i.Second || !t.Allows(i) || identified && !verdict.Wants(i.Name) || !identified && i.First {
			continue
		}
		for _, a := range p.Account.Authenticators {
			if a.Method != i.Name || !mfa.IsEnrolled(a) {
				continue
			}
			o := Option{Method: i.Name, Authenticator: a.ID, Text: i.Name, Info: i}
			if identified {
				o.Name, o.Text, o.Address, o.Digits = a.Name, v.textOf(a), v.MaskedAddress(a), v.digitsOf(a)
			}
			if b, ok := storage.Bytes(a.ID); ok && name != nil {
				o.aliases = v.pseudonyms(p.Request, name, b)
				o.Authenticator = o.aliases[0]
			}
			if identified || mayFollow(out, i) {
				out = append(out, o)
			}
		}
	}
	return out
}

// Alone returns the methods that can replace the password in a login, whoever signs in. It depends on
// the client and the request alone: a page that lists these reveals nothing of a user.
func (v *Verifier) Alone(p Login) []mfa.Info {
	var out []mfa.Info
	for _, i := range v.infos {
		if i.Typed && i.Standalone() && p.allows(v, i) && v.usable(p, i, mfa.UsagePasswordless) {
			out = append(out, i)
		}
	}
	return out
}

// mayFollow reports whether a method may follow those in a list before the first factor.
func mayFollow(out []Option, i mfa.Info) bool {
	listed := slices.ContainsFunc(out, func(o Option) bool { return o.Method == i.Name })
	return !listed && (i.Standalone() || len(out) > 0)
}

// decoys returns what an unknown identifier could have enrolled: half of the methods, chosen
// by a keyed hash, and recovery codes only with others.
func (v *Verifier) decoys(t mfa.Rules, p Login) []Option {
	if p.Identifier == "" {
		return nil
	}
	name := v.digest(p.Identifier)
	var out []Option
	for _, i := range v.infos {
		if !i.Second || i.First || !t.Allows(i) {
			continue
		}
		coin := v.hash128("decoy coin", i.Name+"|"+string(name))
		if coin[0]&1 == 0 || !mayFollow(out, i) {
			continue
		}
		aliases := v.pseudonyms(p.Request, name, v.decoyID(i.Name))
		out = append(out, Option{Method: i.Name, Authenticator: aliases[0], Text: i.Name, Info: i, aliases: aliases})
	}
	return out
}

// target is the method and the account of a try.
type target struct {
	method        mfa.Method
	info          mfa.Info
	usage         string
	account       *storage.Account       // nil: a decoy, which never verifies
	authenticator *storage.Authenticator // nil: any of the account's
	subject       subject
	text          string
}

// choose returns the target of a choice. It returns NotConfigured for a method that is not
// configured or a usage that is not allowed. Before the first factor an account that may not
// be used (disabled, not the request's) becomes a decoy: a refusal would reveal that it exists.
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
	if v.namesOtherUser(p) {
		p.Account, p.Request.Subject, t.account = nil, "", nil
	}
	if t.usage == mfa.UsageEnroll || !slices.Contains(mfa.Usages(), t.usage) {
		return target{}, &mfa.Error{Code: mfa.InvalidRequest}
	}
	if !v.usable(p, t.info, t.usage) {
		return target{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if isDisabled(t.account) {
		t.account = nil
	}
	err := v.resolve(&t, p, c)
	return t, err
}

// resolve sets the authenticator of a choice and the subject that failures count for.
func (v *Verifier) resolve(t *target, p Login, c Choice) error {
	t.subject = v.subjectOf(p.Account, p.Identifier)
	if t.info.Typed && t.subject.hash == nil {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	if t.usage != mfa.UsageFirst {
		offered := v.Options(p)
		i := slices.IndexFunc(offered, func(o Option) bool { return v.matchesOption(p, c, o) })
		switch {
		case i >= 0:
			t.text = offered[i].Text
		case c.Unlisted:
			t.account = nil
		default:
			return &mfa.Error{Code: mfa.NotConfigured}
		}
	}
	if t.account == nil {
		return nil
	}
	c.Authenticator = v.resolvePseudonym(p, c.Authenticator)
	if mfa.ReplacesPassword(t.usage) || p.nameOnly() {
		c.Authenticator = "" // the entry shown represents all authenticators of the method
	}
	var own []*storage.Authenticator
	for i := range t.account.Authenticators {
		a := &t.account.Authenticators[i]
		if a.Method == c.Method && mfa.IsEnrolled(*a) && (c.Authenticator == "" || a.ID == c.Authenticator) {
			own = append(own, a)
		}
	}
	if len(own) == 1 {
		t.authenticator = own[0]
	}
	return nil
}

// namesOtherUser reports whether the typed identifier is not one of the request's subject.
func (v *Verifier) namesOtherUser(p Login) bool {
	return p.Request.Subject != "" && p.Identifier != "" && p.Account != nil &&
		!slices.ContainsFunc(p.Account.Identifiers, func(i storage.Identifier) bool { return bytes.Equal(v.digest(i.Value), v.digest(p.Identifier)) })
}
