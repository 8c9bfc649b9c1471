package cidaas

import (
	"context"
	"net/url"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
)

// Page is the client's own page for a step of a login, as pages of the dialect expect
// to be opened; "" says that the client has none and ours are shown. From the second
// factor on the page is told the login's track. What it is told to ask for is what its own
// calls will find missing. What is missing is what the calls of
// the page itself will be told.
func (s *Surface) Page(ctx context.Context, st provider.Step, v mfa.Caller) (string, error) {
	base := ownPage(st, v)
	if base == "" {
		return "", nil
	}
	st, err := s.provider.Elsewhere(ctx, st, base)
	if err != nil {
		return "", err
	}
	base = ownPage(st, v)
	lang := ""
	if len(st.UILocales) > 0 {
		lang = st.UILocales[0]
	}
	q := url.Values{"groupname": {"default"}, "lang": {lang}, "view_type": {viewType(st.Request.Params.Get("view_type"))},
		"requestId": {string(st.Request.ID)}}
	if st.Kind != provider.StepIdentify {
		track, err := s.provider.Track(ctx, st, v)
		if err != nil {
			return "", err
		}
		sub := s.provider.Masked(st)
		q.Set("error", missing(st.Kind))
		q.Set("track_id", string(track))
		q.Set("sub", sub)
		q.Set("q", sub)
	}
	return withQuery(base, q), nil
}

// ownPage is the client's own page for a step. A login that a browser took over from a
// program goes on on our pages: calls without its cookie are refused from there on.
func ownPage(st provider.Step, v mfa.Caller) string {
	if !st.Client.HeadlessLogin || v.Browser != "" && !st.Unbound() && st.LoginPage == "" {
		return ""
	}
	if (st.Kind == provider.StepVerify || st.Kind == provider.StepEnroll) && st.Client.MFAURL != "" {
		return st.Client.MFAURL
	}
	return st.Client.LoginURL
}

// hosted is our page for a step; one that is opened out of turn leads on by itself.
func hosted(st provider.Step) string {
	place := map[provider.StepKind]string{provider.StepIdentify: "/login", provider.StepVerify: "/mfa", provider.StepEnroll: "/enroll"}[st.Kind]
	if place == "" {
		place = "/continue"
	}
	return withQuery(place, url.Values{"requestId": {string(st.Request.ID)}})
}

// withQuery sets parameters of an address that may have some.
func withQuery(address string, more url.Values) string {
	u, err := url.Parse(address)
	if err != nil || len(more) == 0 {
		return address
	}
	q := u.Query()
	for name, values := range more {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// suggested is where the form of a call would have led, for callers that show pages of
// their own.
func (s *Surface) suggested(ctx context.Context, t turn) (string, storage.TrackID, error) {
	to, err := s.Page(ctx, t.step, t.visit)
	if err != nil {
		return "", "", err
	}
	if to == "" {
		to = s.origin + hosted(t.step)
	}
	if t.step.Kind == provider.StepIdentify || t.step.Request.Subject == "" {
		return to, "", nil
	}
	if t, err = s.againQuietly(ctx, t); err != nil {
		return "", "", err
	}
	track, err := s.provider.Track(ctx, t.step, t.visit)
	return to, track, err
}

// againQuietly reads a login again whose track may just have been made.
func (s *Surface) againQuietly(ctx context.Context, t turn) (turn, error) {
	var err error
	t.step, err = s.provider.Next(ctx, t.step.Again())
	return t, err
}
