package storagetest

import (
	"time"

	"sallyport/storage"
)

// ending is a Finish with every part: a new session in place of another user's.
type ending struct {
	storage.Finish
	person
	ended storage.Session
	grant storage.GrantID // hangs on the ended session
}

func (w *world) ending() ending {
	w.Helper()
	p, q := w.someone(), w.someone()
	old, session := w.signedIn(q), w.session(p)
	return ending{
		person: p, ended: old, grant: w.granted(q, old.ID, false),
		Finish: storage.Finish{
			Now: w.now, Request: w.opened(), Session: &session, NewSession: true, EndSession: old.ID,
			Consent: &storage.Consent{UserID: p.id, ClientID: "app", Scopes: []string{"openid"}, GrantedAt: w.now},
			Code:    w.code(random[string](), p, session.ID), Events: []storage.Event{w.event(p)},
		},
	}
}

func finishing(w *world) {
	w.test("a finished request leaves its session, code and consent", wholeFinish)
	w.test("of racing ends of a request one is made", func(w *world) {
		p, r := w.someone(), w.opened()
		w.one(racers, func(int) error {
			s := w.session(p)
			return w.s.FinishRequest(w.ctx, storage.Finish{
				Now: w.now, Request: r, Session: &s, NewSession: true, Code: w.code(random[string](), p, s.ID),
			})
		})
		sessions, err := w.s.SessionsOf(w.ctx, p.id, w.now)
		w.ok(err)
		same(w, len(sessions), 1)
	})
	w.test("if one part of the end fails, nothing of it happens", brokenFinish)
	w.test("a session is raised by one generation, once", func(w *world) {
		p := w.someone()
		old := w.signedIn(p)
		w.one(racers, func(int) error {
			s := old
			s.Generation, s.Factors = 2, append(s.Factors, storage.Factor{Method: "totp", At: w.now})
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Session: &s})
		})
		got, _, err := w.s.Session(w.ctx, old.ID, w.now)
		w.ok(err)
		same(w, got.Generation, 2)
		same(w, len(got.Factors), 2)
		w.ok(w.s.EndSession(w.ctx, old.ID, false, w.now, nil))
		got.Generation = 3
		w.is(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Session: &got}), storage.ErrConflict)
	})
	w.test("an answer may be a grant instead of a code", func(w *world) {
		p := w.someone()
		g := w.grant(p, "", false)
		w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
		got, err := w.s.Grant(w.ctx, g.ID)
		w.ok(err)
		same(w, got.Grant, g)
	})
}

func wholeFinish(w *world) {
	x := w.ending()
	w.ok(w.s.FinishRequest(w.ctx, x.Finish))
	same(w, w.request(x.Request).State, storage.RequestCompleted)
	session, account, err := w.s.Session(w.ctx, x.Session.ID, w.now)
	w.ok(err)
	same(w, session, *x.Session)
	same(w, account, w.account(x.id))
	_, _, err = w.s.Session(w.ctx, x.ended.ID, w.now)
	w.is(err, storage.ErrNotFound)
	g, err := w.s.Grant(w.ctx, x.grant)
	w.ok(err)
	same(w, g.Alive(), false)
	consent, err := w.s.Consent(w.ctx, x.id, "app")
	w.ok(err)
	same(w, consent, *x.Consent)
	code, err := w.s.Code(w.ctx, x.Code.Code, w.now)
	w.ok(err)
	same(w, code.Code, *x.Code)
	same(w, w.told(x.Events[0]), true)
}

func brokenFinish(w *world) {
	for name, spoil := range map[string]func(*world, *ending){
		"another version":         func(_ *world, x *ending) { x.Version = 9 },
		"an unknown request":      func(_ *world, x *ending) { x.Request = random[storage.RequestID]() },
		"too late":                func(w *world, x *ending) { x.Now = w.now.Add(time.Hour) },
		"a session that is there": func(_ *world, x *ending) { x.Session.ID = x.ended.ID },
		"a session that is not":   func(_ *world, x *ending) { x.NewSession = false },
		"a code that is there":    func(w *world, x *ending) { w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: x.Code})) },
		"a request that is closed": func(w *world, x *ending) {
			w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Request: x.Request}))
		},
	} {
		w.test(name, func(w *world) {
			x := w.ending()
			spoil(w, &x)
			w.is(w.s.FinishRequest(w.ctx, x.Finish), storage.ErrConflict)
			sessions, err := w.s.SessionsOf(w.ctx, x.id, w.now)
			w.ok(err)
			same(w, len(sessions), 0)
			_, _, err = w.s.Session(w.ctx, x.ended.ID, w.now)
			w.ok(err)
			_, err = w.s.Consent(w.ctx, x.id, "app")
			w.is(err, storage.ErrNotFound)
			same(w, w.told(x.Events[0]), false)
		})
	}
}
