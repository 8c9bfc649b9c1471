package main

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/delivery"
	"sallyport/mfa/notice"
	"sallyport/mfa/reset"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// codes are the rows of one-time codes.
func (o *trialSource) codes(t *testing.T) map[string]effect {
	sends := func(more set) set {
		out := set{"OUTBOX_FILE": filepath.Join(t.TempDir(), "outbox.jsonl"), "SMS_COUNTRIES": "US"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	const refused = string(mfa.TooManyMessages)
	return map[string]effect{
		"sms.countries":      {value: "US", with: set{"OUTBOX_FILE": filepath.Join(t.TempDir(), "outbox.jsonl")}, want: "sent", show: func(s *trial) string { return s.open().text(1, 0) }},
		"sms.daily":          {value: "1", with: sends(nil), want: refused, show: func(s *trial) string { return s.open().text(2, 0) }},
		"sms.free":           {value: "1", with: sends(nil), want: refused, show: func(s *trial) string { return s.open().text(2, 0) }},
		"sms.ratio":          {value: "1", with: sends(set{"SMS_FREE": "1"}), want: refused, show: func(s *trial) string { return s.open().text(3, 1) }},
		"sms.password_reset": {value: "false", with: sends(nil), want: "0 text messages", show: func(s *trial) string { return s.open().forgetful() }},
		"code_factors": {value: "sms", with: sends(nil), want: "email: false", show: func(s *trial) string {
			info, ok := s.open().Verifier.Info("email")
			return fmt.Sprintf("email: %v %v", info.Second, ok)
		}},
		"profile_editable":   {value: "nickname", want: "[{nickname }]", show: func(s *trial) string { return fmt.Sprint(s.open().Accounts.Profile(storage.Account{})) }},
		"usernames.editable": {value: "true", want: "<nil>", show: func(s *trial) string { return fmt.Sprint(s.open().rename("countess")) }},
		"usernames.reserved": {value: "count", with: set{"USERNAMES_EDITABLE": "true"}, want: string(mfa.IdentifierTaken), show: func(s *trial) string { return string(mfa.CodeOf(s.open().rename("c-ount"))) }},
		"usernames.keep": {value: "24h", with: set{"USERNAMES_EDITABLE": "true"}, want: "0 kept", show: func(s *trial) string {
			if err := s.open().rename("countess"); err != nil {
				s.Fatal(err)
			}
			s.clock.Move(25 * time.Hour)
			own, _ := s.Accounts.Username(s.nora())
			return fmt.Sprintf("%d kept", len(own.Kept))
		}},
		"lifetimes.address_undo": {value: "24h", with: sends(nil), want: string(mfa.RequestOver), show: func(s *trial) string {
			link := s.open().addAddress()
			s.clock.Move(2 * 24 * time.Hour)
			_, err := s.Accounts.FindUndo(s.Context(), link)
			return fmt.Sprint(err)
		}},
		"fingerprints.codes": {value: "user_agent", with: sends(nil), want: "proven", show: func(s *trial) string {
			sent := s.open().sendCode(1, "192.0.2.1")
			return s.proves(backend.Proof{Identifier: sent.Identifier.ID, Code: s.lastCode(), Fingerprint: backend.Fingerprint{IP: "192.0.2.2"}}, nil)
		}},
		"fingerprints.sessions": {value: "ip", with: sends(nil), want: string(mfa.DeviceMismatch), show: func(s *trial) string {
			sent := s.open().sendCode(1, "192.0.2.1")
			var made backend.Proven
			s.proves(backend.Proof{Identifier: sent.Identifier.ID, Code: s.lastCode(), Fingerprint: backend.Fingerprint{IP: "192.0.2.1"}, Session: backend.SessionUse{Duration: time.Hour}}, &made)
			sent = s.sendCode(1, "")
			return s.proves(backend.Proof{Identifier: sent.Identifier.ID, Code: s.lastCode(), Fingerprint: backend.Fingerprint{IP: "192.0.2.2"},
				Session: backend.SessionUse{Given: true, ID: made.Session.ID}}, nil)
		}},
	}
}

// sendCode sends a code to number n of a new user.
func (s *trial) sendCode(n int, ip string) backend.Sent {
	s.Helper()
	sent, err := s.Backend.Send(s.Context(), mfa.Caller{}, backend.Send{Kind: storage.Phone, Address: fmt.Sprintf("+1415222222%d", n), TTL: time.Minute, Create: true,
		Fingerprint: backend.Fingerprint{IP: ip}})
	if err != nil {
		s.Fatal(err)
	}
	return sent
}

// forgetful requests a new password for a user with a number alone, and returns what was sent.
func (s *trial) forgetful() string {
	s.Helper()
	_, err := s.Users.Create(s.Context(), mfa.Caller{}, users.Draft{Phone: "+14152222220", PhoneVerified: true, Password: "a lantern in the fog"})
	if err == nil {
		err = s.Resets.Send(s.Context(), delivery.Outgoing{ID: storage.MessageID(storage.Random128(rand.Reader)), Kind: reset.Kind, Data: map[string]string{"name": "+14152222220"}})
	}
	if err != nil {
		s.Fatal(err)
	}
	sent, err := s.Store.ListMessages(s.Context(), storage.MessageFilter{Limit: 10})
	if err != nil {
		s.Fatal(err)
	}
	return fmt.Sprint(len(slices.DeleteFunc(sent, func(m storage.MessageRecord) bool { return m.Kind != notice.SMS })), " text messages")
}

// text sends codes to several numbers, the first of which come back, and returns what became
// of the last one.
func (s *trial) text(numbers, back int) string {
	s.Helper()
	for n := range numbers {
		sent, err := s.Backend.Send(s.Context(), mfa.Caller{}, backend.Send{Kind: storage.Phone, Address: fmt.Sprintf("+1415222222%d", n), TTL: time.Minute, Create: true})
		if err != nil {
			return err.Error()
		}
		if n < back {
			s.proves(backend.Proof{Identifier: sent.Identifier.ID, Code: s.lastCode()}, nil)
		}
	}
	return "sent"
}

// proves checks a one-time code and returns the result.
func (s *trial) proves(p backend.Proof, into *backend.Proven) string {
	s.Helper()
	got, err := s.Backend.ProveOTP(s.Context(), mfa.Caller{}, p)
	if err != nil {
		return err.Error()
	}
	if into != nil {
		*into = got
	}
	return "proven"
}

// addAddress adds an address to a user, and returns the link that undoes it.
func (s *trial) addAddress() string {
	s.Helper()
	o := s.owner()
	sent, err := s.Accounts.SendToAddress(s.Context(), mfa.Caller{}, o, selfservice.NewAddress{Kind: storage.Phone, Typed: "+14152222229"})
	if err == nil {
		err = s.Accounts.ProveAddress(s.Context(), mfa.Caller{}, o, sent.Exchange, mfa.Typed(s.lastCode()))
	}
	if err != nil {
		s.Fatal(err)
	}
	return s.newest().Data["undo"]
}

// nora returns the user of the trial, by the address, as the user name may change.
func (s *trial) nora() storage.Account {
	s.Helper()
	account, err := s.Users.Find(s.Context(), "nora@example.com")
	if err != nil {
		s.Fatal(err)
	}
	return account
}

// owner is that user, who has just typed the password.
func (s *trial) owner() mfa.Owner {
	s.Helper()
	account := s.nora()
	return mfa.Owner{Account: account, Factors: []storage.Factor{{Method: "password", Authenticator: account.Authenticators[0].ID, At: s.clock.Now()}}}
}

// rename changes the user name of that user.
func (s *trial) rename(name string) error {
	return s.Accounts.ChangeUsername(s.Context(), mfa.Caller{}, s.owner(), name)
}

// lastCode returns the code of the newest message.
func (s *trial) lastCode() string {
	s.Helper()
	s.clock.Move(time.Second)
	messages, err := s.Store.ListMessages(s.Context(), storage.MessageFilter{Now: s.clock.Now(), Limit: 1})
	if err != nil || len(messages) != 1 {
		s.Fatalf("%v: %d messages", err, len(messages))
	}
	m, err := s.Store.Message(s.Context(), messages[0].ID)
	if err != nil {
		s.Fatal(err)
	}
	return m.Data["code"]
}
