package cidaas

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

// Colours for clients' pages that have none: those of the server's pages.
const (
	primaryColour = "#1d4f91"
	accentColour  = "#1d4f91"
)

// generate begins a login without a browser and returns its request ID. The libraries send no
// code_challenge; a request of a public client without one shows and lists, no more.
func (s *Surface) generate(c *gin.Context) {
	in, f := read(c, true)
	if f != nil {
		s.refuse(c, *f, "")
		return
	}
	params := url.Values{}
	for name := range in.Members {
		if text := present(in.Text(name)); text != "" {
			params.Set(name, text)
		}
	}
	if in.faulty() {
		s.refuse(c, malformed, "")
		return
	}
	params.Del("client_secret") // browsers send it: it proves nothing
	if err := s.fillScope(c, params); err != nil {
		s.fail(c, err)
		return
	}
	opened, err := s.provider.OpenUnchallenged(c.Request.Context(), params, web.Caller(c))
	var refused *provider.PageError
	if errors.As(err, &refused) {
		s.notOpened(c, refused)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Group   string            `json:"groupname"`
		Lang    string            `json:"lang"`
		View    string            `json:"view_type"`
		Request storage.RequestID `json:"requestId"`
	}{"default", params.Get("ui_locales"), viewType(params.Get("view_type")), opened})
}

// fillScope gives a request without scopes those of its client, as applications of the
// dialect expect, but for offline_access, which they must request.
func (s *Surface) fillScope(c *gin.Context, params url.Values) error {
	if params.Get("scope") != "" {
		return nil
	}
	client, err := s.provider.Client(c.Request.Context(), storage.ClientID(params.Get("client_id")))
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	scope := ""
	for _, name := range client.Scopes {
		if name == "offline_access" {
			continue
		}
		if scope != "" {
			scope += " "
		}
		scope += name
	}
	params.Set("scope", scope)
	return nil
}

func viewType(text string) string {
	if text == "register" {
		return text
	}
	return "login"
}

// clientBody is what a login page shows of the application.
type clientBody struct {
	ID           storage.ClientID `json:"client_id"`
	Name         string           `json:"client_name"`
	Display      string           `json:"client_display_name"`
	Logo         string           `json:"logo_uri"`
	Primary      string           `json:"primaryColor"`
	Accent       string           `json:"accentColor"`
	LoginWith    []string         `json:"allow_login_with"`
	Passwordless bool             `json:"passwordless_enabled"`
	Methods      []string         `json:"allowed_methods"`
	Policy       string           `json:"policy_uri"`
	Terms        string           `json:"tos_uri"`
	View         string           `json:"view_type"`
}

func loginWith() []string { return []string{"EMAIL", "MOBILE", "USER_NAME"} }

func (s *Surface) clientInfo(c *gin.Context) {
	call, err := s.open(c, provider.Ask{Request: requestID(c.Param("requestId"))})
	if err != nil {
		s.fail(c, err)
		return
	}
	client := call.Step.Client
	methods := []string{}
	for _, i := range s.verifier.Methods() {
		if i.Second && allowed(client, i.Name) {
			methods = append(methods, wireName(i.Name))
		}
	}
	succeed(c, clientBody{ID: client.ID, Name: client.Name, Display: client.Name, Logo: client.LogoURI, Primary: primaryColour,
		Accent: accentColour, LoginWith: loginWith(), Passwordless: client.Passwordless, Methods: methods,
		Policy: client.PolicyURI, Terms: client.TosURI,
		View: viewType(call.Step.Request.Params.Get("view_type"))})
}

func allowed(client storage.Client, method string) bool {
	for _, m := range client.AllowedMethods {
		if m == method {
			return true
		}
	}
	return len(client.AllowedMethods) == 0
}

func (s *Surface) tenantInfo(c *gin.Context) {
	succeed(c, struct {
		Name      string   `json:"tenant_name"`
		Key       string   `json:"tenant_key"`
		LoginWith []string `json:"allowLoginWith"`
	}{s.product, "default", loginWith()})
}

// prelogin returns the next step of a login with a track. For an unknown or expired track
// the response is empty.
func (s *Surface) prelogin(c *gin.Context) {
	track := trackOf(c)
	if !wellFormed(string(track)) {
		s.badRequest(c, "trackId", "invalid trackId", "")
		return
	}
	call, err := s.open(c, provider.Ask{Track: track})
	switch mfa.CodeOf(err) {
	case mfa.UnknownRequest, mfa.NotAllowed, mfa.RequestOver:
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	succeed(c, struct {
		Track   storage.TrackID   `json:"track_id"`
		Request storage.RequestID `json:"requestId"`
		Kind    string            `json:"validation_type"`
		Client  storage.ClientID  `json:"client_id"`
		Sub     string            `json:"sub"`
		Query   string            `json:"q"`
	}{track, call.Step.Request.ID, missing(call.Step.Kind), call.Step.Client.ID, s.provider.Masked(call.Step), s.provider.Masked(call.Step)})
}

// missing is the name of a step for a login page.
func missing(kind provider.StepKind) string {
	switch kind {
	case provider.StepEnroll:
		return "suggest_verification_methods"
	case provider.StepConsent:
		return "consent_required"
	}
	return "mfa_required"
}
