// Package cidaas serves applications that were written for cidaas: their login pages,
// mobile libraries and back ends keep working when this server becomes their issuer.
//
// It only translates. Every call is parsed, passed to the same functions of provider and
// mfa that the server's pages use, with responses in cidaas' format; a login may switch
// between the dialect and the server's pages at any step. Packages provider and mfa
// decide how a login proceeds and who may do what in it.
//
// Callers of JSON endpoints hang on a response that is not JSON, so every refusal of
// their addresses is JSON, including the engine's (Refuse). The response to a form is a
// redirect: to /continue in the browser that the login is bound to, else to the
// application or to its own login page.
package cidaas
