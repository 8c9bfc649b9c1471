// Package page is what all pages share: layout, style, texts in several languages, the
// Content-Security-Policy, CSRF tokens, and the texts of refusals.
//
// A surface with pages has its own templates and texts (New takes its files), decides what
// they show, and leaves the rest to a Look. All surfaces of a server share one Look, so
// that they share a brand and an operator's changes: files of the same name in the folder
// Options.TemplateDir (templates/, messages/, static/) replace the embedded ones.
//
// The package knows no login, no account and no surface.
package page
