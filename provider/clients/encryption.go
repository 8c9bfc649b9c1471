package clients

import (
	"slices"

	"sallyport/provider/clientkeys"
	"sallyport/provider/signing"
)

// IDTokenEncryption returns how ID tokens of the client are encrypted.
func (c *Client) IDTokenEncryption() clientkeys.Encryption {
	return clientkeys.Encryption{Alg: c.IDTokenEncryptionAlg, Enc: c.IDTokenEncryptionEnc}
}

// UserinfoEncryption returns how responses of userinfo to the client are encrypted.
func (c *Client) UserinfoEncryption() clientkeys.Encryption {
	return clientkeys.Encryption{Alg: c.UserinfoEncryptionAlg, Enc: c.UserinfoEncryptionEnc}
}

// AuthorizationEncryption returns how authorization responses to the client are encrypted.
func (c *Client) AuthorizationEncryption() clientkeys.Encryption {
	return clientkeys.Encryption{Alg: c.AuthorizationEncryptionAlg, Enc: c.AuthorizationEncryptionEnc}
}

// checkEncryption checks the algorithms of what the client reads.
func (k *checker) checkEncryption() {
	k.oneOf("userinfo_signed_response_alg", k.UserinfoAlg, append([]string{""}, signing.Algorithms()...)...)
	k.checkEncrypted("id_token", k.IDTokenEncryption())
	k.checkEncrypted("userinfo", k.UserinfoEncryption())
	k.checkEncrypted("authorization", k.AuthorizationEncryption())
	// The end of a login must not wait for the client's server.
	k.fault(k.AuthorizationEncryptionAlg != "" && k.JWKSURI != "", "authorization_encrypted_response_alg", "needs jwks, not jwks_uri")
	k.fault(k.IDTokenEncryptionAlg != "" && slices.ContainsFunc(k.LegacyResponseTypes, returnsIDToken),
		"id_token_encrypted_response_alg", "excludes response types with id_token: those tokens are not encrypted")
}

// checkEncrypted checks how one kind of response is encrypted (OpenID Connect Dynamic Client Registration
// section 2). Keys that are registered by value must fit; those at a jwks_uri may change.
func (k *checker) checkEncrypted(kind string, e clientkeys.Encryption) {
	alg, enc := kind+"_encrypted_response_alg", kind+"_encrypted_response_enc"
	k.oneOf(alg, e.Alg, append([]string{""}, clientkeys.EncryptionAlgorithms()...)...)
	k.oneOf(enc, e.Enc, append([]string{""}, clientkeys.ContentEncryptions()...)...)
	k.fault(e.Alg == "" && e.Enc != "", enc, "is of no use without "+alg)
	k.fault(e.Alg != "" && !clientkeys.Has(&k.Client.Client), alg, "needs jwks or jwks_uri")
	k.fault(e.Alg != "" && len(k.JWKS) > 0 && !clientkeys.CanEncrypt(k.JWKS, e.Alg), alg, "needs a key in jwks that is for "+e.Alg)
}
