// Package login is the pages of a login: the authorization endpoint, the pages for factors
// and consent, and the end-session endpoint.
//
// A page shows or does what provider.Next returns. One function turns the next step into an
// address (proceed, continue.go); no page links to another. A page of another step, opened
// by the back button, from a second tab or a bookmark, redirects to /continue, which
// redirects to the current step.
//
// A GET writes nothing, except /authorize, and /continue, which takes over a login that was
// opened without a browser, and ends one. Every other change is a POST with a CSRF token
// bound to the binding cookie. The pages work without script.
//
// Templates, texts and static files are embedded. Files of the same name in the
// folder Options.TemplateDir (templates/, messages/, static/) replace them.
package login
