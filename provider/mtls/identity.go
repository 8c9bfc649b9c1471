package mtls

import (
	"crypto/x509"
	"encoding/asn1"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sallyport/storage"
)

// maxName is the length of a registered name in bytes.
const maxName = 2048

// registered are the metadata that name the certificate of a client with tls_client_auth (RFC 8705
// section 2.1.2), with what is wrong with a value ("": nothing) and whether a certificate has it.
var registered = []struct {
	Field string
	value func(*storage.Client) string
	fault func(string) string
	has   func(c *x509.Certificate, value string) bool
}{
	{"tls_client_auth_subject_dn", func(c *storage.Client) string { return c.TLSSubjectDN }, func(text string) string {
		if _, err := ParseName(text); err != nil {
			return err.Error()
		}
		return ""
	}, hasSubject},
	{"tls_client_auth_san_dns", func(c *storage.Client) string { return c.TLSSANDNS }, func(text string) string {
		return unless(validDNS(text), "must be a DNS name without wildcard, such as client.example.com")
	}, hasDNS},
	{"tls_client_auth_san_uri", func(c *storage.Client) string { return c.TLSSANURI }, func(text string) string {
		u, err := url.Parse(text)
		return unless(err == nil && u.IsAbs(), "must be an absolute URI")
	}, hasURI},
	{"tls_client_auth_san_ip", func(c *storage.Client) string { return c.TLSSANIP }, func(text string) string {
		a, err := netip.ParseAddr(text)
		return unless(err == nil && a.Zone() == "", "must be an IP address")
	}, hasIP},
	{"tls_client_auth_san_email", func(c *storage.Client) string { return c.TLSSANEmail }, func(text string) string {
		a, err := mail.ParseAddress(text)
		return unless(err == nil && a.Address == text, "must be an e-mail address")
	}, hasEmail},
}

// Fault is what is wrong with a field of a client; Field is that of the desired state.
type Fault struct{ Field, Text string }

// Faults returns what is wrong with the names that a client registered: with tls_client_auth it has one
// of them, and otherwise none.
func Faults(c *storage.Client) []Fault {
	var out []Fault
	var given []string
	for _, r := range registered {
		text := r.value(c)
		if text == "" {
			continue
		}
		given = append(given, r.Field)
		if len(text) > maxName {
			out = append(out, Fault{r.Field, "is longer than 2048 bytes"})
		} else if fault := r.fault(text); fault != "" {
			out = append(out, Fault{r.Field, fault})
		}
	}
	switch {
	case c.AuthMethod != TLSClientAuth && len(given) > 0:
		out = append(out, Fault{given[0], "belongs to tls_client_auth"})
	case c.AuthMethod == TLSClientAuth && len(given) == 0:
		out = append(out, Fault{"token_endpoint_auth_method", "tls_client_auth needs tls_client_auth_subject_dn, or a tls_client_auth_san_"})
	case len(given) > 1:
		out = append(out, Fault{given[1], "excludes " + given[0]})
	}
	return out
}

func unless(ok bool, fault string) string {
	if ok {
		return ""
	}
	return fault
}

// Names reports whether a certificate has the name that a client registered.
func Names(client *storage.Client, c *x509.Certificate) bool {
	for _, r := range registered {
		if text := r.value(client); text != "" {
			return r.has(c, text)
		}
	}
	return false
}

func hasSubject(c *x509.Certificate, text string) bool {
	want, err := ParseName(text)
	if err != nil {
		return false
	}
	got, err := nameOf(c.RawSubject)
	return err == nil && got.Equal(want)
}

// hasDNS compares without regard to case (RFC 5280 section 7.2). A wildcard is a name of its own.
func hasDNS(c *x509.Certificate, text string) bool {
	return slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, text) && validDNS(name) })
}

// alternativeNames is the extension, and uri the tag of a URI in it (RFC 5280 section 4.2.1.6).
var alternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}

const uri = 6

// hasURI compares bytes, so it reads the extension: a url.URL forgets an empty fragment and the case
// of the scheme.
func hasURI(c *x509.Certificate, text string) bool {
	for _, e := range c.Extensions {
		var names []asn1.RawValue
		if !e.Id.Equal(alternativeNames) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &names); err != nil || len(rest) > 0 {
			return false
		}
		return slices.ContainsFunc(names, func(n asn1.RawValue) bool {
			return n.Class == asn1.ClassContextSpecific && n.Tag == uri && !n.IsCompound && string(n.Bytes) == text
		})
	}
	return false
}

func hasIP(c *x509.Certificate, text string) bool {
	want, err := netip.ParseAddr(text)
	return err == nil && slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool {
		got, ok := netip.AddrFromSlice(ip)
		return ok && got.Unmap() == want.Unmap()
	})
}

func hasEmail(c *x509.Certificate, text string) bool { return slices.Contains(c.EmailAddresses, text) }

// validDNS reports whether a text is a DNS name in ASCII, without wildcard.
func validDNS(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(c rune) bool {
			return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
		}) {
			return false
		}
	}
	return true
}
