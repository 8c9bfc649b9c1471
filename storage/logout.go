package storage

import "time"

// A message of the kind BackchannelLogout tells a client that a session has ended (OpenID Connect
// Back-Channel Logout 1.0). An engine writes it in the transaction that ends the session, to every
// client with a back-channel that was ever authorized in it. Its recipient is the client, its ID
// the jti of the logout token, and its data the user and the session. Without a session all of the
// user's have ended.
const (
	BackchannelLogout = "backchannel_logout" // kind
	LogoutToken       = "logout_token"       // template
	LogoutUser        = "user"
	LogoutSession     = "session"
)

// KeepLogout is how long a client that does not respond is told of the end of a session.
const KeepLogout = 3 * 24 * time.Hour
