package storagetest

import "sallyport/storage"

// offlineGrants ends a session in every way: the setting of a grant's own client decides
// whether the grant ends with it.
func offlineGrants(w *fixture) {
	ways := map[string]func(p person, id storage.SessionID) error{
		"the session": func(_ person, id storage.SessionID) error { return w.s.EndSession(w.ctx, id, false, w.now, nil) },
		"all sessions": func(p person, _ storage.SessionID) error {
			return w.s.EndSessions(w.ctx, p.id, "", false, w.now, nil)
		},
		"another user signs in": func(_ person, id storage.SessionID) error {
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, EndSession: id})
		},
	}
	keeps, ends := storage.ClientID("keeps-"+random[string]()), storage.ClientID("ends-"+random[string]())
	w.ok(w.s.PutClient(w.ctx, storage.Client{ID: keeps, Name: `"logout_ends_offline":true`}, nil))
	for name, end := range ways {
		w.ok(w.s.PutClient(w.ctx, storage.Client{ID: ends}, nil))
		p, q := w.addUser(), w.addUser()
		s, other := w.signedIn(p), w.signedIn(q)
		of := func(client storage.ClientID, whose person, session storage.SessionID) storage.GrantID {
			g := w.grant(whose, session, true)
			g.Authorization.ClientID = client
			w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
			return g.ID
		}
		kept, ended, elsewhere := of(keeps, p, s.ID), of(ends, p, s.ID), of(ends, q, other.ID)
		was, err := w.s.Client(w.ctx, ends)
		w.ok(err)
		was.LogoutEndsOffline, was.UpdatedAt = true, w.now // since the grant
		w.ok(w.s.PutClient(w.ctx, was, nil))
		w.alive(p, ended, name+": before it ends", true)
		w.ok(end(p, s.ID))
		w.alive(p, kept, name+": of a client that keeps it", true)
		w.alive(p, ended, name+": of a client that ends it", false)
		w.alive(q, elsewhere, name+": of another session", true)
		w.alive(p, of(ends, p, s.ID), name+": of a code that came at the same moment", false)
		w.alive(p, of(keeps, p, s.ID), name+": the same, of a client that keeps it", true)
		was.LogoutEndsOffline = false
		w.ok(w.s.PutClient(w.ctx, was, nil))
		w.alive(p, ended, name+": and the setting is off again", false)
	}
}
