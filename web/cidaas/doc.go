// Package cidaas speaks to applications that were written for cidaas: their login
// pages, mobile libraries and back ends go on working when their authority is ours.
//
// It is a dialect and nothing else. Every call is parsed, handed to the same rooms our
// own pages use, and answered in the words its caller knows; a login may change over
// between the dialect and our pages at any step. The life of a login and of a try at a
// method, and who may do what in them, is told in provider and mfa.
//
// Callers of JSON endpoints hang on anything that is not JSON, so every refusal on
// their addresses is JSON, the engine's own included (Refuse). Forms are posted by
// whole pages and are answered by redirects: on to /continue in the browser a login is
// bound to, else straight to the application or to its own login page.
package cidaas
