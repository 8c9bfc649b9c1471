package dev

import (
	"bytes"
	"crypto/rand"
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
	} {
		got, err := newPlace(tc.o)
		if err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v", tc.name, got, err, tc.want)
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
	first, err := f.certificate(place{name: "localhost"}, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.certificate(place{name: "localhost"}, now, rand.Reader)
	if err != nil || !bytes.Equal(again.Certificate[0], first.Certificate[0]) {
		t.Errorf("the second start created another certificate, %v", err)
	}
	other, err := f.certificate(place{name: "192.0.2.7"}, now, rand.Reader)
	if err != nil || bytes.Equal(other.Certificate[0], first.Certificate[0]) {
		t.Errorf("a new address got the old certificate, %v", err)
	}
	now = now.Add(certificateLife + time.Hour)
	late, err := f.certificate(place{name: "192.0.2.7"}, now, rand.Reader)
	if err != nil || bytes.Equal(late.Certificate[0], other.Certificate[0]) {
		t.Errorf("an expired certificate is reused, %v", err)
	}
}
