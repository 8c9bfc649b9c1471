package dev

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A phone takes a root from the demo, and then trusts the server under its name.
func TestAPhoneTrustsTheServerByItsRoot(t *testing.T) {
	at := place{bind: "0.0.0.0", name: "laptop.example", port: 8080, secure: true, exposed: true}
	get, file := outboxAt(t, at)
	f := &folder{dir: filepath.Dir(file)}
	now := time.Now()
	files, err := f.certificate(at, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := get(rootPath)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Fatalf("the root: %d, %s", w.Code, w.Header())
	}
	root, err := x509.ParseCertificate(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !root.BasicConstraintsValid || !root.IsCA || root.KeyUsage != x509.KeyUsageCertSign {
		t.Errorf("the root: CA %v, key usage %b", root.IsCA, root.KeyUsage)
	}
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	for _, name := range []string{"laptop.example", "localhost", "127.0.0.1"} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if cert.Leaf.IsCA {
		t.Error("the key of the folder can make certificates of other hosts")
	}

	tour := func() string { return strings.Join(tour(at, f), "\n") }
	if want := "https://laptop.example:8081/ca.crt"; !strings.Contains(tour(), want) {
		t.Errorf("the tour does not name %s: %s", want, tour())
	}
	details := &strings.Builder{}
	writeAddress(details, at, f, false)
	if want := fmt.Sprintf("%X", sha256.Sum256(root.Raw)); !strings.Contains(strings.Join(strings.Fields(details.String()), ""), want) {
		t.Errorf("no fingerprint tells the root from one of somebody else in the network: %s", details)
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	if err := os.WriteFile(files.Cert, leaf, 0o600); err != nil { // as of another authority
		t.Fatal(err)
	}
	if w := get(rootPath); w.Code != http.StatusNotFound || strings.Contains(tour(), rootPath) {
		t.Errorf("with a certificate of one's own: %d, %s", w.Code, tour())
	}
}
