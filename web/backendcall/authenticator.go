// Package backendcall is what the surfaces for backends do around each call: they authenticate
// its API key, check what the key may do, and write the call into the audit trail.
package backendcall

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/provider/apikeys"
	"sallyport/storage"
	"sallyport/web"
)

// Refusals of a call.
var (
	ErrUnauthorized = errors.New("backendcall: the call has no valid API key of the dialect")
	ErrForbidden    = errors.New("backendcall: the API key lacks the verb")
)

// Call is a call of an authenticated backend.
type Call struct {
	mfa.Caller                // the backend, not the browser of the user
	Key        storage.APIKey // shared: must not be changed
}

// Authenticator authenticates the calls of one surface.
type Authenticator struct {
	keys    *apikeys.Keys
	journal *audit.Journal
	dialect string
	refuse  func(c *gin.Context, err error)
}

// New returns the Authenticator of the surface for a dialect, apikeys.DialectStreambird or
// apikeys.DialectStytch. refuse writes the response to a call that is refused: ErrUnauthorized,
// ErrForbidden or an unexpected error.
func New(keys *apikeys.Keys, journal *audit.Journal, dialect string, refuse func(c *gin.Context, err error)) *Authenticator {
	return &Authenticator{keys: keys, journal: journal, dialect: dialect, refuse: refuse}
}

// Read handles a call that changes nothing and returns no secret, for keys that may read.
func (a *Authenticator) Read(serve func(c *gin.Context, call Call)) gin.HandlerFunc {
	return a.handler(apikeys.VerbRead, a.header, serve)
}

// Write handles every other call, for keys that may write.
func (a *Authenticator) Write(serve func(c *gin.Context, call Call)) gin.HandlerFunc {
	return a.handler(apikeys.VerbWrite, a.header, serve)
}

// ReadByQuery is Read for callers that cannot send a header: without one, the key is the
// parameter api_key. Queries are in no log, no metric and no event.
func (a *Authenticator) ReadByQuery(serve func(c *gin.Context, call Call)) gin.HandlerFunc {
	return a.handler(apikeys.VerbRead, func(c *gin.Context) (credential, bool) {
		if len(c.Request.Header.Values("Authorization")) > 0 {
			return a.header(c)
		}
		return query(c)
	}, serve)
}

func (a *Authenticator) handler(verb string, read func(*gin.Context) (credential, bool), serve func(*gin.Context, Call)) gin.HandlerFunc {
	return func(c *gin.Context) {
		v := caller(c)
		sent, ok := read(c)
		if !ok {
			web.Refused(c, mfa.Refusal{Reason: noKey})
			a.unauthorized(c)
			return
		}
		k, err := a.keys.AuthenticateFor(c.Request.Context(), v, a.dialect, sent.project, sent.secret)
		if errors.Is(err, apikeys.ErrNotFound) {
			a.unauthorized(c)
			return
		}
		if err != nil {
			web.Refused(c, mfa.Refusal{Reason: web.CodeUnavailable, Err: err, Operator: true})
			a.refuse(c, err)
			return
		}
		v.APIKey = k.ID
		finished := false
		defer func() { a.note(c, v, k, finished) }()
		if k.Allows(a.dialect, verb) {
			serve(c, Call{Caller: v, Key: k})
		} else {
			web.Refused(c, mfa.Refusal{Reason: string(mfa.NotAllowed), Err: ErrForbidden})
			a.refuse(c, ErrForbidden)
		}
		finished = true
	}
}

// noKey is the reason in the log of a call without an API key.
const noKey = "no_api_key"

// unauthorized names the scheme that the call lacks (RFC 9110 section 11.6.1).
func (a *Authenticator) unauthorized(c *gin.Context) {
	c.Header("WWW-Authenticate", a.scheme()+` realm="sallyport"`)
	a.refuse(c, ErrUnauthorized)
}

// caller describes a backend. It is no browser, and its language is not that of the user.
func caller(c *gin.Context) mfa.Caller {
	v := web.Caller(c)
	return mfa.Caller{Address: v.Address, UserAgent: v.UserAgent, CorrelationID: v.CorrelationID, Actor: mfa.ActorClient}
}

// note writes the call into the audit trail: its route, never its address or body. A handler that
// has not finished panicked, and the response will be 500.
func (a *Authenticator) note(c *gin.Context, v mfa.Caller, k storage.APIKey, finished bool) {
	status := c.Writer.Status()
	if !finished && !c.Writer.Written() {
		status = http.StatusInternalServerError
	}
	outcome := mfa.OutcomeOK
	switch {
	case status >= http.StatusInternalServerError:
		outcome = mfa.OutcomeFailed
	case status >= http.StatusBadRequest:
		outcome = mfa.OutcomeRefused
	}
	a.journal.Note(a.journal.Event(v, storage.Event{Kind: mfa.EventAPIKeyUsed, Outcome: outcome, Detail: map[string]string{
		"api_key": string(k.ID), "name": k.Name, "surface": a.dialect,
		"route": c.FullPath(), "method": c.Request.Method, "status": strconv.Itoa(status)}}))
}
