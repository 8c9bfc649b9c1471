package input

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// SameName returns the form in which two spellings of a user name or an e-mail address are
// equal. Case is folded (The Unicode Standard section 3.13, default caseless matching), because
// lower case alone keeps both forms of a sigma apart. The domain of an address is compared by
// its A-labels (RFC 5890 section 2.3.2.1), as mail systems do.
//
// It may name another mailbox than the spelling that was given: nothing is sent there.
func SameName(name string) string {
	local, domain, mail := strings.Cut(name, "@")
	if !mail {
		return fold(name)
	}
	return fold(local) + "@" + aLabels(domain)
}

func fold(text string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

// aLabels returns a domain in A-labels. What no domain may have is compared by case only.
func aLabels(domain string) string {
	lower := norm.NFKC.String(strings.ToLower(norm.NFKC.String(domain)))
	ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule()).ToASCII(lower)
	if err != nil {
		return lower
	}
	return ascii
}
