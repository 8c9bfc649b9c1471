// Package page is the look of everything a person sees, and what every page has to
// do alike: layout, style, texts in several languages, the policy sent with a page,
// the value that ties a form to a browser, and how a refusal is put into words.
//
// A surface for people brings templates and texts of its own (New takes its files),
// decides what they show, and leaves the rest to a Look. All surfaces of a server
// share one Look, so that they carry one brand and one operator's changes: files of
// the same name in the folder Options.TemplateDir (templates/, messages/, static/)
// replace the embedded ones of whichever surface.
//
// It knows no login and no account, and no surface.
package page
