// Package passkeytest has devices with passkeys, for tests.
package passkeytest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/descope/virtualwebauthn"

	"sallyport/mfa"
)

// Device is a device, or a password manager, and the page that asks it.
type Device struct {
	Site          virtualwebauthn.RelyingParty // of the page
	Authenticator virtualwebauthn.Authenticator
	Credential    virtualwebauthn.Credential
	Counts        bool // its counter goes up by one with every response
}

// New returns a device with a new key that verifies its user, at a page of an origin.
func New(rpID, origin string) *Device {
	return &Device{Site: virtualwebauthn.RelyingParty{ID: rpID, Name: "Sallyport", Origin: origin},
		Authenticator: virtualwebauthn.NewAuthenticator(), Credential: newCredential()}
}

// newCredential returns a key whose coordinates both have 32 bytes, as devices encode them; the
// library leaves out leading zeros.
func newCredential() virtualwebauthn.Credential {
	const cose = 77
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == cose {
			return c
		}
	}
}

// Create answers creation options. It becomes the passkey of their user.
func (d *Device) Create(options json.RawMessage) (mfa.Response, error) {
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		return nil, fmt.Errorf("read creation options: %w", err)
	}
	if d.Credential.IsExcludedForAttestation(*o) {
		return nil, errors.New("the device holds a passkey of the user")
	}
	d.Authenticator.Options.UserHandle = []byte(o.UserID)
	return mfa.Response(virtualwebauthn.CreateAttestationResponse(d.Site, d.Authenticator, d.Credential, *o)), nil
}

// Get answers request options.
func (d *Device) Get(c mfa.Challenge) (mfa.Response, error) {
	o, err := virtualwebauthn.ParseAssertionOptions(string(c))
	if err != nil {
		return nil, fmt.Errorf("read request options: %w", err)
	}
	if len(o.AllowCredentials) > 0 && !d.Credential.IsAllowedForAssertion(*o) {
		return nil, errors.New("the passkey is not asked for")
	}
	return d.Force(*o), nil
}

// Force answers request options, whether they ask for the passkey or not.
func (d *Device) Force(o virtualwebauthn.AssertionOptions) mfa.Response {
	if d.Counts {
		d.Credential.Counter++
	}
	return mfa.Response(virtualwebauthn.CreateAssertionResponse(d.Site, d.Authenticator, d.Credential, o))
}

// partsOf returns a response, and the part of it with what the authenticator said.
func partsOf(r mfa.Response) (whole, part map[string]any, err error) {
	if err := json.Unmarshal(r, &whole); err != nil {
		return nil, nil, err
	}
	part, ok := whole["response"].(map[string]any)
	if !ok {
		return nil, nil, errors.New("there is no response")
	}
	return whole, part, nil
}

// member decodes a member of a part; nil: it is no base64url.
func member(part map[string]any, name string) []byte {
	text, _ := part[name].(string)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return b
}

// Change returns a response with a part of it changed, and signed again if the device signs it.
func (d *Device) Change(r mfa.Response, change func(clientData map[string]any, authData []byte)) (mfa.Response, error) {
	out, part, err := partsOf(r)
	if err != nil {
		return nil, err
	}
	client, auth := map[string]any{}, member(part, "authenticatorData")
	if err := json.Unmarshal(member(part, "clientDataJSON"), &client); err != nil {
		return nil, err
	}
	change(client, auth)
	data, err := json.Marshal(client)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(data)
	digest := sha256.Sum256(append(append([]byte{}, auth...), hash[:]...))
	signature, err := d.Credential.Key.Sign(digest[:])
	if err != nil {
		return nil, err
	}
	part["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(data)
	part["authenticatorData"] = base64.RawURLEncoding.EncodeToString(auth)
	part["signature"] = base64.RawURLEncoding.EncodeToString(signature)
	return json.Marshal(out)
}
