package e2e

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/provider/mtls/mtlstest"
)

// TestModelContextProtocol runs browser/mcp.test.mjs: the SDK of the Model Context Protocol connects to
// a server of it with tokens of a client that nobody registered, and requests as other such clients send
// them are repeated.
//
// Conformance (Clients by document): draft-ietf-oauth-client-id-metadata-document 3, 4, 5: an independent client finds the server from a protected resource, and signs a user in with its document
// Conformance (Protected resources): RFC 9728 3, 5: an independent client finds the authorization server of a resource
func TestModelContextProtocol(t *testing.T) {
	dir := t.TempDir()
	s := setStageWith(t, dir, engineDSN(t, dir, "sqlite"), func(s *stage) string { return s.state(0, usersWithoutTOTP) })
	own := mtlstest.SelfSigned(t, "localhost", time.Now(), func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	ca := filepath.Join(dir, "tools.crt")
	writeFile(t, ca, string(mtlstest.PEM(own.Leaf)))
	tools := fmt.Sprintf("https://localhost:%d", freePort(t))
	bare := strings.Replace(tools, "localhost", "127.0.0.1", 1)
	writeFile(t, s.config, readFile(t, s.config)+fmt.Sprintf("client_documents: {enabled: true, scopes: [openid, profile, offline_access, \"tools:read\"]}\nresources: [%q, %q]\n"+
		"fetch: {allowed_networks: [127.0.0.0/8, \"::1/128\"], ca_file: %q}\n", tools+"/mcp", bare, ca))
	s.more = map[string]any{"tools": tools, "bare": bare, "ca": string(mtlstest.PEM(own.Leaf)), "key": string(mtlstest.KeyPEM(t, own))}
	s.serve(t)
	t.Setenv("NODE_EXTRA_CA_CERTS", ca)
	runBrowser(t, s, "mcp.test.mjs", 0, 4)
}
