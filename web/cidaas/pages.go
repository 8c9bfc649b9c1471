package cidaas

import (
	"context"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/signin"
)

// Page is the address of the client's own page for a step, with the parameters of the
// dialect; "": the client has none, and the server's page is shown. From the second factor
// on the parameters hold the login's track and what is missing, as the page's own calls
// will find it.
func (s *Surface) Page(ctx context.Context, st provider.Step, v mfa.Caller) (string, error) {
	base := clientPage(st, v)
	if base == "" {
		return "", nil
	}
	st, err := s.provider.Elsewhere(ctx, st, base)
	if err != nil {
		return "", err
	}
	base = clientPage(st, v)
	lang := ""
	if len(st.UILocales) > 0 {
		lang = st.UILocales[0]
	}
	q := url.Values{"groupname": {"default"}, "lang": {lang}, "view_type": {viewType(st.Request.Params.Get("view_type"))},
		"requestId": {string(st.Request.Address())}}
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

// clientPage is the client's own page for a step. A login that a browser took over from a
// program continues on the server's pages: calls without its cookie would be refused.
func clientPage(st provider.Step, v mfa.Caller) string {
	if !st.Client.HeadlessLogin || v.Browser != "" && !st.Unbound() && st.LoginPage == "" {
		return ""
	}
	if (st.Kind == provider.StepVerify || st.Kind == provider.StepEnroll) && st.Client.MFAURL != "" {
		return st.Client.MFAURL
	}
	return st.Client.LoginURL
}

// hosted is the server's page for a step.
func hosted(st provider.Step) string {
	place := map[provider.StepKind]string{provider.StepIdentify: "/login", provider.StepVerify: "/mfa", provider.StepEnroll: "/enroll"}[st.Kind]
	if place == "" {
		return signin.ContinuePath(st.Request.ID)
	}
	return withQuery(place, url.Values{"requestId": {string(st.Request.Address())}})
}

// withQuery sets parameters of an address.
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

// suggested is the page to which the form of a call would have led, for callers that show
// pages of their own.
func (s *Surface) suggested(c *gin.Context, call signin.Call) (string, storage.TrackID, error) {
	to, err := s.Page(c.Request.Context(), call.Step, call.Caller)
	if err != nil {
		return "", "", err
	}
	if to == "" {
		to = s.origin + hosted(call.Step)
	}
	if call.Step.Kind == provider.StepIdentify || call.Step.Request.Subject == "" {
		return to, "", nil
	}
	// Page may just have stored the track.
	if call, err = s.logins.Next(c, call, call.Step.Again()); err != nil {
		return "", "", err
	}
	track, err := s.provider.Track(c.Request.Context(), call.Step, call.Caller)
	return to, track, err
}
