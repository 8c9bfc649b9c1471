package server_test

import (
	"net/http"
	"reflect"
	"testing"

	"sallyport/cmd/sallyport/servertest"
)

// routes classifies every route of the public listener. "login" routes continue a login, so
// TestLoginBelongsToItsOwnerOnEveryRoute calls them in every state as every caller but the
// owner. For other routes it says what authorizes the call.
var routes = map[string]string{
	"/continue": "login", "/login": "login", "/login/passkey": "login", "/code": "login", "/mfa": "login", "/enroll": "login", "/offer": "login", "/recovery-codes": "login", "/consent": "login",
	"/cancel": "login", "/restart": "login", "/delivery": "login",
	"/api/login/v1/step": "login", "/api/login/v1/identify": "login", "/api/login/v1/password": "login", "/api/login/v1/password/forgot": "login", "/api/login/v1/password/reset": "login",
	"/api/login/v1/signup": "login", "/api/login/v1/signup/code": "login", "/api/login/v1/signup/passkey": "login", "/api/login/v1/signup/create": "login", "/api/login/v1/initiate": "login",
	"/api/login/v1/verify": "login", "/api/login/v1/delivery": "login", "/api/login/v1/enroll": "login", "/api/login/v1/enroll/code": "login", "/api/login/v1/enroll/confirm": "login", "/api/login/v1/consent": "login",
	"/api/login/v1/recovery-codes/seen": "login", "/api/login/v1/cancel": "login", "/api/login/v1/restart": "login", "/api/login/v1/finish": "login",
	"/public-srv/public/:requestId": "login", "/token-srv/prelogin/metadata/:trackId": "login",
	"/verification-srv/v2/setup/public/configured/list": "login", "/verification-srv/public/graph/user/setup": "login",
	"/verification-srv/v2/setup/public/configured/check/:method": "login", "/verification-srv/v2/authenticate/initiate/:method": "login",
	"/verification-srv/authentication/:method/initiation": "login", "/verification-srv/v2/authenticate/authenticate/:method": "login",
	"/verification-srv/authentication/:method/verification": "login", "/verification-srv/v2/authenticate/cancel/:method": "login",
	"/verification-srv/authentication/:method/cancel": "login", "/verification-srv/v2/setup/enroll/:method": "login",
	"/verification-actions-srv/setup/:method/verification": "login", "/verification-srv/v2/setup/cancel/:method": "login",
	"/verification-actions-srv/setup/:method/initiation/:trackId": "login", "/verification-actions-srv/setup/:method/initiate/:trackId": "login",
	"/verification-actions-srv/setup/users/friendlyname/:method/:trackId": "login", "/auth-actions-srv/validation/:trackId": "login",
	"/login-srv/login": "login", "/login-srv/verification/login": "login", "/login-srv/precheck/continue/:trackId": "login",
	"/login-srv/login/sdk": "login", "/login-srv/verification/sdk/login": "login", "/login-srv/precheck/continue/sdk/:trackId": "login",

	"/authorize": "opens one", "/authz-srv/authz": "opens one", "/authz-srv/authrequest/authz/generate": "opens one", "/api/login/v1/requests": "opens one",
	"/logout": "session", "/logged-out": "public", "/": "public", "/language": "public", "/session/end_session": "session",
	"/account": "session", "/account/callback": "session", "/account/confirm": "session", "/account/add": "session", "/account/rename": "session",
	"/account/remove": "session", "/account/recovery": "session", "/account/password": "session", "/account/sessions": "session", "/account/devices": "session", "/account/consents": "session", "/account/waiting": "session", "/account/delivery": "session",
	"/account/address": "session", "/account/detach": "session", "/account/profile": "session", "/account/username": "session", "/account/undo": "message", "/account/not-me": "session",
	// Who has read the message may set a password; the rest opens nothing.
	"/forgot": "public", "/forgot/code": "message", "/reset": "message", "/reset/:link": "message", "/password-changed": "public",
	"/signup": "public", "/signup/code": "message", "/signup/create": "login", "/signup/:link": "message", "/invitation/:link": "message", "/signed-up": "public",
	"/register": "registration token", "/register/:client": "registration token",
	// Whoever has the code of a device opens a login of their own, which asks.
	"/device": "opens one", "/device/allowed": "public", "/device/denied": "public",
	// Who is signed in opens a login for a request that names them, which asks.
	"/waiting": "opens one", "/waiting/allowed": "public", "/waiting/denied": "public", "/waiting/left": "public",
	"/token": "client", "/par": "client", "/device_authorization": "client", "/bc-authorize": "client", "/revoke": "client", "/introspect": "client", "/token-srv/token": "client", "/token-srv/revoke": "client", "/token-srv/introspect": "client",
	"/userinfo": "access token", "/users-srv/userinfo": "access token",
	"/verification-srv/v2/setup/initiate/:method": "access token", "/verification-actions-srv/setup/:method/initiation": "access token",
	"/verification-srv/v2/notification/status/:statusId": "access token", "/verification-srv/notification/status/:statusId": "access token",
	"/verification-srv/config/list": "access token", "/verification-actions-srv/config": "access token",
	"/verification-actions-srv/setup/devices/:method/:sub": "access token",
	"/v1/auth/users/create":                                "API key", "/v1/auth/users/:id": "API key", "/v1/auth/users/:id/update": "API key", "/v1/auth/users/auth/users/:id/update": "API key",
	"/v1/auth/users/:id/delete": "API key", "/v1/auth/users/emails/:id/delete": "API key", "/v1/auth/users/phone_numbers/:id/delete": "API key",
	"/v1/auth/users/totps/:id/delete": "API key", "/v1/auth/users/search": "API key", "/v1/auth/totps/create": "API key", "/v1/auth/totps/verify": "API key",
	"/v1/auth/totps/recovery_codes": "API key", "/v1/auth/totps/recovery": "API key", "/v1/auth/otps/sms/send": "API key",
	"/v1/auth/otps/sms/login_or_create": "API key", "/v1/auth/otps/email/send": "API key", "/v1/auth/otps/email/login_or_create": "API key",
	"/v1/auth/otps/verify": "API key", "/v1/auth/sessions/verify": "API key", "/v1/auth/sessions/list": "API key", "/v1/auth/sessions/delete": "API key",
	"/v1/auth/jwks/default": "API key",

	"/v1/users": "API key", "/v1/users/search": "API key", "/v1/users/:user_id": "API key", "/v1/users/emails/:email_id": "API key",
	"/v1/users/phone_numbers/:phone_id": "API key", "/v1/users/totps/:totp_id": "API key",
	"/v1/totps": "API key", "/v1/totps/authenticate": "API key", "/v1/totps/recovery_codes": "API key", "/v1/totps/recover": "API key",
	"/v1/otps/sms/send": "API key", "/v1/otps/sms/login_or_create": "API key", "/v1/otps/email/send": "API key", "/v1/otps/email/login_or_create": "API key",
	"/v1/otps/authenticate": "API key", "/v1/sessions": "API key", "/v1/sessions/authenticate": "API key", "/v1/sessions/revoke": "API key",
	"/v1/sessions/jwks/:project_id": "public",

	"/.well-known/openid-configuration": "public", "/.well-known/webauthn": "public", "/.well-known/passkey-endpoints": "public", "/.well-known/oauth-authorization-server": "public", "/.well-known/oauth-protected-resource/userinfo": "public", "/jwks.json": "public",
	"/.well-known/jwks.json": "public", "/api/login/v1/openapi.yaml": "public", "/public-srv/tenantinfo/basic": "public", "/static/:version/:name": "public",
	"/docs/api": "public", "/docs/api/login": "public", "/docs/api/login/openapi.yaml": "public", "/docs/api/cidaas": "public", "/docs/api/cidaas/openapi.yaml": "public",
	"/docs/api/stytch": "public", "/docs/api/stytch/openapi.yaml": "public", "/docs/api/streambird": "public", "/docs/api/streambird/openapi.yaml": "public",
}

func TestEveryRouteIsClassified(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	s := servertest.New(t, settings, new(servertest.Clock))
	seen := map[string]bool{}
	for _, r := range handlerRoutes(t, s.Handler) {
		seen[r[1]] = true
		if routes[r[1]] == "" {
			t.Errorf("%s %s: classify it in routes", r[0], r[1])
		}
	}
	for path := range routes {
		if !seen[path] {
			t.Errorf("%s is in routes and nowhere else", path)
		}
	}
}

// handlerRoutes returns the routes of a server as method and path.
func handlerRoutes(t *testing.T, h http.Handler) [][2]string {
	t.Helper()
	m := reflect.ValueOf(h).MethodByName("Routes")
	if !m.IsValid() {
		t.Fatal("the server does not list its routes")
	}
	list := m.Call(nil)[0]
	var out [][2]string
	for i := range list.Len() {
		out = append(out, [2]string{list.Index(i).FieldByName("Method").String(), list.Index(i).FieldByName("Path").String()})
	}
	return out
}
