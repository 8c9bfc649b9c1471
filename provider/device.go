package provider

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/session"
	"sallyport/mfa/throttle"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

const (
	// DevicePath is the page where people type the code that a device shows.
	DevicePath = "/device"
	// DeviceAllowedPath and DeviceDeniedPath are the pages where a login for a polled request ends.
	DeviceAllowedPath, DeviceDeniedPath = "/device/allowed", "/device/denied"
	// deviceLife is how long a device waits for a person.
	deviceLife = 10 * time.Minute
	// userCodeLetters have no vowels, so that codes are no words, and none that look alike (RFC 8628
	// section 6.1).
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	// userCodeLength makes 20^8 codes, 34 bits: enough for ten minutes and the limits on guesses.
	userCodeLength = 8
)

// deviceResponse is the response of the device authorization endpoint (RFC 8628 section 3.2).
type deviceResponse struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

// DeviceAuthorization is the device authorization endpoint (RFC 8628 section 3.1). The client
// authenticates as at the token endpoint; PKCE and a redirect URI have no meaning here.
func (p *Provider) DeviceAuthorization(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	out, e := p.deviceAuthorization(r, v)
	if e != nil {
		p.respond.Error(w, r, e)
		return
	}
	oauth.WriteJSON(w, http.StatusOK, out)
}

func (p *Provider) deviceAuthorization(r *http.Request, v mfa.Caller) (deviceResponse, *oauth.Error) {
	form, e := oauth.ReadForm(r)
	if e != nil {
		return deviceResponse{}, e
	}
	c, err := p.ClientAuth.Authenticate(r, form, v)
	if err != nil {
		return deviceResponse{}, oauth.ErrorOf(err)
	}
	if !c.MayUse(clients.DeviceCode) {
		return deviceResponse{}, oauth.NewError("unauthorized_client", "the client is not registered for "+clients.DeviceCode)
	}
	if c.RequireSignedRequestObject || c.Profile == clients.FAPI2 { // also one from before its settings were checked for that
		return deviceResponse{}, oauth.NewError("unauthorized_client", "requests of the client must be signed or pushed, and those of devices cannot be")
	}
	ctx := r.Context()
	read, e := p.readPolled(ctx, c, external(form), storedTime(p.now()))
	if e != nil {
		return deviceResponse{}, e
	}
	if c.Anonymous() {
		if e := notAdmitted(p.options.Admit.Spend(v, budget.Opens, 1)); e != nil {
			return deviceResponse{}, e
		}
	}
	// Two requests of 20^8 rarely share a code; a few more tries are as good as certainty.
	for tries := 0; ; tries++ {
		made := p.newPolled(clients.DeviceCode, read, v, deviceLife)
		if made.UserCode, err = p.newUserCode(); err != nil {
			return deviceResponse{}, oauth.ErrorOf(err)
		}
		err = p.store.CreatePolled(ctx, storage.NewPolled{Request: made})
		if errors.Is(err, storage.ErrConflict) && tries < 3 {
			continue
		}
		if err != nil {
			return deviceResponse{}, oauth.Unavailable(err)
		}
		shown := made.UserCode[:userCodeLength/2] + "-" + made.UserCode[userCodeLength/2:]
		return deviceResponse{made.Code, shown, p.url(DevicePath), p.url(DevicePath) + "?user_code=" + shown,
			int64(deviceLife / time.Second), int64(pollInterval / time.Second)}, nil
	}
}

// newPolled returns a new request that its client polls for.
func (p *Provider) newPolled(grantType string, r *request, v mfa.Caller, life time.Duration) storage.PolledRequest {
	now := storedTime(p.now())
	return storage.PolledRequest{ID: storage.PolledID(storage.Random128(p.random)), GrantType: grantType,
		Code: storage.Random128(p.random) + storage.Random128(p.random), ClientID: r.client.ID, State: storage.PolledPending,
		Details:  storage.PolledDetails{Params: r.params, Address: v.Address, Country: v.Country, Agent: v.Agent()},
		Interval: pollInterval, CreatedAt: now, ExpiresAt: now.Add(life)}
}

func (p *Provider) newUserCode() (string, error) {
	var code strings.Builder
	for range userCodeLength {
		n, err := mfa.Uniform(p.random, uint32(len(userCodeLetters)))
		if err != nil {
			return "", err
		}
		code.WriteByte(userCodeLetters[n])
	}
	return code.String(), nil
}

// BeginDevice opens a login for the request of a device, whose code a person typed or followed a link
// with. An unknown code, one that is used and one that expired get one answer, InvalidPasscode. The
// code proves nothing: the login is an ordinary one of this browser, and asks before it ends.
func (p *Provider) BeginDevice(ctx context.Context, typed string, v mfa.Caller, s *session.SignedIn) (Begun, error) {
	code := strings.ToUpper(input.Code(typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return Begun{}, &mfa.Error{Code: mfa.InvalidPasscode, Err: errors.New("it cannot be a code")} // no guess
	}
	found, err := p.guess(ctx, code, v)
	if err != nil {
		return Begun{}, err
	}
	c, err := p.clients.Enabled(ctx, found.ClientID)
	if err != nil {
		return Begun{}, err
	}
	if c == nil {
		return Begun{}, &mfa.Error{Code: mfa.InvalidPasscode, Err: errors.New("its client was deleted or disabled")}
	}
	// The login itself is not written yet, but finding it was: a stranger can have right codes without end.
	if err := p.options.Admit.Spend(v, budget.Opens, 1); err != nil {
		return Begun{}, err
	}
	return p.openPolled(ctx, c, found, v, s)
}

// openPolled opens a login for a polled request.
func (p *Provider) openPolled(ctx context.Context, c *clients.Client, found storage.PolledRequest, v mfa.Caller, s *session.SignedIn) (Begun, error) {
	values := found.Details.Params
	values.Set(polledParam, string(found.ID))
	values.Del(askedParam)
	if found.GrantType == clients.CIBA {
		values.Set(askedParam, "1")
	}
	r, e := p.readPolled(ctx, c, values, storedTime(p.now()))
	if e != nil && e.Cause != nil {
		return Begun{}, e
	}
	if e != nil || !r.polls() {
		return Begun{}, &mfa.Error{Code: mfa.InvalidPasscode, Err: errors.New("its client has changed")}
	}
	return p.open(ctx, r, v, s)
}

// guess finds the request of a code. Attempts are counted for the network of the caller before they are
// compared, and taken back if the code is right.
func (p *Provider) guess(ctx context.Context, code string, v mfa.Caller) (storage.PolledRequest, error) {
	for _, of := range []string{budget.Failures, budget.Opens} { // who has none left writes nothing
		if err := p.options.Admit.Spend(v, of, 0); err != nil {
			return storage.PolledRequest{}, err
		}
	}
	now := p.now()
	var counted []storage.Throttle
	var keys []storage.ThrottleKey
	for _, from := range []string{v.Network(), v.Site()} {
		if from != "" || len(counted) == 0 { // callers of unknown networks share a counter
			key := storage.ThrottleKey{Bucket: throttle.UserCode, Subject: p.keyring.Hash(throttle.UserCode, from)}
			counted, keys = append(counted, storage.Throttle{Key: key, Schedule: throttle.Schedule(throttle.UserCode)}), append(keys, key)
		}
	}
	refusal, err := p.store.CountAttempt(ctx, storage.Attempt{Throttles: counted, Now: now})
	if errors.Is(err, storage.ErrConflict) {
		if refusal.First {
			p.journal.NoteRefusal(v, budget.Refusals, p.journal.Event(v, storage.Event{Kind: mfa.EventDeviceGuessed, Outcome: mfa.OutcomeRefused}))
		}
		return storage.PolledRequest{}, &mfa.Error{Code: mfa.TooMany, RetryAfter: max(refusal.Until.Sub(now), time.Second), Err: err}
	}
	if err != nil {
		return storage.PolledRequest{}, mfa.Wrap("count user code", err)
	}
	found, err := p.store.PolledByUserCode(ctx, code, now)
	if isNotFound(err) {
		_ = p.options.Admit.Spend(v, budget.Failures, 1) // some is left
		return found, &mfa.Error{Code: mfa.InvalidPasscode, Err: err}
	}
	if err != nil {
		return found, mfa.Wrap("read user code", err)
	}
	return found, mfa.Wrap("take back user code", p.store.Spend(ctx, storage.Spend{Now: now, Forgive: keys}))
}
