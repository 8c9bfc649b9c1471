// Package passkey implements the method "passkey": credentials of WebAuthn Level 3, which identify
// their user and cannot be phished.
//
// A Challenge is the JSON that PublicKeyCredential.parseRequestOptionsFromJSON takes, without a
// "publicKey" around it:
//
//	{"challenge": "...", "timeout": 300000, "rpId": "login.example.com",
//	 "allowCredentials": [{"type": "public-key", "id": "...", "transports": ["internal", "hybrid"]}],
//	 "userVerification": "preferred"}
//
// Without allowCredentials (no user is known, no name typed) any passkey of the site is asked for,
// as conditional mediation does. The response is credential.toJSON() of navigator.credentials.get.
//
// The handout of an enrolment (mfa.Handout.Options) is the JSON that
// PublicKeyCredential.parseCreationOptionsFromJSON takes:
//
//	{"rp": {"id": "login.example.com", "name": "Example"},
//	 "user": {"id": "...", "name": "ada@example.com", "displayName": "ada@example.com"},
//	 "challenge": "...", "pubKeyCredParams": [{"type": "public-key", "alg": -7}, ...], "timeout": 600000,
//	 "excludeCredentials": [{"type": "public-key", "id": "...", "transports": ["internal"]}],
//	 "authenticatorSelection": {"residentKey": "preferred", "requireResidentKey": false, "userVerification": "preferred"},
//	 "attestation": "none", "extensions": {"credProps": true}}
//
// Where a login demands a key in hardware, attestation is "direct" and userVerification "required"
// (docs/decisions/0148). Its response, which confirms the enrolment, is credential.toJSON() of navigator.credentials.create.
// All binary values are base64url without padding.
//
// A challenge names the login it is for, and when it was made, under a key of the server. So a page
// shows one before anything is stored, and it is right in its own login only, for a few minutes
// (docs/decisions/0095). Names without passkeys get credential IDs that no authenticator has.
package passkey
