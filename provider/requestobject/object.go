// Package requestobject reads request objects (RFC 9101): the parameters of an authorization request
// as claims of a signed JWT. The signature is verified before.
package requestobject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/provider/signing"
)

const (
	// leeway is how far the clocks of a client and of the server may differ.
	leeway = 15 * time.Second
	// longest bounds the life of a request object of a client whose profile demands one (FAPI 2.0
	// Message Signing section 5.3.1).
	longest = time.Hour
)

// ErrInvalid is the cause of every refusal.
var ErrInvalid = errors.New("request object")

// Rules are what a request object has to agree with.
type Rules struct {
	Issuer string
	Client string // client_id of the client that signed it
	Now    time.Time
	// Bounded demands exp and nbf, no more than an hour from now (FAPI 2.0 Message Signing section
	// 5.3.1). Without it they are checked if they are there.
	Bounded bool
	// Complete demands iat and jti, too (OpenID Connect Client-Initiated Backchannel Authentication section
	// 7.1.1).
	Complete bool
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// CheckType checks the typ of the header: that of request objects (RFC 9101 section 10.8), or none
// in particular, as OpenID Connect Core section 6.1 has it. Any other JWT that the client signs
// must not be taken for a request object (RFC 8725 section 3.11).
func CheckType(typ string) error {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	if !slices.Contains([]string{"", "jwt", "oauth-authz-req+jwt"}, typ) {
		return invalid("typ is not oauth-authz-req+jwt")
	}
	return nil
}

// Read returns the parameters in the payload of a request object.
func Read(payload []byte, r Rules) (url.Values, error) {
	claims, err := input.Members(payload)
	if err != nil {
		return nil, invalid("%s", err)
	}
	if err := r.check(claims); err != nil {
		return nil, err
	}
	out := url.Values{}
	for name, raw := range claims {
		switch name {
		case "iss", "aud", "exp", "nbf", "iat", "jti", "sub": // of the JWT, not of the request
			continue
		case "request", "request_uri":
			return nil, invalid("%s is not allowed in it (RFC 9101 section 4)", name)
		}
		values, err := parameter(name, raw)
		if err != nil {
			return nil, err
		}
		if len(values) > 0 {
			out[name] = values
		}
	}
	out.Set("client_id", r.Client)
	return out, nil
}

// check checks who a request object is from, whom it is for, and when (RFC 9101 section 4, RFC 7519
// section 4.1).
func (r Rules) check(claims map[string]json.RawMessage) error {
	var iss, client, sub string
	var audience signing.Audience
	for name, target := range map[string]any{"iss": &iss, "client_id": &client, "sub": &sub} {
		if raw, ok := claims[name]; ok && json.Unmarshal(raw, target) != nil {
			return invalid("%s is not text", name)
		}
	}
	if json.Unmarshal(claims["aud"], &audience) != nil {
		return invalid("aud is missing, or neither text nor a list of texts")
	}
	switch {
	case iss == "" && client == "":
		return invalid("iss and client_id are missing")
	case iss != "" && iss != r.Client:
		return invalid("iss is not the client")
	case client != "" && client != r.Client:
		return invalid("client_id is not the client")
	case sub == r.Client: // an assertion of the client (RFC 9101 section 10.8)
		return invalid("sub is the client")
	case !slices.Contains(audience, r.Issuer):
		return invalid("aud is not the issuer of this server")
	}
	var id string
	if r.Complete && (json.Unmarshal(claims["jti"], &id) != nil || id == "") {
		return invalid("jti is missing")
	}
	return r.checkTimes(claims)
}

func (r Rules) checkTimes(claims map[string]json.RawMessage) error {
	exp, hasExp, err := moment(claims, "exp")
	if err != nil {
		return err
	}
	nbf, hasNbf, err := moment(claims, "nbf")
	if err != nil {
		return err
	}
	if r.Complete {
		iat, has, err := moment(claims, "iat")
		if err != nil || !has || iat.After(r.Now.Add(leeway)) {
			return invalid("iat is missing, or no time in the past")
		}
	}
	switch {
	case r.Bounded && (!hasExp || !hasNbf):
		return invalid("exp or nbf is missing")
	case hasExp && !exp.After(r.Now.Add(-leeway)):
		return invalid("it has expired")
	case hasNbf && nbf.After(r.Now.Add(leeway)):
		return invalid("it is not valid yet")
	case r.Bounded && exp.After(nbf.Add(longest)):
		return invalid("exp is more than an hour after nbf")
	case r.Bounded && nbf.Before(r.Now.Add(-longest-leeway)):
		return invalid("nbf is more than an hour ago")
	}
	return nil
}

// moment returns a NumericDate (RFC 7519 section 2).
func moment(claims map[string]json.RawMessage, name string) (time.Time, bool, error) {
	raw, ok := claims[name]
	if !ok {
		return time.Time{}, false, nil
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false, invalid("%s is not a number of seconds", name)
	}
	return time.UnixMilli(int64(seconds * 1000)), true, nil
}

// parameter returns the values of a claim as a parameter has them: numbers and booleans as they are
// written, objects and lists as JSON. Only resource is a list of parameters (RFC 8707 section 2).
func parameter(name string, raw json.RawMessage) ([]string, error) {
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, invalid("%s is not text", name)
		}
		return []string{text}, nil
	case '[':
		var list []string
		if name == "resource" {
			if json.Unmarshal(raw, &list) != nil {
				return nil, invalid("resource is neither text nor a list of texts")
			}
			return list, nil
		}
	case 'n':
		return nil, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, invalid("%s is not JSON", name)
	}
	return []string{compact.String()}, nil
}
