package e2e

import "testing"

// TestLogoutReachesApplications runs browser/logout.test.mjs, with applications on loopback.
//
// Conformance (Logout): Back-Channel Logout 2.4, 2.6: an independent library verifies the tokens of a browser's sign-out
// Conformance (Logout): Front-Channel Logout 2, 3: a browser loads the frames, with scripts or without, and goes on
// Conformance (CIBA): CIBA Core 7, 10.2, 11: an independent client asks a person, hears of the end, and fetches the tokens
// Conformance (CIBA): CIBA Core 7, 10.1, 11: a second client asks a person, polls, and is told that nobody answered yet and that the person refused
func TestLogoutReachesApplications(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := setStage(t, engine)
			s.env = append(s.env, "SALLYPORT_FETCH_ALLOWED_NETWORKS=127.0.0.0/8")
			s.serve(t)
			runBrowser(t, s, "logout.test.mjs", 0, 8)
		})
	}
}
