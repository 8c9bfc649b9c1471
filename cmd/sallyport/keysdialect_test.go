package main

import (
	"slices"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
)

// dialectKeys returns the IDs of the published keys of the dialects, newest first.
func dialectKeys(s servertest.Server) []string {
	var out []string
	for _, k := range s.Keyring.Signings("dialect") {
		out = append(out, string(k.ID))
	}
	return out
}

func TestADatabaseOfAnEarlierVersionGetsADialectKey(t *testing.T) {
	servertest.OnBothUnstarted(t, func(t *testing.T, settings string) {
		earlierVersion(t, settings)
		s := newServers(t, settings, 3)
		first := dialectKeys(s.servers[0])
		if len(first) != 1 {
			t.Fatalf("keys = %v, want one", first)
		}
		for _, one := range s.servers[1:] {
			if got := dialectKeys(one); !slices.Equal(got, first) {
				t.Errorf("another server has %v, want %v", got, first)
			}
		}
	})
}

// Stytch promises that a retired key stays in the key set for a month.
func TestADialectKeyIsPublishedAMonthAfterItRetired(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		s := newServers(t, settings, 1)
		one := s.servers[0]
		old := dialectKeys(one)[0]
		s.c.Move(89 * day)
		s.rotateDue()
		next := dialectKeys(one)[0]
		if next == old {
			t.Fatal("no next key after 89 days")
		}
		for _, step := range []struct {
			by   time.Duration
			want []string
		}{{day, []string{next, old}}, {31*day - time.Minute, []string{next, old}}, {2 * time.Minute, []string{next}}} {
			s.c.Move(step.by)
			one.Poll()
			if got := dialectKeys(one); !slices.Equal(got, step.want) {
				t.Errorf("%s later: %v, want %v", step.by, got, step.want)
			}
		}
	})
}

func TestTheKeySetOfOpenIDHasNoDialectKey(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	s := servertest.New(t, settings, new(servertest.Clock))
	published := append(s.Published("RS256"), s.Published("ES256")...)
	var want []string
	for _, k := range s.Keyring.Signings("oidc") {
		want = append(want, string(k.ID))
	}
	slices.Sort(published)
	slices.Sort(want)
	if !slices.Equal(published, want) {
		t.Errorf("published %v, want %v", published, want)
	}
	if _, kid := s.Token(); slices.Contains(dialectKeys(s), kid) {
		t.Error("a dialect key signs tokens of OpenID Connect")
	}
}
