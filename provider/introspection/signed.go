package introspection

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"sallyport/provider/clients"
	"sallyport/provider/oauth"
)

// signedType is the media type of signed responses (RFC 9701 section 4).
const signedType = "application/token-introspection+jwt"

// write writes the response for a caller: as a JWT if it asks for one, or else as JSON.
func (e *Endpoints) write(w http.ResponseWriter, r *http.Request, caller *clients.Client, out response) {
	if !wantsSigned(r.Header.Values("Accept")) {
		oauth.WriteJSON(w, http.StatusOK, out)
		return
	}
	text, err := e.codec.WriteIntrospection(caller, out)
	if err != nil {
		e.respond.Error(w, r, oauth.ErrorOf(err))
		return
	}
	oauth.Write(w, http.StatusOK, signedType, []byte(text))
}

// wantsSigned reports whether a header Accept names the type of signed responses, and no other type
// that is rather wanted (RFC 9110 section 12.5.1). A wildcard names none: callers that know of no
// signed responses send it.
func wantsSigned(accept []string) bool {
	signed, plain := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, has := params["q"]; has {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch kind {
		case signedType:
			signed = max(signed, weight)
		case "application/json":
			plain = max(plain, weight)
		}
	}
	return signed > 0 && signed >= plain
}
