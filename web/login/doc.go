// Package login is what a person sees while signing in: the authorization endpoint,
// the pages that ask for proofs and consent, and the way out.
//
// A page asks provider.Next what has to happen, shows or does that one thing, and goes
// on. One function turns the next step into an address (proceed, continue.go); no page
// links to another. A page that is opened out of turn, by the back button, a second
// tab or a bookmark, leads on to /continue, and from there to where the login stands.
//
// Nothing is written by a GET but by /authorize and by /continue, which takes over a
// login that was opened without a browser, and ends one. Every other change is a POST
// that carries a value bound to the browser's cookie.
// The pages work without script; what the script adds is comfort.
//
// Templates, texts and static files are embedded. Files of the same name in the
// folder Options.TemplateDir (templates/, messages/, static/) replace them.
package login
