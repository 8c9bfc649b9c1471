package mfa

import "sallyport/storage"

// OriginAccount marks what was made on our own account page.
const OriginAccount = "account"

// Owner is a signed-in user who looks after their own account: who it is, and which
// proofs say so. The account page has it from a session, a dialect from a token.
type Owner struct {
	Account storage.Account
	Factors []storage.Factor  // proofs behind the session or token
	Session storage.SessionID // "": none
	Grant   storage.GrantID   // of the token that speaks for the user; "": none
	Client  storage.ClientID  // who speaks for the user; "": nobody
	Origin  string            // surface, for what is made: OriginAccount or a dialect
}

// Event begins an audit line about an authenticator of an owner.
func (o Owner) Event(kind, method string, id storage.AuthenticatorID) storage.Event {
	return storage.Event{Kind: kind, UserID: o.Account.User.ID, ClientID: o.Client, SessionID: o.Session,
		Detail: map[string]string{"method": method, "authenticator": string(id)}}
}
