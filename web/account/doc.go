// Package account is the page on which people look after their own account: second
// factors, recovery codes, password, sessions, consents, and what happened lately.
//
// The page is an application of its own: a client that the provider knows without
// storing it (Client). Nobody is signed in here by other means than everywhere else,
// so policy, throttling and single sign-on hold as they do for any application. The
// code that comes back is left to expire: what the page needs is the session.
//
// What may be changed is decided in mfa, not here. A change that asks for a younger
// proof than the session has is answered with a page that says so and leads through
// the login and back (confirm.go). A GET writes nothing; every change is a POST with a
// value bound to the browser.
package account
