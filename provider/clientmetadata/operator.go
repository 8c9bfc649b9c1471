package clientmetadata

// OperatorsAlone are the client settings that no metadata sets, with the reason.
func OperatorsAlone() map[string]string {
	const policy, lifetime = "what users must prove is the operator's decision", "how long a token lives is the operator's decision"
	const exchange = "whose tokens are exchanged for which others is the operator's decision"
	return map[string]string{
		"token_exchange_subject_types": exchange, "token_exchange_subject_clients": exchange, "token_exchange_subject_audiences": exchange,
		"token_exchange_audiences": exchange, "token_exchange_scopes": exchange, "token_exchange_impersonation": exchange, "may_act": exchange,
		"client_id":              "the server gives it out",
		"disabled":               "whoever was locked out must not come back by itself",
		"secret_hashes":          "the server gives secrets out",
		"registration":           "the server keeps it",
		"created_at":             "the server keeps it",
		"updated_at":             "the server keeps it",
		"allowed_origins":        "pages of redirect URIs may call anyway; other origins would read tokens of users who never saw them",
		"audience":               "which resources a stranger's tokens open is the operator's decision",
		"pkce_optional":          "PKCE has no exception for clients that nobody knows",
		"profile":                "the settings it stands for have names of their own",
		"mfa":                    policy,
		"mfa_interval":           policy,
		"mfa_remember":           policy,
		"allowed_methods":        policy,
		"passwordless":           policy,
		"passkey_offer":          "the pages are the operator's",
		"signup":                 "who gets an account is the operator's decision",
		"signup_required":        "what the server asks people for is the operator's decision",
		"signup_optional":        "what the server asks people for is the operator's decision",
		"terms_url":              "which terms are accepted with an account is the operator's decision",
		"terms_version":          "which terms are accepted with an account is the operator's decision",
		"headless_login":         "it would let a stranger collect passwords on a page of its own",
		"login_url":              "it would let a stranger collect passwords on a page of its own",
		"mfa_url":                "it would let a stranger collect codes on a page of its own",
		"manages_factors":        "it would let a stranger remove the factors of users",
		"consent":                "users are always asked before a stranger's client learns who they are",
		"required_scopes":        "without it users leave out what they do not want to allow",
		"silent_login":           "it gives in to impersonation (RFC 8252 section 8.6)",
		"support_url":            "pages name it as the operator's support",
		"id_token_claims":        "no metadata has it",
		"access_token_format":    "no metadata has it",
		"access_token_ttl":       lifetime,
		"refresh_token_idle_ttl": lifetime,
		"refresh_token_ttl":      lifetime,
		"refresh_grace":          lifetime,
		"logout_ends_offline":    lifetime,
		"legacy_response_types":  "tokens in URLs are for clients that an operator has looked at",

		"backchannel_unknown_user_id": "it would tell strangers who has an account",
		"authorization_details_types": "what a stranger may ask users to allow is the operator's decision",
	}
}
