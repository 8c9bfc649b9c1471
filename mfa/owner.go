package mfa

import "sallyport/storage"

// Origins of authenticators.
const (
	OriginAccount = "account" // the account page
	OriginBackend = "backend" // a program with an API key; also of sessions
)

// Owner is a signed-in user who manages their own account, with the proofs of the session
// (account page) or the access token (dialects).
type Owner struct {
	Account storage.Account
	Factors []storage.Factor  // proofs behind the session or token
	Session storage.SessionID // "": none
	Grant   storage.GrantID   // of the access token; "": none
	Client  storage.ClientID  // that acts for the user; "": none
	Origin  string            // of new authenticators: OriginAccount or a dialect
}

// Event returns an audit event about an authenticator of the owner, to be completed by Journal.Event.
func (o Owner) Event(kind, method string, id storage.AuthenticatorID) storage.Event {
	return storage.Event{Kind: kind, UserID: o.Account.User.ID, ClientID: o.Client, SessionID: o.Session,
		Detail: map[string]string{"method": method, "authenticator": string(id)}}
}
