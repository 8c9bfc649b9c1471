// Package account is the page on which users manage their account: second factors,
// recovery codes, password, sessions, consents and recent activity.
//
// The page is a client that the provider has built in (Client). Users sign in as they do
// for any application, under the same policy, throttling and single sign-on. The page
// needs only the session, so it lets the authorization code expire.
//
// Package mfa decides what a user may change. If a change requires a more recent proof than
// the session has, a page says so and leads through the login and back (confirm.go). A GET
// writes nothing; every change is a POST with a CSRF token bound to the browser.
package account
