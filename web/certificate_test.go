package web_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/provider/mtls/mtlstest"
	"sallyport/web"
)

// names is a surface that responds with the names in the certificates of the caller.
type names struct{}

func (names) Mount(r gin.IRouter) {
	r.GET("/names", func(c *gin.Context) {
		var out []string
		for _, certificate := range web.Caller(c).Certificates {
			out = append(out, certificate.Subject.CommonName)
		}
		c.String(http.StatusOK, strings.Join(out, " "))
	})
}

// Conformance (Certificates of clients): RFC 8705 6.5, RFC 9440 2, 4: a header with a certificate counts from a trusted proxy only, once
func TestCertificatesOfCallers(t *testing.T) {
	authority := mtlstest.New(t, "authority", t0)
	leaf, other := authority.Issue("leaf", t0), authority.Issue("other", t0)
	der := base64.StdEncoding.EncodeToString(leaf.Certificate[0])
	between := base64.StdEncoding.EncodeToString(authority.Raw)
	escaped := url.PathEscape(string(mtlstest.PEM(leaf.Leaf)))
	two := url.PathEscape(string(mtlstest.PEM(leaf.Leaf)) + string(mtlstest.PEM(other.Leaf)))
	const proxy, caller = "10.0.0.1:555", "198.51.100.1:555"
	presented := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf.Leaf, authority.Certificate}}
	const none = ""
	for _, tc := range []struct {
		name, format, peer string
		sent, chain        []string
		tls                *tls.ConnectionState
		code               int
		want               string
	}{
		{"nginx", "nginx", proxy, []string{escaped}, nil, nil, 200, "leaf"},
		{"nginx, without one", "nginx", proxy, []string{""}, nil, nil, 200, none},
		{"nginx, two certificates", "nginx", proxy, []string{two}, nil, nil, 400, none},
		{"nginx, a plus is no space", "nginx", proxy, []string{strings.ReplaceAll(escaped, "%2B", "+")}, nil, nil, 200, "leaf"},
		{"nginx, a broken escape", "nginx", proxy, []string{escaped + "%"}, nil, nil, 400, none},
		{"nginx, a key", "nginx", proxy, []string{url.PathEscape(string(mtlstest.KeyPEM(t, leaf)))}, nil, nil, 400, none},
		{"haproxy", "haproxy", proxy, []string{der}, nil, nil, 200, "leaf"},
		{"haproxy, cut off", "haproxy", proxy, []string{der[:len(der)-8]}, nil, nil, 400, none},
		{"haproxy, PEM", "haproxy", proxy, []string{escaped}, nil, nil, 400, none},
		{"RFC 9440", "rfc9440", proxy, []string{":" + der + ":"}, nil, nil, 200, "leaf"},
		{"RFC 9440 with a chain", "rfc9440", proxy, []string{":" + der + ":"}, []string{":" + between + ":, :" + between + ":"}, nil, 200, "leaf authority authority"},
		{"RFC 9440 with a chain in lines", "rfc9440", proxy, []string{":" + der + ":"}, []string{":" + between + ":", ":" + between + ":"}, nil, 200, "leaf authority authority"},
		{"RFC 9440 with a broken chain", "rfc9440", proxy, []string{":" + der + ":"}, []string{between}, nil, 400, none},
		{"RFC 9440 with an endless chain", "rfc9440", proxy, []string{":" + der + ":"}, []string{strings.Repeat(":"+between+":,", 9) + ":" + between + ":"}, nil, 400, none},
		{"RFC 9440, two in one", "rfc9440", proxy, []string{":" + der + ":, :" + der + ":"}, nil, nil, 400, none},
		{"RFC 9440, without colons", "rfc9440", proxy, []string{der}, nil, nil, 400, none},
		{"a chain alone", "rfc9440", proxy, nil, []string{":" + der + ":"}, nil, 200, none},
		{"a header of the caller", "nginx", caller, []string{escaped}, nil, nil, 200, none},
		{"rubbish of the caller", "nginx", caller, []string{"x"}, nil, nil, 200, none},
		{"one of the caller before that of the proxy", "nginx", proxy, []string{escaped, escaped}, nil, nil, 400, none},
		{"an empty one of the caller before it", "nginx", proxy, []string{"", escaped}, nil, nil, 400, none},
		{"the connection", "", caller, nil, nil, presented, 200, "leaf authority"},
		{"the connection, whatever a header says", "nginx", proxy, []string{url.PathEscape(string(mtlstest.PEM(other.Leaf)))}, nil, presented, 200, "leaf authority"},
		{"a header where none is believed", "", proxy, []string{escaped}, nil, nil, 200, none},
	} {
		o := web.Options{Issuer: "https://login.example", TrustedProxies: []string{"10.0.0.0/8"}}
		if tc.format != "" {
			o.ClientCertificate = web.CertificateHeader{Name: "X-Client-Cert", Format: tc.format, Paths: []string{"/names"}}
		}
		r := httptest.NewRequest("GET", "/names", nil)
		r.RemoteAddr, r.TLS = tc.peer, tc.tls
		r.Header["X-Client-Cert"], r.Header["Client-Cert-Chain"] = tc.sent, tc.chain
		r.Header.Set("X-Forwarded-For", "10.0.0.1") // names no peer
		h, err := web.New(o, rand.Reader, func() time.Time { return t0 }, names{})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.code || tc.code == 200 && w.Body.String() != tc.want {
			t.Errorf("%s = %d %q, want %d %q", tc.name, w.Code, w.Body, tc.code, tc.want)
		}
	}
}
