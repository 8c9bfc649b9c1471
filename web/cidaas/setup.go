package cidaas

import (
	"cmp"
	"encoding/base64"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/recovery"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/signin"
)

// enrollingBody holds the secret of a new authenticator. It is returned once.
type enrollingBody struct {
	Exchange exchangeBody     `json:"exchange_id"`
	Sub      string           `json:"sub"`
	Status   storage.StatusID `json:"status_id"`
	Text     string           `json:"medium_text,omitempty"` // the masked address of a method that sends codes
	Secret   string           `json:"totp_secret,omitempty"`
	URI      string           `json:"totp_uri,omitempty"`
	QR       string           `json:"qr_code,omitempty"` // an image as data: URL
	FIDO2    *fido2Entity     `json:"fido2_entity,omitempty"`
}

func enrolling(e exchange.Enrolling, sub string) enrollingBody {
	b := enrollingBody{Exchange: exchangeOf(e.Exchange, e.ExpiresAt), Sub: sub, Status: e.Status, Secret: e.Handout.Secret, URI: e.Handout.URI,
		FIDO2: fido2Of(e.Handout.Options, e.Status)}
	if e.Text != e.Method {
		b.Text = e.Text
	}
	if len(e.Handout.QR) > 0 {
		b.QR = "data:image/png;base64," + base64.StdEncoding.EncodeToString(e.Handout.QR)
	}
	return b
}

// setup reads the user who sets up a method and what they set up, or refuses the call.
func (s *Surface) setup(c *gin.Context) (mfa.Owner, exchange.NewFactor, bool) {
	o, ok := s.owner(c)
	if !ok {
		return o, exchange.NewFactor{}, false
	}
	in, ok := s.body(c)
	if !ok {
		return o, exchange.NewFactor{}, false
	}
	sub := in.masked()
	if sub != "" && sub != string(o.Account.User.ID) {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured}) // users enrol only for themselves
		return o, exchange.NewFactor{}, false
	}
	n, ok := s.newFactor(c, in, &o.Account)
	return o, n, ok
}

// addresses are the members that name the address of a new authenticator.
var addresses = map[storage.IdentifierKind]string{storage.Email: "email", storage.Phone: "mobile_number"}

// newFactor reads what a user sets up, or refuses the call. Codes go to the address that the
// call names; the older libraries name none and mean the user's own.
func (s *Surface) newFactor(c *gin.Context, in *input, a *storage.Account) (exchange.NewFactor, bool) {
	n := exchange.NewFactor{Method: s.method(c.Param("method")), Code: in.Text("enrollment_code")}
	kind := s.verifier.AddressKind(n.Method)
	if kind != "" {
		n.Address = cmp.Or(in.Text(addresses[kind]), ownAddress(a, kind))
	}
	if !s.wellTyped(c, in) {
		return n, false
	}
	if n.Method == "" {
		s.noMethod(c)
		return n, false
	}
	if kind != "" && n.Address == "" {
		s.badRequest(c, addresses[kind], addresses[kind]+" is required", "VER_0026")
		return n, false
	}
	return n, true
}

// ownAddress returns the first address of a kind that an account has; "": none.
func ownAddress(a *storage.Account, kind storage.IdentifierKind) string {
	if a == nil {
		return ""
	}
	for _, i := range a.Identifiers {
		if i.Kind == kind {
			return i.Text()
		}
	}
	return ""
}

// enroll begins an enrolment of a signed-in user. Recovery codes need no confirmation: the
// response holds them, and the previous ones become invalid.
func (s *Surface) enroll(c *gin.Context) {
	o, n, ok := s.setup(c)
	if !ok {
		return
	}
	sub := string(o.Account.User.ID)
	if n.Method == recovery.Name {
		codes, err := s.accounts.NewRecoveryCodes(c.Request.Context(), web.Caller(c), o)
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
	enrollment, err := s.verifier.Enroll(c.Request.Context(), web.Caller(c), exchange.SignedIn(o), n)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, enrolling(enrollment, sub))
}

// confirm takes the first code of a new authenticator, enrolled by a signed-in user or in
// a login. The caller sends no token: the exchange shows that they began the enrolment.
func (s *Surface) confirm(c *gin.Context) {
	a, ok := s.typed(c)
	if !ok {
		return
	}
	caller := s.caller(c)
	a.Authorize = s.mayContinue(c, caller)
	v, err := s.verifier.ConfirmAlone(c.Request.Context(), caller, a)
	if err != nil {
		s.fail(c, err)
		return
	}
	b := verified(v)
	b.Enrolled = true
	succeed(c, b)
}

// status returns the state of an attempt or an enrolment to its owner.
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

// configured lists the server's methods and which of them the user has set up. Methods that
// only backends use are not active.
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
	for _, h := range s.accounts.Held(o.Account) {
		held[h.Info.Name] = true
	}
	list := []entry{}
	for _, i := range s.verifier.Methods() {
		list = append(list, entry{wireName(i.Name), i.First || i.Second, held[i.Name]})
	}
	succeed(c, list)
}

// remove removes a medium. The caller must name it if the method has several.
func (s *Surface) remove(c *gin.Context) {
	o, ok := s.owner(c)
	if !ok {
		return
	}
	method, wanted := s.method(c.Param("method")), id[storage.AuthenticatorID](c.Query("medium_id"))
	if method == "" || c.Param("sub") != string(o.Account.User.ID) {
		s.noMethod(c)
		return
	}
	var found []storage.AuthenticatorID
	for _, h := range s.accounts.Held(o.Account) {
		if h.Info.Name == method && (wanted == "" || h.ID == wanted) {
			found = append(found, h.ID)
		}
	}
	if len(found) > 1 {
		s.badRequest(c, "medium_id", "medium_id is required", "VER_0005")
		return
	}
	if len(found) == 0 {
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
		return
	}
	if err := s.accounts.Remove(c.Request.Context(), web.Caller(c), o, found[0], false); err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Deleted bool `json:"deleted"`
	}{true})
}

// tracked reads the login of the track in the address, or refuses the call.
func (s *Surface) tracked(c *gin.Context) (signin.Call, bool) {
	call, err := s.open(c, provider.Ask{Track: trackOf(c)})
	if err != nil {
		s.fail(c, err)
		return call, false
	}
	return call, true
}

// enrollInLogin begins an enrolment in a login with a first factor.
func (s *Surface) enrollInLogin(c *gin.Context) {
	in, ok := s.body(c)
	if !ok {
		return
	}
	call, ok := s.tracked(c)
	if !ok {
		return
	}
	if err := s.agrees(call, in.masked(), ""); err != nil {
		s.fail(c, err)
		return
	}
	n, ok := s.newFactor(c, in, call.Step.Account)
	if !ok {
		return
	}
	enrollment, err := s.verifier.Enroll(c.Request.Context(), call.Caller, s.verifier.InLogin(call.Step.Login), n)
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, enrolling(enrollment, s.provider.Masked(call.Step)))
}

// friendlyName renames the authenticator that was enrolled in this login.
func (s *Surface) friendlyName(c *gin.Context) {
	in, ok := s.body(c)
	if !ok {
		return
	}
	name, sub, method := in.first("friendly_name", "friendlyName"), in.masked(), s.method(c.Param("method"))
	if !s.wellTyped(c, in) {
		return
	}
	call, ok := s.tracked(c)
	if !ok {
		return
	}
	if err := s.agrees(call, sub, ""); err != nil {
		s.fail(c, err)
		return
	}
	if name == "" {
		s.badRequest(c, "friendly_name", "friendly_name is required", "VER_0005")
		return
	}
	if err := s.accounts.NameEnrolled(c.Request.Context(), call.Caller, call.Step.Login, method, name); err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Updated bool `json:"updated"`
	}{true})
}

// postpone lets a user skip the setup of a method if no policy requires it.
func (s *Surface) postpone(c *gin.Context) {
	in, ok := s.body(c)
	if !ok {
		return
	}
	action := in.Text("action")
	if !s.wellTyped(c, in) {
		return
	}
	if action != "SKIP" && action != "DONOTSHOWAGAIN" {
		s.badRequest(c, "action", "invalid action", "VER_0004")
		return
	}
	call, ok := s.tracked(c)
	if !ok {
		return
	}
	switch call.Step.Kind {
	case provider.StepDone, provider.StepConsent, provider.StepRecovery:
		succeed(c, struct {
			Track string `json:"track_id"`
		}{c.Param("trackId")})
	default:
		s.fail(c, &mfa.Error{Code: mfa.NotConfigured})
	}
}
