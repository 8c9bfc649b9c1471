package provider

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"sallyport/provider/oauth"
)

// Response modes: OAuth 2.0 Multiple Response Type Encoding Practices section 2.1 and
// OAuth 2.0 Form Post Response Mode.
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

// signedMode is the response mode for a signed response in the default place of the response type;
// after a dot it signs another mode (JWT Secured Authorization Response Mode for OAuth 2.0, section
// 2.3).
const signedMode = "jwt"

// responseModes returns all response modes.
func responseModes() []string {
	plain := []string{modeQuery, modeFragment, modeFormPost}
	out := append(slices.Clone(plain), signedMode)
	for _, mode := range plain {
		out = append(out, mode+"."+signedMode)
	}
	return out
}

// splitMode returns where a response goes, "" for the default of the response type, and whether it is
// signed.
func splitMode(mode string) (place string, signed bool) {
	if mode == signedMode {
		return "", true
	}
	return strings.CutSuffix(mode, "."+signedMode)
}

// setMode sets the response mode, for errors too: the requested one if it is supported, or else
// the default of the response type. A response type with tokens has no response in the query. What
// is for a client that registered an algorithm is signed, or signed and encrypted, whatever was requested, so that nobody gets
// another response by changing the request.
func (r *request) setMode(values url.Values) {
	place, signed := splitMode(values.Get("response_mode"))
	r.signed = signed || r.client.SignsResponses()
	switch place {
	case modeFragment, modeFormPost:
		r.mode = place
	default:
		for _, t := range oauth.Fields(values.Get("response_type")) {
			if t == "token" || t == "id_token" {
				r.mode = modeFragment
			}
		}
	}
}

// checkMode refuses a response mode that is not supported, and one without a signature for a client
// that always gets one.
func checkMode(_ context.Context, r *request, values url.Values) *oauth.Error {
	mode := values.Get("response_mode")
	switch _, signed := splitMode(mode); {
	case mode == "":
		return nil
	case !slices.Contains(responseModes(), mode):
		return oauth.NewError("invalid_request", "response_mode is not one of "+strings.Join(responseModes(), ", ")).About("response_mode")
	case !signed && r.signed:
		return oauth.NewError("invalid_request", "the client gets signed responses alone: response_mode must be jwt, or end in .jwt").About("response_mode")
	}
	return nil
}
