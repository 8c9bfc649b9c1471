package adminclient

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/dev"
)

func TestCertificatesAreReadAsEveryEditorWritesThem(t *testing.T) {
	cert, _, err := dev.NewCertificate("localhost", time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	windows := strings.ReplaceAll(string(cert), "\n", "\r\n")
	for _, content := range []string{string(cert), windows, "\ufeff" + string(cert), "\ufeff" + windows} {
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, chain, err := trusting(file, false); err != nil || len(chain) != 2 {
			t.Errorf("%.30q: %d certificates, %v", content, len(chain), err)
		}
	}
}
