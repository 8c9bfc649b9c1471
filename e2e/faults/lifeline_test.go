package faults

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/storage/storagetest"
)

// cleaner is the shell script that ends every PostgreSQL of a folder when the test process ends,
// however it ends, and removes the folder. Patroni leaves PostgreSQL behind when it is killed.
const cleaner = `
read -r forever
for f in "$1"/*/data/postmaster.pid; do
	[ -f "$f" ] || continue
	p=$(head -1 "$f")
	kill -9 $p $(cat "/proc/$p/task/$p/children")
done 2>/dev/null
rm -rf "$1"
`

// newLifeline returns a folder that exists as long as the test, and who may run PostgreSQL in it.
func newLifeline(t *testing.T) (dir string, user *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sallyport-ha-")
	if err != nil {
		t.Fatal(err)
	}
	if _, user, err = storagetest.Installation(dir); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/bin/sh", "-c", cleaner, "sh", dir)
	if user != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: user.Credential}
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait()
	})
	return dir, user
}

// certificates writes ca.crt, and server.crt and server.key that it issued.
func (h *ha) certificates() {
	h.t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			h.t.Fatal(err)
		}
		return k
	}
	authority, server := key(), key()
	issue := func(name string, subject *ecdsa.PrivateKey, ca bool) {
		c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(24 * time.Hour), IsCA: ca, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}
		der, err := x509.CreateCertificate(rand.Reader, c, issuer, &subject.PublicKey, authority)
		if err != nil {
			h.t.Fatal(err)
		}
		h.write(name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	}
	issue("ca", authority, true)
	issue("server", server, false)
	der, err := x509.MarshalPKCS8PrivateKey(server)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write("server.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// connects reports whether a database answers.
func connects(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return false
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "SELECT 1")
	return err == nil
}
