package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/provider/mtls/mtlstest"
	"sallyport/storage"
)

var at = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

// subject returns a change to a certificate: its subject, as types and values.
func subject(pairs ...any) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		var sequence pkix.RDNSequence
		for i := 0; i < len(pairs); i += 2 {
			sequence = append(sequence, pkix.RelativeDistinguishedNameSET{{Type: pairs[i].(asn1.ObjectIdentifier), Value: pairs[i+1]}})
		}
		der, err := asn1.Marshal(sequence)
		if err != nil {
			panic(err)
		}
		c.RawSubject = der
	}
}

var (
	cn = asn1.ObjectIdentifier{2, 5, 4, 3}
	o  = asn1.ObjectIdentifier{2, 5, 4, 10}
	c  = asn1.ObjectIdentifier{2, 5, 4, 6}
	id = asn1.ObjectIdentifier{2, 5, 4, 97}
)

// RFC 4514 sections 2 to 4; RFC 8705 section 2.1.2.
//
// Conformance (Certificates of clients): RFC 8705 2.1.2, RFC 4514: subjects and alternative names are compared exactly; a client registers one
func TestSubjectsAreComparedExactly(t *testing.T) {
	example := mtlstest.SelfSigned(t, "", at, subject(c, "DE", o, "Example, Inc.", cn, "ledger")).Leaf
	odd := mtlstest.SelfSigned(t, "", at, subject(id, "PSDDE-BAFIN-1", cn, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(` #Lučić "x"`)})).Leaf
	teletex := mtlstest.SelfSigned(t, "", at, subject(cn, asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte("ledger")})).Leaf
	printable := mtlstest.SelfSigned(t, "", at, subject(cn, asn1.RawValue{Tag: asn1.TagPrintableString, Bytes: []byte("ledger")})).Leaf
	wide := mtlstest.SelfSigned(t, "", at, subject(cn, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte("\x00L\x01\x0d")})).Leaf
	ended := mtlstest.SelfSigned(t, "", at, subject(cn, "ledger\x00.evil")).Leaf
	several := mtlstest.SelfSigned(t, "", at, func(c *x509.Certificate) {
		der, err := asn1.Marshal(pkix.RDNSequence{{{Type: o, Value: "Example"}, {Type: cn, Value: "ledger"}}})
		if err != nil {
			t.Fatal(err)
		}
		c.RawSubject = der
	}).Leaf
	for _, tc := range []struct {
		name string
		of   *x509.Certificate
		text string
		want bool
	}{
		{"as it is", example, `CN=ledger,O=Example\, Inc.,C=DE`, true},
		{"in lower case types, with spaces", example, `cn = ledger , o=Example\, Inc. , c=DE`, true},
		{"with numbers as types", example, `2.5.4.3=ledger,2.5.4.10=Example\, Inc.,2.5.4.6=DE`, true},
		{"with a comma in hexadecimal", example, `CN=ledger,O=Example\2C Inc.,C=DE`, true},
		{"encoded", printable, "CN=#13066c6564676572", true},
		{"encoded with another string type", example, `CN=#13066c6564676572,O=Example\, Inc.,C=DE`, true},
		{"the order of the certificate", example, `C=DE,O=Example\, Inc.,CN=ledger`, false},
		{"other case", example, `CN=Ledger,O=Example\, Inc.,C=DE`, false},
		{"a part", example, `CN=ledger`, false},
		{"more", example, `CN=ledger,O=Example\, Inc.,C=DE,DC=example`, false},
		{"a space more", example, `CN=ledger\ ,O=Example\, Inc.,C=DE`, false},
		{"spaces, a quote and letters of others", odd, `CN=\ #Lu\C4\8Di\C4\87 \"x\",organizationIdentifier=PSDDE-BAFIN-1`, true},
		{"letters as they are", odd, `CN=\ \#Lučić \"x\",2.5.4.97=PSDDE-BAFIN-1`, true},
		{"a string type without a charset, encoded", teletex, "CN=#14066c6564676572", true},
		{"a string type without a charset", teletex, "CN=ledger", false},
		{"two bytes a letter", wide, "CN=Lč", true},
		{"what a NUL hides", ended, "CN=ledger", false},
		{"several attributes in one", several, "CN=ledger+O=Example", true},
		{"in another order", several, "O=Example+CN=ledger", true},
		{"apart", several, "CN=ledger,O=Example", false},
		{"nothing", example, "", false},
		{"no name", example, "ledger", false},
	} {
		if got := hasSubject(tc.of, tc.text); got != tc.want {
			t.Errorf("%s: %q = %v, want %v", tc.name, tc.text, got, tc.want)
		}
	}
}

// Conformance (Certificates of clients): RFC 8705 2.1.2, RFC 4514: subjects and alternative names are compared exactly; a client registers one
func TestNamesThatCanNotBeRegistered(t *testing.T) {
	for _, text := range []string{"", "x", "CN=", "CN", "=x", "CN=a,", ",CN=a", "CN=a,,O=b", "CN=a+", "XX=a", "2=a", "2.05.4=a", "2..5=a", `CN="a"`, "CN=a;O=b", "CN=a\x00", `CN=a\`,
		`CN=a\2`, `CN=a\gg`, "CN=#", "CN=#1", "CN=#zz", "CN=#130661", "CN=#1301610500", `CN=\ff`, "CN=<a>"} {
		if n, err := ParseName(text); err == nil {
			t.Errorf("ParseName(%q) = %v, want an error", text, n)
		}
	}
	for field, c := range map[string]storage.Client{
		"tls_client_auth_subject_dn": {AuthMethod: TLSClientAuth, TLSSubjectDN: "ledger"},
		"tls_client_auth_san_dns":    {AuthMethod: TLSClientAuth, TLSSANDNS: "*.example.com"},
		"tls_client_auth_san_uri":    {AuthMethod: TLSClientAuth, TLSSANURI: "/ledger"},
		"tls_client_auth_san_ip":     {AuthMethod: TLSClientAuth, TLSSANIP: "192.0.2.0/24"},
		"tls_client_auth_san_email":  {AuthMethod: TLSClientAuth, TLSSANEmail: "Ledger <a@example.com>"},
		"token_endpoint_auth_method": {AuthMethod: TLSClientAuth},
	} {
		if f := Faults(&c); len(f) != 1 || f[0].Field != field {
			t.Errorf("%+v: faults %v, want one of %s", c, f, field)
		}
	}
	for name, c := range map[string]storage.Client{
		"two names":               {AuthMethod: TLSClientAuth, TLSSANDNS: "a.example", TLSSANIP: "192.0.2.1"},
		"a name without a use":    {AuthMethod: SelfSignedAuth, TLSSANDNS: "a.example"},
		"a name of a secret":      {AuthMethod: "client_secret_basic", TLSSubjectDN: "CN=a"},
		"a name that is too long": {AuthMethod: TLSClientAuth, TLSSubjectDN: "CN=" + strings.Repeat("a", 2048)},
	} {
		if f := Faults(&c); len(f) != 1 {
			t.Errorf("%s: faults %v, want one", name, f)
		}
	}
}

// Conformance (Certificates of clients): RFC 8705 2.1.2, RFC 4514: subjects and alternative names are compared exactly; a client registers one
func TestAlternativeNames(t *testing.T) {
	uri, err := url.Parse("urn:example:ledger")
	if err != nil {
		t.Fatal(err)
	}
	leaf := mtlstest.SelfSigned(t, "ledger.example", at, func(c *x509.Certificate) {
		c.DNSNames, c.URIs, c.EmailAddresses = []string{"Ledger.example", "*.wild.example"}, []*url.URL{uri}, []string{"ledger@example.com"}
		c.IPAddresses = []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}
	}).Leaf
	for _, tc := range []struct {
		c    storage.Client
		want bool
	}{
		{storage.Client{TLSSANDNS: "ledger.example"}, true},
		{storage.Client{TLSSANDNS: "ledger.example.com"}, false},
		{storage.Client{TLSSANDNS: "a.wild.example"}, false},
		{storage.Client{TLSSANDNS: "192.0.2.1"}, false},
		{storage.Client{TLSSANURI: "urn:example:ledger"}, true},
		{storage.Client{TLSSANURI: "urn:example:Ledger"}, false},
		{storage.Client{TLSSANIP: "192.0.2.1"}, true},
		{storage.Client{TLSSANIP: "::ffff:192.0.2.1"}, true},
		{storage.Client{TLSSANIP: "2001:db8:0::1"}, true},
		{storage.Client{TLSSANIP: "2001:db8::2"}, false},
		{storage.Client{TLSSANEmail: "ledger@example.com"}, true},
		{storage.Client{TLSSANEmail: "Ledger@example.com"}, false},
		{storage.Client{}, false},
	} {
		if got := Names(&tc.c, leaf); got != tc.want {
			t.Errorf("%+v = %v, want %v", tc.c, got, tc.want)
		}
	}
}

// Another spelling of a URI is another name, which an authority may issue to somebody else.
//
// Conformance (Certificates of clients): RFC 8705 2.1.2, RFC 4514: subjects and alternative names are compared exactly; a client registers one
func TestURIsAreComparedAsTheyAreSpelled(t *testing.T) {
	for _, tc := range []struct {
		in, registered string
		want           bool
	}{
		{"spiffe://example/a", "spiffe://example/a", true},
		{"spiffe://example/a#", "spiffe://example/a", false},
		{"SPIFFE://example/a", "spiffe://example/a", false},
		{"spiffe://example/a", "SPIFFE://example/a", false},
		{"SPIFFE://example/a", "SPIFFE://example/a", true},
		{"spiffe://example/a#", "spiffe://example/a#", true},
		{"spiffe://example/%61", "spiffe://example/a", false},
		{"spiffe://example/a b", "spiffe://example/a%20b", false},
	} {
		c := mtlstest.SelfSigned(t, "", at, func(c *x509.Certificate) {
			value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("example")},
				{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte("urn:other")}, {Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(tc.in)}})
			if err != nil {
				t.Fatal(err)
			}
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}}
		}).Leaf
		if got := Names(&storage.Client{TLSSANURI: tc.registered}, c); got != tc.want {
			t.Errorf("%q in a certificate, %q registered: %v, want %v", tc.in, tc.registered, got, tc.want)
		}
	}
}

// Conformance (Certificates of clients): RFC 8705 2.1: `tls_client_auth`: an authority issued the certificate, and it has the registered name
func TestChainsLeadToAnAuthority(t *testing.T) {
	root, other := mtlstest.New(t, "root", at), mtlstest.New(t, "root", at)
	a, err := ReadAuthorities(root.File())
	if err != nil {
		t.Fatal(err)
	}
	between := root.Issue("between", at, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	below := mtlstest.Below(t, between)
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	for name, tc := range map[string]struct {
		chain []tls.Certificate
		ok    bool
	}{
		"issued by it":                       {[]tls.Certificate{root.Issue("a", at)}, true},
		"issued below it":                    {[]tls.Certificate{below.Issue("a", at), between}, true},
		"without what is between":            {[]tls.Certificate{below.Issue("a", at)}, false},
		"another authority of the same name": {[]tls.Certificate{other.Issue("a", at)}, false},
		"it is beside":                       {[]tls.Certificate{other.Issue("a", at), {Leaf: other.Certificate}}, false},
		"self-signed":                        {[]tls.Certificate{mtlstest.SelfSigned(t, "a", at)}, false},
		"for servers":                        {[]tls.Certificate{root.Issue("a", at, server)}, false},
		"issued by a client":                 {[]tls.Certificate{mtlstest.Below(t, root.Issue("a", at)).Issue("b", at), root.Issue("a", at)}, false},
	} {
		var chain []*x509.Certificate
		for _, c := range tc.chain {
			chain = append(chain, c.Leaf)
		}
		if err := a.Verify(chain, at); (err == nil) != tc.ok {
			t.Errorf("%s: %v, want accepted %v", name, err, tc.ok)
		}
	}
}

func TestFilesOfAuthorities(t *testing.T) {
	root := mtlstest.New(t, "root", at)
	path := root.File()
	a, err := ReadAuthorities(path)
	if err != nil {
		t.Fatal(err)
	}
	leaf := root.Issue("a", at)
	for name, text := range map[string][]byte{
		"nothing": nil, "a key": mtlstest.KeyPEM(t, leaf), "a client": mtlstest.PEM(leaf.Leaf), "rubbish": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.Load(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error", name, err)
		}
		if err := a.Verify([]*x509.Certificate{leaf.Leaf}, at); err != nil {
			t.Errorf("after %s: %v, want what was read before", name, err)
		}
	}
	if _, err := ReadAuthorities(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}
