package main

import (
	"net/http"
	"runtime"
	"testing"

	"sallyport/cmd/sallyport/servertest"
)

// Else all other requests would wait behind hashes on every core (T-8).
func TestServeHasThreadsBesideThoseThatHash(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	for environ, want := range map[string]int{"": 2 * cores, "SALLYPORT_ARGON2_PARALLEL=3": cores + 3, "GOMAXPROCS=1": cores} {
		t.Run(environ, func(t *testing.T) {
			settings, _, admin := servertest.NewInstallation(t)
			startServer(t, settings, admin, http.StatusOK, environ)
			if got := runtime.GOMAXPROCS(0); got != want {
				t.Errorf("%d threads on %d cores, want %d", got, cores, want)
			}
		})
	}
	if got := runtime.GOMAXPROCS(0); got != cores {
		t.Errorf("%d threads afterwards, want %d", got, cores)
	}
}
