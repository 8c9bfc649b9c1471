package server_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/provider/mtls/mtlstest"
)

// Conformance (FAPI 2.0): Security Profile 5.2.1, RFC 9325 4.2: TLS 1.3, or 1.2 with ECDHE and AES-GCM
func TestFAPICiphers(t *testing.T) {
	dir := t.TempDir()
	own := mtlstest.SelfSigned(t, "localhost", time.Now())
	files := config.TLS{Cert: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
	if err := os.WriteFile(files.Cert, mtlstest.PEM(own.Leaf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.Key, mtlstest.KeyPEM(t, own), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := server.LoadCertificate("listen", files)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake() }()
		}
	}()
	for _, tc := range []struct {
		name    string
		version uint16
		cipher  uint16
		want    bool
	}{
		{"TLS 1.3", tls.VersionTLS13, 0, true},
		{"AES 128 GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true},
		{"AES 256 GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true},
		{"ChaCha20", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false},
		{"CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, false},
		{"TLS 1.1", tls.VersionTLS11, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, false},
	} {
		settings := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tc.version} //nolint:gosec // offers what is to be refused
		if tc.cipher != 0 {
			settings.CipherSuites = []uint16{tc.cipher}
		}
		conn, err := tls.Dial("tcp", l.Addr().String(), settings)
		if err == nil {
			err = conn.Close()
		}
		if (err == nil) != tc.want {
			t.Errorf("%s: %v, want a connection: %v", tc.name, err, tc.want)
		}
	}
}
