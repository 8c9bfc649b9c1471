package cidaas

import (
	"encoding/base64"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

func visitOf(c *gin.Context) mfa.Caller { return web.Visit(c) }

// enrollingBody is what a user takes a new authenticator over with. It is told once.
type enrollingBody struct {
	Exchange exchangeBody     `json:"exchange_id"`
	Sub      string           `json:"sub"`
	Status   storage.StatusID `json:"status_id"`
	Secret   string           `json:"totp_secret,omitempty"`
	URI      string           `json:"totp_uri,omitempty"`
	QR       string           `json:"qr_code,omitempty"` // a picture as data: address
}

func enrolling(e exchange.Enrolling, sub string) enrollingBody {
	b := enrollingBody{Exchange: exchangeOf(e.Exchange, e.ExpiresAt), Sub: sub, Status: e.Status, Secret: e.Handout.Secret, URI: e.Handout.URI}
	if len(e.Handout.QR) > 0 {
		b.QR = "data:image/png;base64," + base64.StdEncoding.EncodeToString(e.Handout.QR)
	}
	return b
}

// setup reads who sets a method up, and which; what is wrong is answered.
func (s *Surface) setup(c *gin.Context) (mfa.Owner, string, bool) {
	o, ok := s.owner(c)
	if !ok {
		return o, "", false
	}
	in, ok := s.read(c)
	if !ok {
		return o, "", false
	}
	sub, method := masked(in), s.method(c.Param("method"))
	if !s.judged(c, in) {
		return o, "", false
	}
	if sub != "" && sub != string(o.Account.User.ID) {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured}) // nobody enrols for somebody else
		return o, "", false
	}
	if method == "" {
		s.failAs(c, &mfa.Error{Code: mfa.NotConfigured}, "VER_0030")
		return o, "", false
	}
	return o, method, true
}

// enroll begins an enrolment of a signed-in user. Recovery codes have nothing to be
// confirmed: they come with the answer, and their predecessors end.
func (s *Surface) enroll(c *gin.Context) {
	o, method, ok := s.setup(c)
	if !ok {
		return
	}
	sub := string(o.Account.User.ID)
	if method == "recovery" {
		codes, err := s.verifier.NewRecoveryCodes(c.Request.Context(), visitOf(c), o)
		if err != nil {
			s.fail(c, err)
			return
		}
		succeed(c, struct {
			Sub      string   `json:"sub"`
			Enrolled bool     `json:"enrolled"`
			Codes    []string `json:"backup_codes"`
		}{sub, true, codes})
		return
	}
	begun, err := s.verifier.EnrollFor(c.Request.Context(), visitOf(c), o, exchange.NewFactor{Method: method})
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, enrolling(begun, sub))
}

// confirm takes the first right code of a new authenticator, of a signed-in user's and
// of one enrolled in a login alike. No token is sent: the exchange is what proves that
// the caller is the one who began.
func (s *Surface) confirm(c *gin.Context) {
	a, ok := s.typed(c)
	if !ok {
		return
	}
	visit := s.visit(c)
	a.May = s.may(c, visit)
	v, err := s.verifier.ConfirmAlone(c.Request.Context(), visit, a)
	if err != nil {
		s.fail(c, err)
		return
	}
	b := verified(v)
	b.Enrolled = true
	succeed(c, b)
}

// status tells its owner where a try or an enrolment is.
func (s *Surface) status(c *gin.Context) {
	o, ok := s.owner(c)
	if !ok {
		return
	}
	found, err := s.verifier.Progress(c.Request.Context(), o.Account.User.ID, id[storage.StatusID](c.Param("statusId")))
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Status storage.StatusID `json:"status_id"`
		State  string           `json:"status"`
	}{found.ID, progress(found)})
}

// configured lists the methods of the server and which of them the caller has.
func (s *Surface) configured(c *gin.Context) {
	o, ok := s.owner(c)
	if !ok {
		return
	}
	type entry struct {
		Type       string `json:"verification_type"`
		Active     bool   `json:"active"`
		Configured bool   `json:"configured"`
	}
	held := map[string]bool{}
	for _, h := range s.verifier.Held(o.Account) {
		held[h.Info.Name] = true
	}
	list := []entry{}
	for _, i := range s.verifier.Methods() {
		list = append(list, entry{wireName(i.Name), true, held[i.Name]})
	}
	succeed(c, list)
}

// remove takes a medium away. Of several of one method the caller names one.
func (s *Surface) remove(c *gin.Context) {
	o, ok := s.owner(c)
	if !ok {
		return
	}
	method, wanted := s.method(c.Param("method")), id[storage.AuthenticatorID](c.Query("medium_id"))
	if method == "" || c.Param("sub") != string(o.Account.User.ID) {
		s.failAs(c, &mfa.Error{Code: mfa.NotConfigured}, "VER_0030")
		return
	}
	var found []storage.AuthenticatorID
	for _, h := range s.verifier.Held(o.Account) {
		if h.Info.Name == method && (wanted == "" || h.ID == wanted) {
			found = append(found, h.ID)
		}
	}
	if len(found) > 1 {
		s.lacks(c, "medium_id is required", "VER_0005")
		return
	}
	if len(found) == 0 {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
		return
	}
	if err := s.verifier.Remove(c.Request.Context(), visitOf(c), o, found[0], false); err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Deleted bool `json:"deleted"`
	}{true})
}

// tracked reads the login behind the track of an address; the reasons it can not be
// continued for are told as a bad track.
func (s *Surface) tracked(c *gin.Context) (turn, bool) {
	t, err := s.open(c, provider.Ask{Track: trackOf(c)})
	if err != nil {
		s.fail(c, err)
		return t, false
	}
	return t, true
}

// enrollInLogin begins an enrolment in a login whose first factor is proven.
func (s *Surface) enrollInLogin(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	sub, method := masked(in), s.method(c.Param("method"))
	if !s.judged(c, in) {
		return
	}
	t, ok := s.tracked(c)
	if !ok {
		return
	}
	if method == "" {
		s.failAs(c, &mfa.Error{Code: mfa.NotConfigured}, "VER_0030")
		return
	}
	if err := s.agrees(t, sub, ""); err != nil {
		s.fail(c, err)
		return
	}
	begun, err := s.verifier.BeginEnrollment(c.Request.Context(), t.visit, t.step.Proving, method, "")
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, enrolling(begun, s.provider.Masked(t.step)))
}

// friendlyName names the authenticator that was enrolled in this login.
func (s *Surface) friendlyName(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	name, sub, method := in.first("friendly_name", "friendlyName"), masked(in), s.method(c.Param("method"))
	if !s.judged(c, in) {
		return
	}
	t, ok := s.tracked(c)
	if !ok {
		return
	}
	if err := s.agrees(t, sub, ""); err != nil {
		s.fail(c, err)
		return
	}
	if name == "" {
		s.lacks(c, "friendly_name is required", "VER_0005")
		return
	}
	if err := s.verifier.NameEnrolled(c.Request.Context(), t.visit, t.step.Proving, method, name); err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Updated bool `json:"updated"`
	}{true})
}

// postpone is a user's wish not to set up a method now, which is followed where no
// policy demands one.
func (s *Surface) postpone(c *gin.Context) {
	in, ok := s.read(c)
	if !ok {
		return
	}
	action := in.text("action")
	if !s.judged(c, in) {
		return
	}
	if action != "SKIP" && action != "DONOTSHOWAGAIN" {
		s.refuse(c, &fault{http.StatusBadRequest, "invalid action"}, "VER_0004")
		return
	}
	t, ok := s.tracked(c)
	if !ok {
		return
	}
	switch t.step.Kind {
	case provider.StepDone, provider.StepConsent, provider.StepRecovery:
		succeed(c, struct {
			Track string `json:"track_id"`
		}{c.Param("trackId")})
	default:
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
	}
}
