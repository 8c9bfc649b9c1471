package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"sallyport/cmd/sallyport/metrics"
	"sallyport/config"
	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/delivery/hook"
	"sallyport/mfa/delivery/outboxfile"
	"sallyport/mfa/delivery/smtp"
	"sallyport/mfa/invitation"
	"sallyport/mfa/notice"
	"sallyport/mfa/reset"
	"sallyport/mfa/signup"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/web/account"
	"sallyport/web/login"
)

// assembleDeliveries creates the worker that sends messages.
func (s *Server) assembleDeliveries(p Options) error {
	issuer, err := url.Parse(p.Config.Issuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	texts, err := notice.NewRenderer(issuer.Hostname(), account.Client(p.Config.Issuer, "").ClientURI, s.namedMethods())
	if err != nil {
		return fmt.Errorf("build messages: %w", err)
	}
	texts = texts.WithSupport(p.Config.SupportURL)
	senders, err := s.senders(p.Config, p.Now)
	if err != nil {
		return err
	}
	if life := p.Config.Lifetimes.PasswordReset; life > 0 && (senders[notice.Mail] != nil || resetToll(p.Config) != nil) {
		s.Resets = reset.New(s.Store, s.Verifier, s.Users, s.Keyring, s.Journal, p.Now, p.Random, reset.Options{
			Product: p.Config.Product, Page: strings.TrimSuffix(p.Config.Issuer, "/") + login.ResetPath, Life: life,
			Mail: senders[notice.Mail] != nil, Toll: resetToll(p.Config), Admit: s.Budgets.Admit})
		senders[reset.Kind] = s.Resets
	}
	s.assembleSignUps(p, senders)
	senders[storage.BackchannelLogout], senders[storage.BackchannelPing] = s.Provider.Backchannel, s.Provider.Backchannel
	senders[provider.WaitingKind] = s.Provider.Announcer()
	s.Deliveries = delivery.New(s.Store, senders, texts, p.Now, p.Random, p.Log,
		delivery.Options{Count: metrics.NewDeliveries(metrics.NewSet(s.Metrics), notice.Outgoing(), delivery.Results()), GaveUp: s.gaveUp})
	return nil
}

// gaveUp writes to the audit trail that a client has not heard of the end of a session.
func (s *Server) gaveUp(m storage.Message, reason string) {
	if m.Kind == storage.BackchannelLogout {
		s.Journal.Note(s.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventLogoutUndelivered, Outcome: mfa.OutcomeFailed, Actor: "system",
			UserID: storage.UserID(m.Data[storage.LogoutUser]), SessionID: storage.SessionID(m.Data[storage.LogoutSession]), ClientID: storage.ClientID(m.Recipient),
			Detail: map[string]string{"message": string(m.ID), "reason": reason}}))
	}
}

// signUp returns what says whether people can sign up for a client; nil: for none.
func (s *Server) signUp(c config.Config) func(storage.Client) bool {
	if c.SignUp == signup.Off || !c.Sends("mail") {
		return nil
	}
	return func(k storage.Client) bool { return s.SignUps.Mode(k) != signup.Off } // assembled after the provider
}

// assembleSignUps creates the ways in for people without an account. An administrator can invite
// where nobody can sign up, and hand the link over where no mail is sent.
func (s *Server) assembleSignUps(p Options, senders map[string]delivery.Sender) {
	c, mail := p.Config, senders[notice.Mail] != nil
	issuer := strings.TrimSuffix(c.Issuer, "/")
	o := signup.Options{Product: c.Product, Page: issuer + login.SignUpPath, Mode: signup.Off, Life: c.Lifetimes.SignUp,
		Terms: signup.Terms{URL: c.Terms.URL, Version: c.Terms.Version}, Admit: s.Budgets.Admit, Client: s.Provider.Client, Methods: s.Verifier.Methods()}
	if s.Passkey != nil {
		o.Passkeys = s.Passkey
	}
	if mail {
		o.Mode = c.SignUp
	}
	s.SignUps = signup.New(s.Store, s.Users, s.Keyring, s.Journal, p.Now, p.Random, o)
	if o.Mode != signup.Off {
		senders[signup.Kind] = s.SignUps
	}
	s.Invitations = invitation.New(s.Store, s.Users, s.Keyring, s.Journal, p.Now, p.Random,
		invitation.Options{Product: c.Product, Page: issuer + login.InvitationPath, Life: c.Lifetimes.Invitation, Mail: mail})
}

// senders returns what sends each kind of messages.
func (s *Server) senders(c config.Config, now func() time.Time) (map[string]delivery.Sender, error) {
	out := map[string]delivery.Sender{}
	if m := c.Mail; m.Host != "" {
		password, err := MailPassword(m)
		if err != nil {
			return nil, fmt.Errorf("mail.password_file: %w", err)
		}
		ca, err := MailCA(m)
		if err != nil {
			return nil, fmt.Errorf("mail.ca_file: %w", err)
		}
		sender, err := smtp.New(smtp.Options{Host: m.Host, Port: m.Port, TLS: m.TLS, CA: ca,
			Username: m.Username, Password: password.Reveal(), From: m.From}, now)
		if err != nil {
			return nil, fmt.Errorf("mail: %w", err)
		}
		out[notice.Mail] = sender
		if m.CAFile != "" {
			s.addFile("mail.ca_file", "certificate", func(context.Context) error {
				ca, err := MailCA(m)
				if err == nil {
					sender.Trust(ca)
				}
				return err
			}, m.CAFile)
		}
	}
	if h := c.Hook; h.URL != "" {
		secrets, err := HookSecrets(h)
		if err != nil {
			return nil, fmt.Errorf("hook.secret_file: %w", err)
		}
		sender := hook.New(hook.Options{URL: h.URL, Secrets: secrets}, now)
		for _, kind := range h.Kinds {
			out[kind] = sender
		}
	}
	if c.OutboxFile != "" {
		file, err := outboxfile.New(c.OutboxFile, now)
		if err != nil {
			return nil, fmt.Errorf("outbox_file: %w", err)
		}
		for _, kind := range notice.Kinds() {
			out[kind] = file
		}
	}
	return out, nil
}

// MailPassword reads the password for the mail server; "": there is none.
func MailPassword(m config.Mail) (config.Secret, error) {
	if m.PasswordFile == "" {
		return "", nil
	}
	text, err := seal.ReadPrivate(m.PasswordFile)
	if err != nil {
		return "", err
	}
	password, err := input.Line(text)
	return config.Secret(password), err
}

// MailCA reads the certificates that the mail server's is issued by; nil: those of the system.
func MailCA(m config.Mail) (*x509.CertPool, error) {
	if m.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(m.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(input.WithoutMark(text)) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}

// HookSecrets reads the secrets that requests to the hook are signed with.
func HookSecrets(h config.Hook) ([][]byte, error) {
	text, err := seal.ReadPrivate(h.SecretFile)
	if err != nil {
		return nil, err
	}
	return hook.Secrets(text)
}
