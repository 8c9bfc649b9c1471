package clients

import "sallyport/provider/clientkeys"

// Ping is the backchannel_token_delivery_mode of clients that are told that a request has ended, and
// then fetch the tokens. Those of the mode poll ask again and again.
const Ping = "ping"

// checkCIBA checks the settings of backchannel authentication (OpenID Connect Client-Initiated
// Backchannel Authentication section 4).
func (k *checker) checkCIBA(has bool) {
	const belongs = "belongs to the grant type " + CIBA
	k.fault(has && k.Public, "grant_types", CIBA+" is for confidential clients: anybody could ask users to sign in")
	k.oneOf("backchannel_token_delivery_mode", k.BackchannelMode, "", "poll", Ping)
	k.oneOf("backchannel_authentication_request_signing_alg", k.BackchannelRequestAlg, append([]string{""}, clientkeys.Algorithms()...)...)
	for field, set := range map[string]bool{"backchannel_token_delivery_mode": k.BackchannelMode != "", "backchannel_client_notification_endpoint": k.BackchannelNotificationEndpoint != "",
		"backchannel_authentication_request_signing_alg": k.BackchannelRequestAlg != "", "backchannel_unknown_user_id": k.BackchannelUnknownUser} {
		k.fault(set && !has, field, belongs)
	}
	k.fault((k.BackchannelMode == Ping) != (k.BackchannelNotificationEndpoint != ""), "backchannel_client_notification_endpoint",
		"belongs to backchannel_token_delivery_mode ping, and is required there")
	k.fault(k.BackchannelNotificationEndpoint != "" && !called(k.BackchannelNotificationEndpoint), "backchannel_client_notification_endpoint", calledFault)
	k.fault(k.BackchannelRequestAlg != "" && !clientkeys.Has(&k.Client.Client), "backchannel_authentication_request_signing_alg", "needs jwks or jwks_uri")
	k.fault(has && k.SignsBackchannel() && k.BackchannelRequestAlg == "", "backchannel_authentication_request_signing_alg",
		"is required with require_signed_request_object and with profile fapi2")
	k.fault(k.Profile == FAPI2 && k.BackchannelRequestAlg == excluded, "backchannel_authentication_request_signing_alg", "must not be "+excluded+" with profile fapi2")
}

// SignsBackchannel reports whether the backchannel authentication requests of the client must be signed.
func (c *Client) SignsBackchannel() bool {
	return c.BackchannelRequestAlg != "" || c.RequireSignedRequestObject || c.Profile == FAPI2
}
