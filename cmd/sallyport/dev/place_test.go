package dev

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"path/filepath"
	"testing"
	"time"
)

func TestNewPlace(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		want place
	}{
		{"loopback without TLS", Options{Port: 8080}, place{bind: "127.0.0.1", name: "localhost", port: 8080}},
		{"TLS by flag", Options{Port: 8080, TLS: true}, place{bind: "127.0.0.1", name: "localhost", port: 8080, secure: true}},
		{"another loopback address exposes nothing", Options{Port: 8080, Host: "127.0.0.2"}, place{bind: "127.0.0.2", name: "localhost", port: 8080}},
		{"an address of the network: TLS and a warning", Options{Port: 80, Host: "192.0.2.7"},
			place{bind: "192.0.2.7", name: "192.0.2.7", port: 80, secure: true, exposed: true}},
		{"a name: every address, TLS and a warning", Options{Port: 80, Host: "laptop.example"},
			place{bind: "0.0.0.0", name: "laptop.example", port: 80, secure: true, exposed: true}},
	} {
		got, err := newPlace(tc.o)
		if err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v", tc.name, got, err, tc.want)
		}
	}
	for _, host := range []string{"laptop", "Laptop.example", "192.0.2", "laptop.example.", "-a.example", "a..example", "laptop.example:80", "https://laptop.example", "laptop.example/x"} {
		if got, err := newPlace(Options{Port: 80, Host: host}); err == nil {
			t.Errorf("%s: %+v, want it refused", host, got)
		}
	}
}

func TestCertificateIsReusedWhileItFits(t *testing.T) {
	f, err := openFolder(filepath.Join(t.TempDir(), "data"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	now := time.Now()
	leaf := func(name string) []byte {
		t.Helper()
		files, err := f.certificate(place{name: name}, now, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			t.Fatal(err)
		}
		return cert.Certificate[0]
	}
	first := leaf("localhost")
	if !bytes.Equal(leaf("localhost"), first) {
		t.Error("the second start created another certificate")
	}
	other := leaf("192.0.2.7")
	if bytes.Equal(other, first) {
		t.Error("a new address got the old certificate")
	}
	if bytes.Equal(leaf("laptop.example"), other) {
		t.Error("a name got the old certificate")
	}
	other = leaf("192.0.2.7")
	now = now.Add(certificateLife + time.Hour)
	if bytes.Equal(leaf("192.0.2.7"), other) {
		t.Error("an expired certificate is reused")
	}
}
