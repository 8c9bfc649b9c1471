package storagetest

import (
	"sync"
	"time"

	"sallyport/storage"
)

// endings returns all ways to end a user's other sessions and grants.
func (w *fixture) endings(p person, kept storage.SessionID) map[string]func() error {
	return map[string]func() error{
		"by themselves": func() error { return w.s.EndSessions(w.ctx, p.id, kept, true, w.now, nil) },
		"with a proof": func() error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, EndSessions: p.id, KeepSession: kept})
		},
		"with a factor": func() error {
			a := w.authenticator(p.id, random[storage.AuthenticatorID](), "email", "another")
			w.ok(w.s.PutAuthenticator(w.ctx, a, nil, nil))
			return w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: a.ID, EndSessions: kept, Now: w.now})
		},
	}
}

// alive checks a grant, read alone and in the list of its user.
func (w *fixture) alive(p person, id storage.GrantID, what string, want bool) {
	w.Helper()
	g, err := w.readGrant(id)
	w.ok(err)
	all, err := w.s.GrantsOf(w.ctx, p.id, w.now)
	w.ok(err)
	listed := false
	for _, x := range all {
		listed = listed || x.ID == id
	}
	if g.Alive() != want || listed != want {
		w.Errorf("%s: alive %v, listed %v; want %v", what, g.Alive(), listed, want)
	}
}

func otherSessions(w *fixture) {
	p, q := w.addUser(), w.addUser()
	kept, gone, foreign := w.signedIn(p), w.signedIn(p), w.signedIn(q)
	keptGrant, goneGrant, offline := w.granted(p, kept.ID, false), w.granted(p, gone.ID, false), w.granted(p, gone.ID, true)
	w.ok(w.s.EndSessions(w.ctx, p.id, kept.ID, false, w.now, nil))
	for id, want := range map[storage.SessionID]error{kept.ID: nil, gone.ID: storage.ErrNotFound, foreign.ID: nil} {
		_, _, err := w.s.Session(w.ctx, id, w.now)
		w.is(err, want)
	}
	w.alive(p, keptGrant, "of the session kept", true)
	w.alive(p, goneGrant, "of one that ended", false)
	w.alive(p, offline, "offline, which was not to end", true)
	w.ok(w.s.EndSessions(w.ctx, p.id, "", true, w.now, nil))
	_, _, err := w.s.Session(w.ctx, kept.ID, w.now)
	w.is(err, storage.ErrNotFound)
	w.alive(p, keptGrant, "when every session ends", false)
	w.alive(p, offline, "offline, when everything ends", false)
}

func otherGrants(w *fixture) {
	q := w.addUser()
	foreign := w.signedIn(q)
	foreignGrant, foreignCode := w.granted(q, foreign.ID, true), w.issued(q, foreign.ID)
	lates := map[storage.GrantID]person{}
	for name := range w.endings(q, "") {
		p := w.addUser()
		kept, other, out, over := w.signedIn(p), w.signedIn(p), w.signedIn(p), w.session(p)
		over.ExpiresAt = w.now
		w.ok(w.s.CreateSession(w.ctx, over, nil))
		w.ok(w.s.EndSession(w.ctx, out.ID, false, w.now, nil))
		for id, want := range map[storage.SessionID]error{over.ID: nil, out.ID: storage.ErrNotFound} {
			_, _, err := w.s.Session(w.ctx, id, w.now)
			w.is(err, storage.ErrNotFound)
			_, _, err = w.s.Session(w.ctx, id, time.Time{})
			w.is(err, want)
		}
		own, ownOffline, ownCode := w.granted(p, kept.ID, false), w.granted(p, kept.ID, true), w.issued(p, kept.ID)
		dead := map[string]storage.GrantID{"online": w.granted(p, other.ID, false), "offline": w.granted(p, other.ID, true),
			"offline, signed out": w.granted(p, out.ID, true), "offline, expired": w.granted(p, over.ID, true), "of no session": w.granted(p, "", true)}
		codes := map[string]*storage.Grant{"another's": w.issued(p, other.ID), "without a session": w.issued(p, "")}
		w.ok(w.endings(p, kept.ID)[name]())
		w.alive(p, own, name+", of the session kept", true)
		w.alive(p, ownOffline, name+", offline, of the session kept", true)
		w.ok(w.redeem(ownCode))
		for which, id := range dead {
			w.alive(p, id, name+", "+which, false)
		}
		for which, c := range codes {
			if err := w.redeem(c); err != storage.ErrConflict {
				w.Errorf("%s: code %s: %v, want %v", name, which, err, storage.ErrConflict)
			}
		}
		// A code that the call did not see has an invalid grant.
		late := w.issued(p, other.ID)
		w.ok(w.redeem(late))
		w.alive(p, late.ID, name+", of a code that came at the same moment", false)
		lates[late.ID] = p
	}
	w.alive(q, foreignGrant, "of another user", true)
	w.ok(w.redeem(foreignCode))
	_, err := w.s.Sweep(w.ctx, foreign.ExpiresAt.Add(2*time.Hour), 1000)
	w.ok(err)
	for id, p := range lates {
		w.alive(p, id, "after the session would have been swept", false)
	}
}

// endedWhileRedeeming issues, redeems and refreshes for a session while it is ended: no grant
// of it remains valid.
func endedWhileRedeeming(w *fixture) {
	for round := range 4 {
		p := w.addUser()
		kept, thief := w.signedIn(p), w.signedIn(p)
		ready := make(chan struct{}, racers)
		var all sync.WaitGroup
		grants := make([][]storage.GrantID, racers)
		for i := range racers {
			all.Go(func() {
				for generation := int64(0); ; generation++ {
					c := w.code(p, thief.ID)
					if w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: c}) != nil {
						return
					}
					got, err := w.s.Grant(w.ctx, c.ID)
					if err != nil || got.SessionEnded {
						return // as in the provider
					}
					if w.redeem(c) != nil {
						return
					}
					grants[i] = append(grants[i], c.ID)
					_ = w.s.RotateRefresh(w.ctx, storage.Rotation{ID: c.ID, Generation: 0, Until: w.now.Add(time.Hour), Now: w.now})
					if generation == 0 {
						ready <- struct{}{}
					}
				}
			})
		}
		for range racers {
			<-ready
		}
		w.ok(w.endings(p, kept.ID)[[]string{"by themselves", "with a proof", "with a factor"}[round%3]]())
		all.Wait()
		for _, ids := range grants {
			for _, id := range ids {
				g, err := w.readGrant(id)
				w.ok(err)
				if g.Alive() {
					w.Errorf("a grant created while the session was ended is valid: %+v", g.Grant)
				}
			}
		}
		left, err := w.s.GrantsOf(w.ctx, p.id, w.now)
		w.ok(err)
		same(w, len(left), 0)
	}
}
