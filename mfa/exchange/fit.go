package exchange

import (
	"sallyport/mfa"
)

// Fit returns what a typed response has the shape of: the choice, if it can be a code of that,
// else the first other method offered whose codes look like it. Only one of them is compared, so
// the caller gains no guess. Pages use it, where people type a code into the wrong field; calls
// name a method, and mean it. A code that is sent belongs to its exchange, and is never the other.
func (v *Verifier) Fit(p Login, c Choice, r mfa.Response) Choice {
	if fits, err := v.fits(p, c, r); fits || err != nil {
		return c
	}
	for _, o := range v.Options(p) {
		other := Choice{Method: o.Method, Usage: c.Usage}
		if fits, err := v.fits(p, other, r); fits && err == nil && o.Info.Typed && !o.Info.Sends {
			return other
		}
	}
	return c
}

// fits reports whether a response can be a code of a choice, and an error if the login cannot
// make the choice.
func (v *Verifier) fits(p Login, c Choice, r mfa.Response) (bool, error) {
	t, err := v.choose(p, c)
	if err != nil {
		return false, err
	}
	parser, ok := t.method.(mfa.Parser)
	return !ok || parser.Parse(mfa.Attempt{Account: t.account, Authenticator: t.authenticator, Usage: t.usage, Now: v.now()}, r) == nil, nil
}
